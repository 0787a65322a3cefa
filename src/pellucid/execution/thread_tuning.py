"""Choose the number of threads that is fastest.

Threads that share a step wait for each other some hundred times in it. On a busy machine, or where
the threads' processors have no cache in common, waiting can take longer than the work: then one
thread is faster than two. Results do not depend on the number of threads, so it may change during a
run; it is found by trial. Trials take little of the time: of steps that are long, one is tried, and
rarely.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

from pellucid.execution.capture import AFTER
from pellucid.runtime import threads

R = TypeVar("R")

_ENOUGH = 0.3  # seconds of steps that tell how long they take
_SHARE = 0.04  # of the time, at most, for trying the slower number
_WARM = AFTER + 1  # steps in which kernels are compiled, and a step is captured
_SOON = 2.0  # seconds until the other number is tried again, initially
_FASTER = 0.97  # of the time, in which one thread has to do what all do


class ThreadTuner:
    """Run steps with all threads or with one, whichever is faster.

    Parameters
    ----------
    most
        Number of all threads; by default as many as the engine uses now.
    tried
        Number of steps of a trial, if they are not long.
    late
        Most seconds until the other number is tried again.
    longest
        Seconds of a step with all threads for which one thread is not tried.
    clock, use, used
        Functions that return the time in seconds, set the number of threads, and return it.

    Examples
    --------
    >>> tuner = ThreadTuner(most=1)
    >>> with tuner.step():
    ...     pass
    >>> tuner.run(lambda: "done")
    'done'
    >>> tuner.threads
    1
    """

    def __init__(
        self,
        most: int | None = None,
        tried: int = 4,
        late: float = 30.0,
        longest: float = math.inf,
        clock: Callable[[], float] = perf_counter,
        use: Callable[[int], None] = threads.use,
        used: Callable[[], int] = threads.used,
    ) -> None:
        self.most = used() if most is None else most
        self.threads = self.most
        """The number of threads that was faster in the latest trial."""
        self._tried, self._late, self._longest = tried, late, longest
        self._clock, self._use, self._used = clock, use, used
        self._warm = _WARM
        self._wait = min(_SOON, late)
        self._begin()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Run one training step inside the ``with`` block."""
        if self.most == 1:
            yield
            return
        count = self._trying[0] if self._trying else self.threads
        self._use(count)
        started = self._clock()
        try:
            yield
        finally:
            self._note(count, started, self._clock())
            self._use(self.threads)

    def run(self, function: Callable[..., R], *args: Any) -> R:
        """Return ``function(*args)``, after which the number of threads is as it was."""
        if self.threads == self.most and not self._trying:
            result = function(*args)
            if self._clock() >= self._next:
                self._follow()
            return result
        if self._used() != self.most:
            self._follow()
        try:
            with self.step():
                return function(*args)
        finally:
            self._use(self.most)

    def _follow(self) -> None:
        """Begin a trial with as many threads as the engine uses now."""
        self.most = self.threads = self._used()
        self._begin()

    def close(self) -> None:
        """Restore the number of threads."""
        if self.most > 1:
            self._use(self.most)

    def _begin(self) -> None:
        """Begin a trial of the number of threads in use, then of the other."""
        self._spent: dict[int, list[float]] = {1: [], self.most: []}
        other = 1 if self.threads == self.most else self.most
        self._trying = [self.threads] * self._tried + [other] * self._tried
        if self.most == 1:
            self._trying, self._next = [], self._clock() + self._late

    def _note(self, count: int, started: float, ended: float) -> None:
        if self._warm:
            self._warm -= 1
        elif not self._trying:
            if ended >= self._next:
                self._begin()
        else:
            self._trying.pop(0)
            spent = self._spent[count]
            spent.append(ended - started)
            if sum(spent) >= _ENOUGH:
                self._trying = [number for number in self._trying if number != count]
            if count == self.most and median(spent) > self._longest:
                self._trying, self._next, self.threads = [], math.inf, self.most
            elif not self._trying:
                self._choose(ended)

    def _choose(self, now: float) -> None:
        """Use the number whose latest steps were faster, and set when to try the other again."""
        taken = {count: median(spent) for count, spent in self._spent.items()}
        faster = 1 if taken[1] < _FASTER * taken[self.most] else self.most
        slower = 1 if faster == self.most else self.most
        wait = 2 * self._wait if faster == self.threads else _SOON
        self._wait = min(wait, self._late)
        self._next = now + max(self._wait, sum(self._spent[slower]) / _SHARE)
        self.threads = faster
