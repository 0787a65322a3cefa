"""The interface between processes: the few operations of MPI that training needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pellucid.types import Array


class Communicator(Protocol):
    """A group of processes that exchange arrays. Each has a rank, counted from 0."""

    status: int
    """Exit status of this program, if it has to end without MPI; 0 at first."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...

    @property
    def can_shrink(self) -> bool:
        """Whether the other processes can continue when one ends."""

    def swap(
        self, send: Sequence[Array], receive: Sequence[Array], patience: float | None = None
    ) -> None:
        """Send an array to each process and receive one from each; empty arrays are not sent.

        All processes must call this, with contiguous arrays of matching shapes.

        Parameters
        ----------
        patience
            Seconds to wait for an answer. None, the default, means the run's timeout.

        Raises
        ------
        LostProcessError
            A process has ended or does not answer.
        """

    def shrink(self) -> None:
        """Continue without the processes that have ended, renumbering ranks in the same order."""

    def end_soon(self) -> None:
        """Shorten all waits from now on, because the program was asked to end."""

    def abort(self, status: int) -> None:
        """End all processes immediately with the given exit status."""


class Alone:
    """A single process, which needs no MPI."""

    rank, size, can_shrink, status = 0, 1, False, 0

    def swap(
        self, send: Sequence[Array], receive: Sequence[Array], patience: float | None = None
    ) -> None:
        receive[0][...] = send[0]

    def shrink(self) -> None:
        """Do nothing, since there are no other processes."""

    def end_soon(self) -> None:
        """Do nothing, since there is nothing to wait for."""

    def abort(self, status: int) -> None:
        raise SystemExit(status)
