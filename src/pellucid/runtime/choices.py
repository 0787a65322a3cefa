"""Algorithms chosen by timing, which belong to a training run.

An algorithm chosen by timing changes results up to rounding. So a training run saves its choices
and continues with them, whatever has been measured since, here or on another machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Choices = dict[str, str]
"""The chosen algorithm, by the description of what it computes."""

_present: ContextVar[Choices | None] = ContextVar("choices", default=None)


@contextmanager
def belonging_to(choices: Choices) -> Iterator[None]:
    """Use these choices inside the ``with`` block, and add new ones to them.

    >>> with belonging_to({"a shape": "direct"}):
    ...     present()
    {'a shape': 'direct'}
    """
    token = _present.set(choices)
    try:
        yield
    finally:
        _present.reset(token)


def present() -> Choices | None:
    """Return the choices of the current run, or None outside a run."""
    return _present.get()
