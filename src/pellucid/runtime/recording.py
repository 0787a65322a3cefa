"""Record and replay calls of kernels.

A training step always calls the same kernels with the same arrays; only the numbers in the arrays
differ. So the calls of one step can be recorded and repeated without the Python code around them,
which takes longer than it seems: each kernel evicts the interpreter from the caches, and the
interpreter the kernel's data.

Arguments are recorded as they are, but arrays in a workspace by their place, so that a captured
step reuses memory like any other.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from itertools import groupby
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

from pellucid.runtime.workspace import Workspace
from pellucid.types import Array

P = ParamSpec("P")
R = TypeVar("R")
Call: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]


class Recording:
    """The calls of `recorded` functions, in order.

    Parameters
    ----------
    workspace
        Workspace of the arrays that are made during the capture.

    Examples
    --------
    >>> import numpy as np
    >>> add, a, b = recorded(np.add), np.ones(2), np.zeros(2)
    >>> recording = Recording(Workspace())
    >>> with recording.capturing():
    ...     _ = add(a, a, b)
    >>> recording.bind(Workspace())
    >>> a[:] = 5
    >>> recording.replay()
    >>> b
    array([10., 10.])
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._calls: list[Call] = []
        self._ready = self._alone = self._calls
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
        """Record one call; return False, so that the call is made."""
        self._calls.append((function, tuple(map(self.workspace.place, args))))
        return False

    def bind(self, memory: Workspace) -> None:
        """Bind the calls to arrays in `memory`, which the capture's workspace handed over."""
        at = memory.at
        self._calls = [(function, tuple(map(at, args))) for function, args in self._calls]
        pairs = list(_in_less_time(self._calls))
        self._ready, self._alone = [many for many, _ in pairs], [one for _, one in pairs]

    @property
    def is_one_call(self) -> bool:
        """Whether it is one call of compiled code."""
        return len(self._ready) == 1 < len(self._calls)

    def replay(self, alone: bool = False) -> None:
        """Repeat the calls; if `alone`, kernels that follow each other use this thread alone."""
        calls = self._alone if alone else self._ready
        for function, args in self._calls if _is_forked else calls:
            function(*args)


def _in_less_time(calls: list[Call]) -> Iterator[tuple[Call, Call]]:
    """Yield calls that do the same in less time, for all threads and for one.

    Kernels that follow each other become one call.
    """
    for join, some in groupby(calls, key=lambda call: getattr(call[0], "joined", None)):
        if join is not None:
            yield join(list(some))
        else:
            for function, args in some:
                yield ((_for_types(function, args), args),) * 2


def _for_types(function: Callable[..., Any], args: tuple[Any, ...]) -> Callable[..., Any]:
    """Return a kernel's code for arguments of these types, which it need not look up each time."""
    if not hasattr(function, "overloads"):
        return function
    compiled = function.overloads.get(tuple(map(function.typeof_pyval, args)))  # type: ignore[attr-defined]
    return function if compiled is None else cast(Callable[..., Any], compiled.entry_point)


_is_forked = False
"""Whether this process was forked: its kernels are others, for one thread."""


def _note_fork() -> None:
    global _is_forked
    _is_forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


class Rehearsal:
    """A run without calls of kernels, which shows what calls will be needed.

    Parameters
    ----------
    left_out
        Function of each call, (function, arguments). If it returns True, the call is skipped, and
        its result is 0.

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
        """Rehearse the code inside the ``with`` block."""
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)


def is_rehearsed() -> bool:
    """Return whether a rehearsal is running."""
    return isinstance(_running.get(), Rehearsal)


_running: ContextVar[Recording | Rehearsal | None] = ContextVar("recording", default=None)


def recorded(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` with its calls recorded during a capture.

    The function must work on the arrays that it is given: its return value is not used in replays.
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
    """Return `function`, marked as impossible to capture because it makes new arrays."""

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


# NumPy functions that no kernel would make faster


@recorded
def copy(to: Array, values: Array) -> None:
    """Copy values into an array."""
    to[...] = values


@recorded
def add_up(values: Array, axes: tuple[int, ...], to: Array) -> None:
    """Write the sum of values over some axes to an array."""
    values.sum(axis=axes, out=to)
