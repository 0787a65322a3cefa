"""The interface between processes: the few operations of MPI that training needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pellucid.types import Array


class Exchange(Protocol):
    """An exchange of arrays with all processes, which may go on while this process computes."""

    def is_complete(self) -> bool:
        """Move the messages on without waiting, and return whether all have been exchanged.

        Raises
        ------
        LostProcessError
            A process has ended.
        """

    def wait(self, patience: float | None = None) -> None:
        """Wait until all messages have been exchanged.

        Parameters
        ----------
        patience
            Seconds to wait for an answer. None, the default, means the run's timeout.

        Raises
        ------
        LostProcessError
            A process has ended or does not answer.
        """


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

    def start(self, send: Sequence[Array], receive: Sequence[Array], channel: int = 0) -> Exchange:
        """Start sending an array to each process and receiving one from each.

        All processes must call this, with contiguous arrays of matching shapes. Empty arrays are
        not sent. The arrays must not be used until the exchange is complete.

        Parameters
        ----------
        channel
            Distinguishes exchanges that are under way at the same time. Those of one channel are
            started in the same order by all processes.

        Raises
        ------
        LostProcessError
            A process has ended.
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

    def start(self, send: Sequence[Array], receive: Sequence[Array], channel: int = 0) -> Exchange:
        receive[0][...] = send[0]
        return _Complete()

    def shrink(self) -> None:
        """Do nothing, since there are no other processes."""

    def end_soon(self) -> None:
        """Do nothing, since there is nothing to wait for."""

    def abort(self, status: int) -> None:
        raise SystemExit(status)


class _Complete:
    """The exchange of a process with itself."""

    def is_complete(self) -> bool:
        return True

    def wait(self, patience: float | None = None) -> None:
        """Return at once."""
