"""Choose the number of threads that is fastest.

Threads that share a step wait for each other some hundred times in it. On a busy machine, waiting
can take longer than the work: then one thread is many times faster than two. Results do not depend
on the number of threads, so it may change during a run; it is found by trial. Trials take little of
the time: of steps that are long, one is tried, and rarely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import mean
from time import perf_counter

from pellucid.execution.replay import AFTER
from pellucid.runtime import threads

_TRIED = 4  # steps, or fewer
_ENOUGH = 0.3  # seconds of steps that tell how long they take
_SHARE = 0.04  # of the time, at most, for trying the slower number
_WARM = AFTER + 1  # steps in which kernels are compiled, and a step is captured
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
        self._warm = _WARM
        self._spent: dict[int, list[float]] = {}
        self._trying = [self._most] * _TRIED + [1] * _TRIED
        self._wait, self._next = _SOON, 0.0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Run one training step inside the ``with`` block."""
        if self._most == 1:
            yield
            return
        count = self._trying[0] if self._trying else self.threads
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
        if self._warm:
            self._warm -= 1
            return
        self._spent[count] = [*self._spent.get(count, [])[1 - _TRIED :], ended - started]
        if self._trying:
            self._trying.pop(0)
            if sum(self._spent[count]) >= _ENOUGH:
                self._trying = [number for number in self._trying if number != count]
            if not self._trying:
                self._choose(ended)
        elif ended >= self._next:
            other = 1 if self.threads == self._most else self._most
            self._spent[other], self._trying = [], [other] * _TRIED

    def _choose(self, now: float) -> None:
        """Use the number whose latest steps were faster, and set when to try the other again."""
        faster, slower = sorted(self._spent, key=lambda number: mean(self._spent[number]))
        self._wait = min(2 * self._wait, _LATE) if faster == self.threads else _SOON
        self._next = now + max(self._wait, sum(self._spent[slower]) / _SHARE)
        self.threads = faster
        self._use(faster)
