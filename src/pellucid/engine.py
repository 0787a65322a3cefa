"""Which engine computes: `reference`, written to be read, or `compiled`, written to be fast.

Both are modules that export the same functions. Nothing else in the library knows which one runs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from pellucid.errors import PellucidError, unknown

NAMES = ("reference",)

_everywhere: str | None = None
_here: ContextVar[str | None] = ContextVar("engine", default=None)


def name() -> str:
    """Return the name of the engine in force: chosen, or from PELLUCID_ENGINE, or the default."""
    chosen = _here.get() or _everywhere
    return chosen or _known(os.environ.get("PELLUCID_ENGINE", NAMES[0]))


def current() -> Any:
    """Return the engine in force, a module."""
    return import_module(f"pellucid.{name()}")


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


def _known(engine: str) -> str:
    if engine not in NAMES:
        raise PellucidError(unknown("engine", engine, NAMES))
    return engine
