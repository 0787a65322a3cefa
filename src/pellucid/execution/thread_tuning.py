"""Choose the number of threads that is fastest.

Threads that share a step wait for each other some hundred times in it. On a busy machine, waiting
can take longer than the work: then one thread is many times faster than two. Results do not depend
on the number of threads, so it may change during a run; it is found by trial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from pellucid.runtime import threads

_TRIED = 4  # steps
_WARM = 2  # steps in which kernels are compiled and memory is allocated
_SOON, _LATE = 2.0, 30.0  # seconds until the other number is tried again, initially and finally


class ThreadTuner:
    """Run steps with all threads or with one, whichever is faster.

    Parameters
    ----------
    most
        Number of all threads; by default as many as the engine uses now.
    clock, use
        Functions that return the time in seconds, and that set the number of threads.

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
        """The number of threads that was faster in the latest trial."""
        self._spent: dict[int, list[float]] = {self._most: [], 1: []}
        self._trying = [self._most] * (_WARM + _TRIED) + [1] * _TRIED
        self._wait, self._next = _SOON, 0.0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Run one training step inside the ``with`` block."""
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
        """Restore the number of threads."""
        if self._most > 1:
            self._use(self._most)

    def _note(self, count: int, started: float, ended: float) -> None:
        self._spent[count] = [*self._spent[count][1 - _TRIED :], ended - started]
        if self._trying:
            return
        if self._next == 0.0:  # both numbers have just been tried
            faster = min(self._spent, key=lambda number: sum(self._spent[number]))
            self._wait = min(2 * self._wait, _LATE) if faster == self.threads else _SOON
            self.threads, self._next = faster, ended + self._wait
            self._use(faster)
        elif ended >= self._next:
            other = 1 if self.threads == self._most else self._most
            self._trying, self._next = [other] * _TRIED, 0.0
