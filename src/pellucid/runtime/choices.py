"""What was chosen by timing, for the run that it belongs to.

A choice between algorithms that follows from a measurement changes results within rounding. So a
training run keeps its choices with its values: it continues with the same ones, whatever was
measured in the meantime, here or on another machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Choices = dict[str, str]
"""The chosen algorithm by the description of what it computes."""

_present: ContextVar[Choices | None] = ContextVar("choices", default=None)


@contextmanager
def belonging_to(choices: Choices) -> Iterator[None]:
    """Inside the ``with`` block, what `choices` holds is chosen, and new choices are added to it.

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
    """Return the choices of the run that computes; None outside of one."""
    return _present.get()
