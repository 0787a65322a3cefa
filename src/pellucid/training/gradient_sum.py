"""Sum the gradients of all shards, exchanging them in buckets during the backward pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from pellucid.execution import listening
from pellucid.parallel import Team
from pellucid.parallel.pending import Pending
from pellucid.parallel.tree import TreeSum
from pellucid.parameter import Parameter
from pellucid.runtime.workspace import empty
from pellucid.types import Array, DType

Bucket = Sequence[Parameter]


def buckets(parameters: Sequence[Parameter], full: int) -> Sequence[Bucket]:
    """Divide parameters into buckets, beginning with the last, whose gradients are final first.

    A bucket is full when its parameters take `full` bytes or more.

    >>> wide, narrow = Parameter("w", (100, 10), "zeros"), Parameter("n", (10,), "zeros")
    >>> [[p.name for p in bucket] for bucket in buckets([wide, narrow, narrow, wide], full=4000)]
    [['w'], ['n', 'n', 'w']]
    """
    found: list[list[Parameter]] = []
    free = 0
    for parameter in reversed(parameters):
        if free <= 0:
            found.append([])
            free = full
        found[-1].append(parameter)
        free -= math.prod(parameter.shape) * parameter.dtype.itemsize
    return found


class GradientSum:
    """The sum of the gradients of all shards in one step.

    Each bucket is summed in the order of `TreeSum`, as soon as the last shard of this process has
    its gradients. All processes start with the buckets in the same order.

    Parameters
    ----------
    team
        The processes.
    buckets
        The parameters; see `buckets`.
    shards
        Number of shards of the batch.
    dtype
        Type of the gradients.
    """

    def __init__(self, team: Team, buckets: Sequence[Bucket], shards: int, dtype: DType) -> None:
        self._team, self._buckets, self._shards, self._dtype = team, buckets, shards, dtype
        self._trees = [TreeSum(shards) for _ in buckets]
        self._sums: list[Pending[Array]] = []

    def add(self, shard: int, gradients: Mapping[Parameter, Array], weight: float) -> None:
        """Add the gradients of a shard, times a weight."""
        for bucket, tree in zip(self._buckets, self._trees, strict=True):
            tree.add((0, shard), self._flat(bucket, gradients, weight))

    @contextmanager
    def adding_last(self, shard: int, weight: float, agreed: Pending[bool]) -> Iterator[None]:
        """Add the gradients of the last shard, whose backward pass runs in the ``with`` block.

        Parameters
        ----------
        agreed
            The answer whether a process has failed, before which nothing is sent.
        """
        waiting = {parameter for bucket in self._buckets for parameter in bucket}
        added = 0

        def note(final: Iterable[Parameter]) -> None:
            nonlocal added
            waiting.difference_update(final)
            while added < len(self._buckets) and waiting.isdisjoint(self._buckets[added]):
                gradients = {parameter: parameter.grad for parameter in self._buckets[added]}
                flat = self._flat(self._buckets[added], gradients, weight)
                self._trees[added].add((0, shard), flat)
                added += 1
            if agreed.advance() and not agreed.wait():
                self._start(added)

        with listening(note):
            yield
        note(list(waiting))

    def _start(self, count: int) -> None:
        """Start to sum the first `count` buckets, and move those on that were started before."""
        for pending in self._sums:
            pending.advance()
        for number in range(len(self._sums), count):
            tree, length = self._trees[number], _length(self._buckets[number])
            self._sums.append(
                self._team.start_sum(tree, self._shards, length, self._dtype, 1 + number)
            )

    def give_up(self, shards: Iterable[int]) -> None:
        """Add zeros where gradients of these shards are missing, which the others wait for."""
        for number in range(len(self._sums), len(self._buckets)):
            self._trees[number] = TreeSum(self._shards)
            for shard in shards:
                zeros = np.zeros(_length(self._buckets[number]), self._dtype)
                self._trees[number].add((0, shard), zeros)

    def finish(self, divisor: float) -> None:
        """Replace the gradient of each parameter by the sum, divided by a number."""
        self._start(len(self._buckets))
        for bucket, pending in zip(self._buckets, self._sums, strict=True):
            total, end = pending.wait(), 0
            np.divide(total, divisor, out=total)
            for parameter in bucket:
                start, end = end, end + math.prod(parameter.shape)
                parameter.zero_grad()
                parameter.add_gradient(total[start:end].reshape(parameter.shape))

    def _flat(self, bucket: Bucket, gradients: Mapping[Parameter, Array], weight: float) -> Array:
        """Return the gradients of a bucket, times a weight, as one vector."""
        flat, end = empty((_length(bucket),), self._dtype), 0
        for parameter in bucket:
            start, end = end, end + math.prod(parameter.shape)
            part = flat[start:end].reshape(parameter.shape)
            np.multiply(gradients.get(parameter, 0), weight, out=part, casting="same_kind")
        return flat


def _length(bucket: Bucket) -> int:
    return sum(math.prod(parameter.shape) for parameter in bucket)
