"""Capture and replay of calls.

A training step calls the same kernels with the same arrays each time; only the numbers in the
arrays differ. So the calls of one step can be recorded and made again without the Python around
them, which only finds out which calls to make. That takes longer than it seems: each kernel pushes
the interpreter out of the caches, and the interpreter the kernel's numbers.

Arguments are recorded as they are, and arrays in a workspace by their place, so that a step that is
captured reuses its memory as any other does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, cast

from pellucid.runtime.workspace import Workspace
from pellucid.types import Array

P = ParamSpec("P")
R = TypeVar("R")


class Recording:
    """The calls of `recorded` functions, in their order.

    Parameters
    ----------
    workspace
        Holds the arrays that are made while it captures, which the calls are given again.

    Examples
    --------
    >>> import numpy as np
    >>> add, a, b = recorded(np.add), np.ones(2), np.zeros(2)
    >>> recording = Recording(Workspace())
    >>> with recording.capturing():
    ...     _ = add(a, a, b)
    >>> recording.bind()
    >>> a[:] = 5
    >>> recording.replay()
    >>> b
    array([10., 10.])
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.is_complete = True
        """Whether every call could be recorded."""

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Record the calls inside the ``with`` block."""
        token = _running.set(self)
        try:
            with self.workspace.used():
                yield
        finally:
            _running.reset(token)

    def note(self, function: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        """Record one call; return false, as it is not left out."""
        self._calls.append((function, tuple(map(self.workspace.place, args))))
        return False

    def bind(self) -> None:
        """Give the calls their arrays: from now on nothing else uses that memory."""
        at = self.workspace.at
        self._calls = [(function, tuple(map(at, args))) for function, args in self._calls]

    def replay(self) -> None:
        """Make the calls again."""
        for function, args in self._calls:
            function(*args)


class Rehearsal:
    """A run in which kernels are not called: it shows which calls will be needed, before they are.

    Parameters
    ----------
    left_out
        Told each call of a `recorded` function, the function and its arguments. It returns whether
        the call is left out; then its result is 0.

    Examples
    --------
    >>> import numpy as np
    >>> add, a, needed = recorded(np.add), np.ones(2), []
    >>> with Rehearsal(lambda function, args: not needed.append(function)).running():
    ...     _ = add(a, a, a)
    >>> a, needed == [np.add]
    (array([1., 1.]), True)
    """

    is_complete = True

    def __init__(self, left_out: Callable[[Callable[..., Any], tuple[Any, ...]], bool]) -> None:
        self.note = left_out

    @contextmanager
    def running(self) -> Iterator[None]:
        """Rehearse what is called inside the ``with`` block."""
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)


def is_rehearsed() -> bool:
    """Return whether this is a rehearsal."""
    return isinstance(_running.get(), Rehearsal)


_running: ContextVar[Recording | Rehearsal | None] = ContextVar("recording", default=None)


def recorded(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function`, whose calls are recorded while a recording is capturing.

    It must do its work on the arrays that it is given: what it returns when it is called again is
    not used.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        recording = _running.get()
        if recording is not None and recording.note(
            partial(function, **kwargs) if kwargs else function, args
        ):
            return cast(R, 0.0)
        return function(*args, **kwargs)

    return call


def unrecorded(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function`, which cannot be captured, because it makes arrays of its own."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if (recording := _running.get()) is not None:
            recording.is_complete = False
        return function(*args, **kwargs)

    return call


@contextmanager
def paused() -> Iterator[None]:
    """Record nothing inside the ``with`` block."""
    token = _running.set(None)
    try:
        yield
    finally:
        _running.reset(token)


# NumPy's functions, where no kernel would be faster.


@recorded
def copy(to: Array, values: Array) -> None:
    """Write values into an array."""
    to[...] = values


@recorded
def add_up(values: Array, axes: tuple[int, ...], to: Array) -> None:
    """Write the sum of values over some axes into an array."""
    values.sum(axis=axes, out=to)
