"""The choice between two engines: `reference`, for readability, and `compiled`, for speed.

Both are modules that implement `pellucid.contract.Engine`. Layers, losses and optimisers do not
depend on which one is in use.
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
from pellucid.errors import PellucidError, installing, unknown
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
    """Return the name of the engine in use.

    It is the one chosen by `use` or `using`, or by the variable PELLUCID_ENGINE, or by default
    `compiled` if Numba is installed.
    """
    return _here.get() or _everywhere or _default()


def current(*operands: Array | None) -> Engine:
    """Return the engine that computes with these arrays.

    It is the engine in use, except that `compiled` only supports float32: `reference` computes with
    arrays of other types.
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
        "pellucid: Numba is not installed, so NumPy is used, which is several times slower; "
        f"install it with {installing('app')}",
        file=sys.stderr,
    )
    return "reference"


@cache
def _module(engine: str) -> Engine:
    """Return an engine by name; the type checker compares both modules with the interface here."""
    if engine == "reference":
        return reference
    from pellucid import compiled

    return compiled


def for_floats(of: str, *operands: Array | None) -> Engine:
    """Return the engine for these arrays, after checking that they have floating-point types.

    Parameters
    ----------
    of
        Name of the operation, for the error message.
    """
    engine = _module(_here.get() or _everywhere or _default())
    for operand in operands:
        if operand is None or operand.dtype == _FLOAT32:
            continue
        if operand.dtype.kind != "f":
            raise PellucidError(
                f"{of} expects floating-point numbers, got {operand.dtype}; "
                "preprocess the images, or convert them with x.astype(np.float32)"
            )
        engine = reference
    return engine


def use(engine: str) -> None:
    """Use `engine` from now on in all threads."""
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
    """Return the algorithm to request, where ``auto`` may mean ``precise`` or ``tuned``.

    >>> with precisely():
    ...     algorithm("auto"), algorithm("im2col")
    ('precise', 'im2col')
    """
    if asked != "auto":
        return asked
    if _precise.get() or _asked("PELLUCID_PRECISE"):
        return "precise"  # precise takes precedence over tuned
    return "tuned" if _tuned.get() or _asked("PELLUCID_TUNE") else "auto"


def setting() -> str:
    """Return the engine in use, and whether it is precise or tuned: all that affects results."""
    how = algorithm("auto")
    return name() if how == "auto" else f"{name()}, {how}"


@contextmanager
def precisely(precise: bool = True) -> Iterator[None]:
    """Never choose the algorithm F(4×4, 3×3) automatically inside the ``with`` block."""
    token = _precise.set(precise)
    try:
        yield
    finally:
        _precise.reset(token)


@contextmanager
def tuned(tune: bool = True) -> Iterator[None]:
    """Choose convolution algorithms by timing inside the ``with`` block, once for each shape.

    Choices are stored with the compiled kernels and used from then on. They depend on the machine
    and its load, so results agree with other machines only up to rounding. The reference engine
    always chooses by shape.
    """
    token = _tuned.set(tune)
    try:
        yield
    finally:
        _tuned.reset(token)


@cache
def environment(variable: str) -> str:
    """Return an environment variable, as it was when it was first read.

    A training step reads it some hundred times, and each access to the system takes a microsecond.
    """
    return os.environ.get(variable, "")


def _asked(variable: str) -> bool:
    return environment(variable) not in ("", "0")


def _known(engine: str) -> str:
    if engine not in NAMES:
        raise PellucidError(unknown("engine", engine, NAMES))
    return engine
