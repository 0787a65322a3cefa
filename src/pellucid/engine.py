"""Which engine computes: `reference`, written to be read, or `compiled`, written to be fast.

Both are modules that offer the functions of `pellucid.contract.Engine`. Layers, losses and
optimisers do not know which of them is in force.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec

import numpy as np

from pellucid import reference
from pellucid.contract import Engine
from pellucid.errors import PellucidError, unknown
from pellucid.types import Array

__all__ = [
    "NAMES",
    "algorithm",
    "current",
    "environment",
    "for_floats",
    "name",
    "precisely",
    "setting",
    "tuned",
    "use",
    "using",
]


def __dir__() -> list[str]:
    return __all__


NAMES = ("reference", "compiled")

_everywhere: str | None = None
_here: ContextVar[str | None] = ContextVar("engine", default=None)
_precise: ContextVar[bool] = ContextVar("precise", default=False)
_tuned: ContextVar[bool] = ContextVar("tuned", default=False)
_FLOAT32 = np.dtype(np.float32)


def name() -> str:
    """Return the name of the engine in force: chosen, or from PELLUCID_ENGINE, or the default.

    The default is `compiled` where Numba is installed.
    """
    return _here.get() or _everywhere or _default()


def current(*operands: Array | None) -> Engine:
    """Return the engine that computes with these arrays.

    It is the engine in force; but `compiled` computes in float32 alone, and `reference` takes over
    whatever has another type.
    """
    engine = _module(_here.get() or _everywhere or _default())
    for operand in operands:
        if operand is not None and operand.dtype != _FLOAT32:
            return reference
    return engine


@cache
def _default() -> str:
    if named := environment("PELLUCID_ENGINE"):
        return _known(named)
    if find_spec("numba") is not None:
        return "compiled"
    print(
        "pellucid: Numba is not installed, so this runs on NumPy, several times slower; "
        'pip install "pellucid[app]" brings it',
        file=sys.stderr,
    )
    return "reference"


@cache
def _module(engine: str) -> Engine:
    """Return an engine by its name; here the type checker holds both modules to the contract."""
    if engine == "reference":
        return reference
    from pellucid import compiled

    return compiled


def for_floats(of: str, *operands: Array | None) -> Engine:
    """Return the engine that computes with these arrays, all of floating-point numbers.

    Parameters
    ----------
    of
        What a message calls the operation.
    """
    engine = _module(_here.get() or _everywhere or _default())
    for operand in operands:
        if operand is None or operand.dtype == _FLOAT32:
            continue
        if operand.dtype.kind != "f":
            raise PellucidError(
                f"{of} computes with floating-point numbers, got {operand.dtype}; "
                "preprocess the images, or convert with x.astype(np.float32)"
            )
        engine = reference
    return engine


def use(engine: str) -> None:
    """Use `engine` from now on, in all threads."""
    global _everywhere
    _everywhere = _known(engine)


@contextmanager
def using(engine: str) -> Iterator[None]:
    """Use `engine` inside a ``with`` block, in this thread.

    >>> with using("reference"):
    ...     name()
    'reference'
    """
    token = _here.set(_known(engine))
    try:
        yield
    finally:
        _here.reset(token)


def algorithm(asked: str) -> str:
    """Return what an engine is told: ``auto`` as ``precise`` or ``tuned`` where that is in force.

    >>> with precisely():
    ...     algorithm("auto"), algorithm("im2col")
    ('precise', 'im2col')
    """
    if asked != "auto":
        return asked
    if _precise.get() or _asked("PELLUCID_PRECISE"):
        return "precise"  # which leaves no choice to be timed
    return "tuned" if _tuned.get() or _asked("PELLUCID_TUNE") else "auto"


def setting() -> str:
    """Return the engine in force, and whether it is precise or tuned: what results depend on."""
    how = algorithm("auto")
    return name() if how == "auto" else f"{name()}, {how}"


@contextmanager
def precisely(precise: bool = True) -> Iterator[None]:
    """Leave out F(4×4, 3×3) wherever an algorithm is chosen inside the ``with`` block."""
    token = _precise.set(precise)
    try:
        yield
    finally:
        _precise.reset(token)


@contextmanager
def tuned(tune: bool = True) -> Iterator[None]:
    """Choose algorithms by timing inside the ``with`` block: once for each shape of convolution.

    What is chosen is kept beside the compiled kernels and holds from then on. It depends on the
    machine and on what else it did, so results are the same as elsewhere within rounding only.
    The reference engine chooses by shape alone.
    """
    token = _tuned.set(tune)
    try:
        yield
    finally:
        _tuned.reset(token)


@cache
def environment(variable: str) -> str:
    """Return a variable of the environment, as it was when it was first asked for.

    A training step asks some hundred times, and each time the system's way takes a microsecond.
    """
    return os.environ.get(variable, "")


def _asked(variable: str) -> bool:
    return environment(variable) not in ("", "0")


def _known(engine: str) -> str:
    if engine not in NAMES:
        raise PellucidError(unknown("engine", engine, NAMES))
    return engine
