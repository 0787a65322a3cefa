"""What connects processes: the little that the rest needs of MPI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pellucid.types import Array


class Communicator(Protocol):
    """Processes that send each other arrays. Each has a number, its rank, from 0 on."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...

    @property
    def can_shrink(self) -> bool:
        """Whether the others can go on when a process ends."""

    def swap(
        self, send: Sequence[Array], receive: Sequence[Array], patience: float | None = None
    ) -> None:
        """Send an array to each process, and receive one from each; empty ones are not sent.

        All processes call it, with arrays that fit, contiguous ones.

        Parameters
        ----------
        patience
            How many seconds to wait for an answer; None is what was chosen for the run.

        Raises
        ------
        LostProcessError
            A process has ended, or does not answer.
        """

    def shrink(self) -> None:
        """Go on without the processes that have ended; ranks are given anew, in the same order."""

    def end_soon(self) -> None:
        """Wait for nobody for long from now on: the program was asked to end."""

    def abort(self, status: int) -> None:
        """End all processes at once, with this exit status."""


class Alone:
    """One process."""

    rank, size, can_shrink = 0, 1, False

    def swap(
        self, send: Sequence[Array], receive: Sequence[Array], patience: float | None = None
    ) -> None:
        receive[0][...] = send[0]

    def shrink(self) -> None:
        """Do nothing: nobody else can have ended."""

    def end_soon(self) -> None:
        """Do nothing: nobody is waited for."""

    def abort(self, status: int) -> None:
        raise SystemExit(status)
