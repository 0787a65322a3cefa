"""Processes that train one model together."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from pellucid.errors import PellucidError
from pellucid.parallel.communicator import Alone, Communicator
from pellucid.parallel.pending import Pending, Rounds
from pellucid.parallel.shards import SHARDS, divided
from pellucid.parallel.spent import Spent
from pellucid.parallel.tree import TreeSum, nodes
from pellucid.runtime.workspace import empty
from pellucid.types import Array, DType

T = TypeVar("T")

_BUCKET = 512 << 10
"""Size in bytes beside which the latency of its messages is short."""

_SMALL = 16 << 10
"""Size in bytes up to which every process receives all parts: one message instead of two."""


def check_number(processes: int, shards: int) -> None:
    """Raise an error if there are fewer shards than processes."""
    if shards < 1:
        raise PellucidError(f"a batch has at least 1 shard, not {shards}")
    if processes > shards:
        raise PellucidError(
            f"{processes} processes share {shards} shards, so that some have nothing to do; "
            f"start at most {shards} processes, or begin a run with --shards {processes}"
        )


class Team:
    """Processes that train one model together, all running the same program.

    Parameters
    ----------
    communicator
        Connection between the processes. By default the team consists of this process only.
    shards
        Number of shards per batch. Results depend on this number but not on the number of
        processes, which must not exceed it. Default: 8.
    sync_batch_norm
        Whether batch normalisation uses the statistics of the whole batch in training instead of
        those of a shard; see `pellucid.execution.lockstep`. It takes more time and memory.
        Default: False.

    Examples
    --------
    >>> team = Team(shards=4)
    >>> team.rank, team.size, team.leads
    (0, 1, True)
    """

    def __init__(
        self,
        communicator: Communicator | None = None,
        shards: int = SHARDS,
        sync_batch_norm: bool = False,
    ) -> None:
        self.communicator: Communicator = communicator or Alone()
        self.shards, self.sync_batch_norm = shards, sync_batch_norm
        self.bucket_bytes = _BUCKET
        """Size from which gradients are exchanged, as a bucket; results do not depend on it."""
        self._spent = Spent(socket.gethostname())
        self.spent: list[Spent] = []
        """Time spent by each process in the last epoch, by rank."""
        self.ends = False
        """Whether any process was asked to end; all of them then end after the same step."""
        self._asked_to_end = False
        check_number(self.size, shards)

    @property
    def rank(self) -> int:
        """The rank of this process, counted from 0."""
        return self.communicator.rank

    @property
    def size(self) -> int:
        """The number of processes."""
        return self.communicator.size

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and prints messages (rank 0)."""
        return self.rank == 0

    def mine(self, shards: int) -> range:
        """Return the numbers of the shards, out of `shards`, that this process computes."""
        return divided(shards, self.size)[self.rank]

    def sum(self, known: TreeSum, shards: int, length: int, dtype: DType) -> Array:
        """Return the sum of the arrays of all shards; see `start_sum`."""
        return self.start_sum(known, shards, length, dtype).wait()

    def start_sum(
        self, known: TreeSum, shards: int, length: int, dtype: DType, channel: int = 0
    ) -> Pending[Array]:
        """Start to compute the sum of the arrays (length,) of all shards, in all processes.

        Each process computes one segment of the sum, in the order defined by `TreeSum`, and sends
        it to all others. Like an optimal all-reduce, this transfers about twice the size of the
        array per process, for any number of processes.

        Parameters
        ----------
        known
            Partial sum over this process's shards. Its arrays may be overwritten.
        shards
            Total number of shards.
        length, dtype
            Length and type of the arrays.
        channel
            Distinguishes sums that are under way at the same time; see `Communicator.start`.
        """
        return Pending(self._summing(known, shards, length, dtype, channel))

    def _summing(
        self, known: TreeSum, shards: int, length: int, dtype: DType, channel: int
    ) -> Rounds[Array]:
        if self.size == 1:
            return known.result
        small = length * np.dtype(dtype).itemsize <= _SMALL
        parts = [range(length)] * self.size if small else divided(length, self.size)
        segments = [slice(part.start, part.stop) for part in parts]
        whose = [nodes(mine, shards) for mine in divided(shards, self.size)]
        own = [values for _, values in sorted(known.parts.items(), key=lambda item: item[0])]
        send = [_joined([values[segment] for values in own], dtype) for segment in segments]
        width = len(parts[self.rank])
        received = [empty((len(found), width), dtype) for found in whose]
        yield self.communicator.start(send, received, 2 * channel)
        total = TreeSum(shards)
        for found, rows in zip(whose, received, strict=True):
            for node, values in zip(found, rows, strict=True):
                total.add(node, values)
        if small:
            return total.result
        whole = empty((length,), dtype)
        segment = np.ascontiguousarray(total.result)
        by_rank = [whole[part] for part in segments]
        yield self.communicator.start([segment] * self.size, by_rank, 2 * channel + 1)
        return whole

    def all_rows(self, rows: Array, shards: int) -> Array:
        """Return one row per shard, (shards, L), given the rows of this process's shards."""
        if self.size == 1:
            return rows
        found = np.empty((shards, rows.shape[1]), rows.dtype)
        parts = [found[part.start : part.stop] for part in divided(shards, self.size)]
        self._swap([np.ascontiguousarray(rows)] * self.size, parts)
        return found

    def end_soon(self, hurry: bool = False) -> None:
        """Make all processes end after the same step. Call this in a process that was asked to end.

        Parameters
        ----------
        hurry
            Whether this process will be killed soon, so that it cannot wait for slow processes.
        """
        self._asked_to_end = True
        if hurry:
            self.communicator.end_soon()

    def part(self, patience: float) -> None:
        """Wait up to `patience` seconds for the other processes to finish."""
        nothing = [np.zeros(1, np.uint8)] * self.size
        self._swap(nothing, [np.zeros(1, np.uint8) for _ in nothing], patience)

    def meet(self, failed: bool) -> bool:
        """Synchronise all processes, and return whether any of them has failed."""
        return self.start_meeting(failed).wait()

    def start_meeting(self, failed: bool = False) -> Pending[bool]:
        """Start to find out whether any process has failed, which is known once all have started.

        It is also found out whether any of them was asked to end, see `ends`.
        """
        return Pending(self._meeting(failed))

    def _meeting(self, failed: bool) -> Rounds[bool]:
        mine = np.array([failed, self._asked_to_end], np.uint8)
        answers = np.zeros((self.size, 2), np.uint8)
        yield self.communicator.start([mine] * self.size, list(answers))
        self.ends = bool(answers[:, 1].any())
        return bool(answers[:, 0].any())

    def gather_bytes(self, data: bytes, patience: float | None = None) -> list[bytes]:
        """Return the `data` of every process, by rank."""
        if self.size == 1:
            return [data]
        sizes = [np.zeros(1, np.int64) for _ in range(self.size)]
        self._swap([np.array([len(data)])] * self.size, sizes, patience)
        received = [np.empty(int(size[0]), np.uint8) for size in sizes]
        self._swap([np.frombuffer(data, np.uint8)] * self.size, received, patience)
        return [array.tobytes() for array in received]

    def gather(self, item: Any, patience: float | None = None) -> list[Any]:
        """Return the `item` of every process, by rank; items must be JSON-serialisable."""
        if self.size == 1:
            return [item]
        return [json.loads(data) for data in self.gather_bytes(json.dumps(item).encode(), patience)]

    def together(self, action: Callable[[], T]) -> T:
        """Run `action` in all processes and return its local result; a failure in one fails all.

        Raises
        ------
        PellucidError
            `action` failed in another process; the message names the process and its error.
        """
        failed: Exception | None = None
        try:
            found = action()
        except Exception as error:
            failed = error
        messages = self.gather(None if failed is None else f"{failed}", patience=math.inf)
        if all(message is None for message in messages):
            return found
        names = self._names(math.inf)
        if failed is not None and (
            len(set(messages)) == 1 or not isinstance(failed, PellucidError)
        ):
            raise failed
        first = next(number for number, message in enumerate(messages) if message is not None)
        speaker = f"{names[first]}: " if first else ""  # rank 0 reports without a prefix
        raise PellucidError(f"{speaker}{messages[first]}") from failed

    def in_turn(self, action: Callable[[], T]) -> T:
        """Like `together`, but rank 0 runs first, so that the others find the files it wrote."""
        ahead = self.together(lambda: [action()] if self.leads else [])
        behind = self.together(lambda: [] if self.leads else [action()])
        return [*ahead, *behind][0]

    def check_same(self, facts: Mapping[str, str], patience: float | None = None) -> None:
        """Raise an error in all processes if `facts` are not the same in all of them."""
        gathered = self.gather(dict(facts), patience)
        for process, found in zip(self._names(patience), gathered, strict=True):
            for name, value in gathered[0].items():
                if found[name] != value:
                    raise PellucidError(
                        f"{process} has another {name} than process 0: "
                        f"{found[name]:.200}, not {value:.200}"
                    )

    def measure(self, started: float, computed: float, met: float) -> None:
        """Add the times of a step to `Spent`. Call this at the end of the step.

        Parameters
        ----------
        started, computed, met
            Values of `perf_counter` when the step began, when this process had computed its shards,
            and when all processes had.
        """
        self._spent.steps += 1
        self._spent.compute += computed - started
        self._spent.wait += met - computed
        self._spent.exchange += perf_counter() - met

    def end_epoch(self) -> None:
        """Gather the times of all processes into `spent`, and reset them for the next epoch."""
        self.spent = [Spent(**spent) for spent in self.gather(asdict(self._spent))]
        self._spent = Spent(self._spent.host)

    def _swap(
        self, send: Sequence[Array], receive: Sequence[Array], patience: float | None = None
    ) -> None:
        """Send an array to each process and receive one from each."""
        self.communicator.start(send, receive).wait(patience)

    def _names(self, patience: float | None) -> list[str]:
        """Return a name for each process: its rank, and its host if there are several hosts."""
        hosts = self.gather(socket.gethostname(), patience)
        several = len(set(hosts)) > 1
        return [f"process {n}" + f" on {host}" * several for n, host in enumerate(hosts)]


def _joined(arrays: Sequence[Array], dtype: DType) -> Array:
    """Concatenate arrays; a single one is returned without a copy if it is contiguous."""
    if len(arrays) == 1:
        return np.ascontiguousarray(arrays[0])
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)
