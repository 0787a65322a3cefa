"""A communicator based on MPI, through mpi4py."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pellucid.errors import LostProcessError, PellucidError, missing_extra
from pellucid.parallel import launched, placement
from pellucid.parallel.shards import SHARDS
from pellucid.parallel.team import Team
from pellucid.types import Array

if TYPE_CHECKING:
    from mpi4py.MPI import Comm

TIMEOUT = 120.0
"""Seconds without an answer after which a process is considered hanging."""

_FAULT_TOLERANT = "OMPI_MCA_mpi_ft_enable"
_TAG = 18
_EAGER, _PAUSE = 2e-3, 50e-6  # seconds
_SLOWEST = 200e6  # bytes in a second
_GRACE = 0.02
"""Seconds to wait for the current step once ``mpiexec`` has asked processes to end.

``mpiexec`` does so when one process has ended, and kills the others after a quarter of a second.
"""


def mpi(shards: int = SHARDS, timeout: float = TIMEOUT, sync_batch_norm: bool = False) -> Team:
    """Return the team of processes started by ``mpiexec``.

    Pass it to `train` or `fit` in a program started by ``mpiexec -n 4 python program.py``. All
    processes run the program; ``team.leads`` is true in the one that should print and save.
    Processes on the same machine divide its processors among themselves.

    Parameters
    ----------
    shards
        Number of shards per batch, at least the number of processes. Runs with the same number of
        shards give bit-identical weights. Default: 8.
    timeout
        Seconds without an answer after which a process is considered hanging. Default: 120.
    sync_batch_norm
        Whether batch normalisation uses the statistics of the whole batch in training instead of
        those of a shard. Default: False.

    Raises
    ------
    MissingExtraError
        mpi4py or an MPI library is not installed.
    PellucidError
        There are more processes than shards, or ``mpiexec`` belongs to another MPI library.

    Examples
    --------
    >>> import pellucid as pl
    >>> team = pl.parallel.mpi()  # doctest: +SKIP
    >>> pl.fit(model, data, optimizer=adam, epochs=3, parallel=team)  # doctest: +SKIP
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: no MPI library
        raise missing_extra("training by several processes", "mpi4py with MPI", "mpi") from error
    started = launched.size()
    if started is not None and started > 1 and MPI.COMM_WORLD.size == 1:
        library = MPI.Get_library_version().split(",")[0].split("\n")[0].strip()
        raise PellucidError(
            f"mpiexec started {started} processes, but mpi4py uses {library}, in which each is "
            "alone: use the mpiexec of the same MPI, the one in the environment of this Python"
        )
    communicator = MPICommunicator(MPI.COMM_WORLD, timeout)
    placement.place(communicator.local)
    return Team(communicator, shards, sync_batch_norm)


