"""As many threads as help.

Threads that share the work of a step wait for each other some hundred times in it. On a machine
that is busy with something else this waiting can take longer than the work: then one thread is
many times faster than two. Results do not depend on the number of threads, so it may change in the
middle of a run, and here it is found out by trying.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from pellucid.runtime import threads

_TRIED = 4  # steps
_WARM = 2  # steps in which kernels are compiled and memory is fetched
_SOON, _LATE = 2.0, 30.0  # seconds until the other number is tried again, at first and at last


class ThreadTuner:
    """Runs steps with all threads or with one, whichever takes less time.

    Parameters
    ----------
    most
        How many threads "all" are; None is as many as the engine has now.
    clock, use
        How time is told, and how so many threads are asked for.

    Examples
    --------
    >>> tuner = ThreadTuner(most=1)
    >>> with tuner.step():
    ...     pass
    >>> tuner.threads
    1
    """

    def __init__(
        self,
        most: int | None = None,
        clock: Callable[[], float] = perf_counter,
        use: Callable[[int], None] = threads.use,
    ) -> None:
        self._most = threads.used() if most is None else most
        self._clock, self._use = clock, use
        self.threads = self._most
        """The number that was faster when both were tried last."""
        self._spent: dict[int, list[float]] = {self._most: [], 1: []}
        self._trying = [self._most] * (_WARM + _TRIED) + [1] * _TRIED
        self._wait, self._next = _SOON, 0.0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Run one step of training inside the ``with`` block."""
        if self._most == 1:
            yield
            return
        count = self._trying.pop(0) if self._trying else self.threads
        self._use(count)
        started = self._clock()
        try:
            yield
        finally:
            self._use(self.threads)
            self._note(count, started, self._clock())

    def close(self) -> None:
        """Leave the number of threads as it was."""
        if self._most > 1:
            self._use(self._most)

    def _note(self, count: int, started: float, ended: float) -> None:
        self._spent[count] = [*self._spent[count][1 - _TRIED :], ended - started]
        if self._trying:
            return
        if self._next == 0.0:  # both have just been tried
            faster = min(self._spent, key=lambda number: sum(self._spent[number]))
            self._wait = min(2 * self._wait, _LATE) if faster == self.threads else _SOON
            self.threads, self._next = faster, ended + self._wait
            self._use(faster)
        elif ended >= self._next:
            other = 1 if self.threads == self._most else self._most
            self._trying, self._next = [other] * _TRIED, 0.0
