"""Results that need messages from other processes, which travel while the program computes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Generic, TypeVar, cast

from pellucid.parallel.communicator import Exchange

T = TypeVar("T")

Rounds = Generator[Exchange, None, T]
"""A computation that starts an exchange, yields it, and goes on once it is complete."""


class Pending(Generic[T]):
    """The result of a computation with several rounds of exchange.

    MPI moves messages on only while a program calls it. So a program that computes meanwhile calls
    `advance` now and then.

    Parameters
    ----------
    rounds
        The computation, whose first exchange is started now.
    """

    def __init__(self, rounds: Rounds[T]) -> None:
        self._rounds = rounds
        self._exchange: Exchange | None = None
        self._result: T | None = None
        self._go_on()

    def advance(self) -> bool:
        """Go on as far as possible without waiting, and return whether the result is known."""
        while self._exchange is not None and self._exchange.is_complete():
            self._go_on()
        return self._exchange is None

    def wait(self, patience: float | None = None) -> T:
        """Return the result, waiting for the other processes; see `Exchange.wait`."""
        while self._exchange is not None:
            self._exchange.wait(patience)
            self._go_on()
        return cast(T, self._result)

    def _go_on(self) -> None:
        try:
            self._exchange = next(self._rounds)
        except StopIteration as end:
            self._exchange, self._result = None, end.value
