"""Processes that train one model together."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from pellucid.errors import PellucidError
from pellucid.parallel.communicator import Alone, Communicator
from pellucid.parallel.shards import SHARDS, divided
from pellucid.parallel.tree import TreeSum, nodes
from pellucid.runtime.workspace import empty
from pellucid.types import Array, DType

T = TypeVar("T")

_SMALL = 16 << 10
"""Up to so many bytes everybody is sent everything: then one message is on the way, not two."""


@dataclass
class Spent:
    """Where the time of a process went in an epoch, in seconds.

    Attributes
    ----------
    steps
        How many steps it took part in.
    compute, wait, exchange
        For its shards, until all others had computed theirs, and for adding them up.
    """

    host: str = ""
    steps: int = 0
    compute: float = 0.0
    wait: float = 0.0
    exchange: float = 0.0


def check_number(processes: int, shards: int) -> None:
    """Raise an error if there is not a shard for each process."""
    if shards < 1:
        raise PellucidError(f"a batch has at least 1 shard, not {shards}")
    if processes > shards:
        raise PellucidError(
            f"{processes} processes share {shards} shards, so that some have nothing to do; "
            f"start at most {shards} processes, or begin a run with --shards {processes}"
        )


class Team:
    """Processes that train one model together; each is given the same program.

    Parameters
    ----------
    communicator
        What connects the processes; without one, a process is a team by itself.
    shards
        Into how many shards each batch is cut. The run depends on this number, and not on the
        number of processes, of which there may be as many as there are shards.

    Examples
    --------
    >>> team = Team(shards=4)
    >>> team.rank, team.size, team.leads
    (0, 1, True)
    """

    def __init__(self, communicator: Communicator | None = None, shards: int = SHARDS) -> None:
        self.communicator: Communicator = communicator or Alone()
        self.shards = shards
        self._spent = Spent(socket.gethostname())
        self.spent: list[Spent] = []
        """Where the time of each process went in the last epoch."""
        self.ends = False
        """Whether one of the processes was asked to end, so that all end after the same step."""
        self._asked_to_end = False
        check_number(self.size, shards)

    @property
    def rank(self) -> int:
        """The number of this process, from 0 on."""
        return self.communicator.rank

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self.communicator.size

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and speaks to the user."""
        return self.rank == 0

    def mine(self, shards: int) -> range:
        """Return which of so many shards this process computes."""
        return divided(shards, self.size)[self.rank]

    def sum(self, known: TreeSum, shards: int, length: int, dtype: DType) -> Array:
        """Return the sum over all shards of arrays (length,), of which each process has its own.

        Each process adds up one segment of the sum for all, in the order that the tree gives, and
        sends it to all. That moves as few numbers as an all-reduce can: about twice the array, for
        any number of processes.

        Parameters
        ----------
        known
            The sum of this process's shards. It is used up.
        """
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
        self.communicator.swap(send, received)
        total = TreeSum(shards)
        for found, rows in zip(whose, received, strict=True):
            for node, values in zip(found, rows, strict=True):
                total.add(node, values)
        if small:
            return total.result
        whole = empty((length,), dtype)
        segment = np.ascontiguousarray(total.result)
        self.communicator.swap([segment] * self.size, [whole[part] for part in segments])
        return whole

    def end_soon(self, hurry: bool = False) -> None:
        """Have all processes end after the same step; to be called where one was asked to end.

        Parameters
        ----------
        hurry
            Whether this process is soon ended by force, so that no slow process can be waited for.
        """
        self._asked_to_end = True
        if hurry:
            self.communicator.end_soon()

    def part(self, patience: float) -> None:
        """Wait so many seconds for the others to come to their end too."""
        nothing = [np.zeros(1, np.uint8)] * self.size
        self.communicator.swap(nothing, [np.zeros(1, np.uint8) for _ in nothing], patience)

    def meet(self, failed: bool) -> list[int]:
        """Wait for all at the end of a step's computations; return who has failed in them."""
        mine = np.array([failed, self._asked_to_end], np.uint8)
        told = [np.zeros(2, np.uint8) for _ in range(self.size)]
        self.communicator.swap([mine] * self.size, told)
        self.ends = any(asked for _, asked in told)
        return [number for number, (has_failed, _) in enumerate(told) if has_failed]

    def gather_bytes(self, data: bytes, patience: float | None = None) -> list[bytes]:
        """Return what each process gave, by rank."""
        if self.size == 1:
            return [data]
        sizes = [np.zeros(1, np.int64) for _ in range(self.size)]
        self.communicator.swap([np.array([len(data)])] * self.size, sizes, patience)
        received = [np.empty(int(size[0]), np.uint8) for size in sizes]
        self.communicator.swap([np.frombuffer(data, np.uint8)] * self.size, received, patience)
        return [array.tobytes() for array in received]

    def gather(self, item: Any, patience: float | None = None) -> list[Any]:
        """Return the plain data that each process gave, by rank."""
        if self.size == 1:
            return [item]
        return [json.loads(data) for data in self.gather_bytes(json.dumps(item).encode(), patience)]

    def together(self, action: Callable[[], T]) -> T:
        """Return what `action` returns here; where it fails in one process it fails in all.

        Raises
        ------
        PellucidError
            The process and what it said.
        """
        failed: Exception | None = None
        try:
            found = action()
        except Exception as error:
            failed = error
        said = self.gather(None if failed is None else f"{failed}", patience=math.inf)
        if all(message is None for message in said):
            return found
        names = self._names()
        if failed is not None and (len(set(said)) == 1 or not isinstance(failed, PellucidError)):
            raise failed
        first = next(number for number, message in enumerate(said) if message is not None)
        speaker = f"{names[first]}: " if first else ""  # the first speaks for itself
        raise PellucidError(f"{speaker}{said[first]}") from failed

    def in_turn(self, action: Callable[[], T]) -> T:
        """Do `together`, in one process first, what leaves files behind for the others."""
        ahead = self.together(lambda: [action()] if self.leads else [])
        behind = self.together(lambda: [] if self.leads else [action()])
        return [*ahead, *behind][0]

    def check_same(self, facts: Mapping[str, str]) -> None:
        """Raise an error in all processes if they differ in something that has to be the same."""
        gathered = self.gather(dict(facts), patience=math.inf)
        for process, found in zip(self._names(), gathered, strict=True):
            for name, value in gathered[0].items():
                if found[name] != value:
                    raise PellucidError(
                        f"{process} has another {name} than process 0: "
                        f"{found[name]:.200}, not {value:.200}"
                    )

    def measure(self, started: float, computed: float, met: float) -> None:
        """Note where the time of a step went that is at its end now.

        Parameters
        ----------
        started, computed, met
            When it began, when this process had computed its shards, and when all had.
        """
        self._spent.steps += 1
        self._spent.compute += computed - started
        self._spent.wait += met - computed
        self._spent.exchange += perf_counter() - met

    def end_epoch(self) -> None:
        """Tell each other in `spent` where the time went, and begin anew."""
        self.spent = [Spent(**told) for told in self.gather(asdict(self._spent))]
        self._spent = Spent(self._spent.host)

    def _names(self) -> list[str]:
        """Return what to call each process: its number, and its host where there are several."""
        hosts = self.gather(socket.gethostname(), patience=math.inf)
        several = len(set(hosts)) > 1
        return [f"process {n}" + f" on {host}" * several for n, host in enumerate(hosts)]


def _joined(arrays: Sequence[Array], dtype: DType) -> Array:
    """Return arrays one after the other; one alone as it is."""
    if len(arrays) == 1:
        return np.ascontiguousarray(arrays[0])
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)