class MPICommunicator:
    """The processes of an MPI communicator; see `Communicator`.

    Messages are sent between pairs of processes without blocking, so that an error can name the
    processes that do not answer, and signals are handled while waiting.
    """

    def __init__(self, world: Comm, timeout: float) -> None:
        from mpi4py import MPI

        self._mpi: Any = MPI
        self._comm = world.Dup()
        self._timeout = timeout
        self.local: Comm = world.Split_type(MPI.COMM_TYPE_SHARED)
        """The processes on this machine."""
        self._asked_to_end: float | None = None
        self._under_way: set[_Exchange] = set()  # keeps the arrays that messages are written to
        self._has_lost = False
        self.status = 0
        atexit.register(self._end)

    @property
    def rank(self) -> int:
        return int(self._comm.rank)

    @property
    def size(self) -> int:
        return int(self._comm.size)

    @property
    def can_shrink(self) -> bool:
        """Whether the others can continue when a process ends: ``mpiexec --with-ft ulfm``."""
        return os.environ.get(_FAULT_TOLERANT, "") not in ("", "0", "false")

    def start(self, send: Sequence[Array], receive: Sequence[Array], channel: int = 0) -> _Exchange:
        me, comm, tag = self.rank, self._comm, _TAG + channel
        receive[me].reshape(-1)[...] = send[me].reshape(-1)
        others = [rank for rank in range(self.size) if rank != me]
        exchange = _Exchange(self, [*send, *receive])
        self._under_way.add(exchange)
        with self._noticing_losses():
            for rank in others:
                if receive[rank].size:
                    exchange.receiving[rank] = comm.Irecv(receive[rank], rank, tag)
            for rank in others:
                if send[rank].size:
                    exchange.sending[rank] = comm.Isend(send[rank], rank, tag)
        return exchange

    def test(self, exchange: _Exchange) -> bool:
        """Return whether an exchange is complete; this also moves all messages on."""
        with self._noticing_losses():
            requests = [*exchange.receiving.values(), *exchange.sending.values()]
            done = self._mpi.Request.Testall(requests)
        if done:
            self._under_way.discard(exchange)
        return bool(done)

    def wait(self, exchange: _Exchange, patience: float | None) -> None:
        """Wait for an exchange; at first poll without pause, because polling moves messages on."""
        began = time.monotonic()
        limit, eager = patience or self._timeout, _EAGER + exchange.nbytes / _SLOWEST
        while not self.test(exchange):
            now = time.monotonic()
            time.sleep(0 if now - began < eager else _PAUSE)
            asked = self._asked_to_end if patience is None else None
            if asked is not None and now - max(began, asked) > _GRACE:
                raise LostProcessError("a process has ended or was asked to end", has_ended=False)
            if now - began > limit:
                requests = (*exchange.receiving.items(), *exchange.sending.items())
                silent = sorted({rank for rank, request in requests if not request.Test()})
                raise LostProcessError(
                    f"process {', '.join(map(str, silent)) or '?'} has not answered for "
                    f"{limit:g} seconds",
                    has_ended=False,
                )

    def shrink(self) -> None:
        try:
            self._comm = self._comm.Shrink()
        except self._mpi.Exception as error:
            raise self._lost(f"the processes that are left could not be joined: {error}") from error

    def end_soon(self) -> None:
        self._asked_to_end = self._asked_to_end or time.monotonic()

    def abort(self, status: int) -> None:
        self._comm.Abort(status)

    def _end(self) -> None:
        """End the program without ``MPI_Finalize`` where a process was lost.

        Open MPI's waits for the lost process in about one of five cases, and lets no other thread
        of Python run that could end it.
        """
        if self._mpi.Is_finalized() or not (self._has_lost or self._knows_of_failures()):
            return
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(1 if hasattr(sys, "last_value") else self.status)

    def _knows_of_failures(self) -> bool:
        return self.can_shrink and bool(self._comm.Get_failed().size)

    @contextmanager
    def _noticing_losses(self) -> Iterator[None]:
        """Raise an error of MPI in the ``with`` block as the loss of a process."""
        try:
            yield
        except self._mpi.Exception as error:
            raise self._lost(f"a process has ended ({error})") from error

    def _lost(self, what: str) -> LostProcessError:
        """Notify the other processes of the failure, and return the error to raise."""
        self._has_lost = True
        if self.can_shrink and not self._comm.Is_revoked():
            self._comm.Revoke()
        return LostProcessError(what)


class _Exchange:
    """Messages under way between this process and the others; see `Exchange`."""

    def __init__(self, communicator: MPICommunicator, arrays: Sequence[Array]) -> None:
        self._communicator, self._arrays = communicator, arrays
        self.receiving: dict[int, Any] = {}
        """Request of the message from each process."""
        self.sending: dict[int, Any] = {}
        """Request of the message to each process."""

    @property
    def nbytes(self) -> int:
        """Number of bytes that are sent and received."""
        return sum(array.nbytes for array in self._arrays)

    def is_complete(self) -> bool:
        return self._communicator.test(self)

    def wait(self, patience: float | None = None) -> None:
        self._communicator.wait(self, patience)
