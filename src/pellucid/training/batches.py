"""Make the batches of an epoch from data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np

from pellucid import ops
from pellucid.errors import DataError
from pellucid.parallel import Team
from pellucid.parallel.shards import cut
from pellucid.preprocessing import Preprocessing
from pellucid.randomness import generator
from pellucid.stored import StoredImages, parts_of
from pellucid.training.data import Augmentation, Batch, Batches
from pellucid.types import Array, DType


@dataclass(frozen=True)
class Sharded:
    """The shards of a batch that one process computes.

    Attributes
    ----------
    samples, count
        Numbers of samples and shards of the whole batch.
    mine
        This process's shards by number.
    """

    samples: int
    count: int
    mine: dict[int, Batch]


class Source(Protocol):
    """The source of the training loop's batches."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def shuffled(self, epoch: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """Yield the shuffled batches of an epoch, from number `start` on."""

    def sharded(self, epoch: int, seed: int, start: int, team: Team) -> Iterator[Sharded]:
        """Yield this process's shards of these batches."""

    def in_order(self) -> Iterator[Batch]:
        """Yield all samples in order without augmentation, for validation."""

    def plain(self, steps: Iterable[int]) -> Iterator[Batch]:
        """Yield the samples of some batches without augmentation."""


@dataclass(frozen=True)
class ArraySource:
    """Batches from arrays, shuffled each epoch, augmented and preprocessed, batch last in memory.

    A last batch that is not full is used too, unless it would be a single sample, which joins the
    previous batch because batch normalisation needs more than one.

    >>> x, y = np.zeros((9, 2)), np.arange(9)
    >>> [len(targets) for _, targets in ArraySource(x, y, batch_size=4).shuffled(epoch=0, seed=0)]
    [4, 5]
    """

    x: Array
    targets: Array
    batch_size: int
    preprocessing: Preprocessing | None = None
    augment: Augmentation | None = None
    classes: int = 0
    dtype: DType = np.float32
    weights: Array | None = None

    def __len__(self) -> int:
        full, rest = divmod(len(self.x), self.batch_size)
        return max(full + (rest > 1), 1)

    def shuffled(self, epoch: int, seed: int, start: int = 0) -> Iterator[Batch]:
        order = generator(seed, "shuffle", epoch).permutation(len(self.x))
        parts = [_Part(order[self._samples(step)], step) for step in range(start, len(self))]
        return self._batches(parts, epoch, seed)

    def sharded(self, epoch: int, seed: int, start: int, team: Team) -> Iterator[Sharded]:
        order = generator(seed, "shuffle", epoch).permutation(len(self.x))
        steps = [order[self._samples(step)] for step in range(start, len(self))]
        shards = [cut(len(chosen), team.shards) for chosen in steps]
        mine = [team.mine(len(slices)) for slices in shards]
        parts = [
            _Part(chosen[slices[shard]], step, shard)
            for step, (chosen, slices, own) in enumerate(
                zip(steps, shards, mine, strict=True), start=start
            )
            for shard in own
        ]
        batches = self._batches(parts, epoch, seed)
        for chosen, slices, own in zip(steps, shards, mine, strict=True):
            yield Sharded(len(chosen), len(slices), {shard: next(batches) for shard in own})

    def _batches(self, parts: list[_Part], epoch: int, seed: int) -> Iterator[Batch]:
        """Yield the chosen samples of an epoch as augmented batches."""
        chosen = [part.samples for part in parts]
        if self.augment is None and not isinstance(self.x, StoredImages):
            for samples in chosen:
                x = ops.make_batch(self.x, samples, self.preprocessing, self.dtype)
                yield self._weighted(x, self.targets[samples], samples)
            return

        def augmented(number: int, images: Array) -> tuple[Array, Array]:
            part = parts[number]
            targets = self.targets[part.samples]
            if self.augment is None:
                return images, targets
            source = generator(seed, part.purpose, epoch, part.step)
            change = _at(self.augment, part.samples, epoch, seed)
            return change(images, targets, source, self.classes)

        for samples, (images, targets) in zip(chosen, self._read(chosen, augmented), strict=True):
            x = ops.make_batch(images, None, self.preprocessing, self.dtype)
            yield self._weighted(x, targets, samples)

    def in_order(self) -> Iterator[Batch]:
        return self.plain(range(len(self)))

    def plain(self, steps: Iterable[int]) -> Iterator[Batch]:
        """Yield the samples of some steps without augmentation."""
        parts = [self._samples(step) for step in steps]
        for part, images in zip(parts, parts_of(self.x, parts), strict=True):
            x = ops.make_batch(images, None, self.preprocessing, self.dtype)
            yield self._weighted(x, self.targets[part], part)

    def _read(
        self, chosen: list[Array], then: Callable[[int, Array], tuple[Array, Array]]
    ) -> Iterator[tuple[Array, Array]]:
        """Yield ``then(number, images)`` for each batch, computed ahead in threads."""
        if isinstance(self.x, StoredImages):
            return self.x.read_ahead(chosen, then)
        return (then(number, self.x[part]) for number, part in enumerate(chosen))

    def _weighted(self, x: Array, targets: Array, chosen: Array | slice) -> Batch:
        return (x, targets) if self.weights is None else (x, targets, self.weights[chosen])

    def _samples(self, step: int) -> slice:
        start = step * self.batch_size
        return slice(start, None if step == len(self) - 1 else start + self.batch_size)


def _at(augment: Augmentation, samples: Array, epoch: int, seed: int) -> Augmentation:
    """Return an augmentation for one batch; a function of the user's may have no method `at`."""
    at: Callable[..., Any] | None = getattr(augment, "at", None)
    return augment if at is None else at(samples, epoch, seed)


@dataclass(frozen=True)
class _Part:
    """Samples that are computed together: a batch, or one of its shards."""

    samples: Array
    step: int
    shard: int | None = None

    @property
    def purpose(self) -> str:
        """Purpose of its random numbers."""
        return "augment" if self.shard is None else f"augment shard {self.shard}"


@dataclass(frozen=True)
class GivenSource:
    """Batches from an object of the user, whose number is checked."""

    given: Batches

    def __len__(self) -> int:
        return len(self.given)

    def shuffled(self, epoch: int, seed: int, start: int = 0) -> Iterator[Batch]:
        batches = islice(self.given.batches(epoch, seed), start, None)
        for step in range(start, len(self)):
            try:
                yield next(batches)
            except StopIteration:
                raise DataError(
                    f"the data promised {len(self)} batches per epoch, but yielded only {step}"
                ) from None

    def sharded(self, epoch: int, seed: int, start: int, team: Team) -> Iterator[Sharded]:
        for batch in self.shuffled(epoch, seed, start):
            shards = cut(len(batch[0]), team.shards)
            mine = {shard: taken(batch, shards[shard]) for shard in team.mine(len(shards))}
            yield Sharded(len(batch[0]), len(shards), mine)

    def in_order(self) -> Iterator[Batch]:
        return self.shuffled(epoch=0, seed=0)

    def plain(self, steps: Iterable[int]) -> Iterator[Batch]:
        wanted = set(steps)
        batches = enumerate(self.in_order())
        return (batch for step, batch in batches if step in wanted)


def taken(batch: Batch, samples: slice | Array) -> Batch:
    """Return some samples of a batch; those chosen by number lie in memory with the batch last."""
    x, targets, *weights = batch
    if isinstance(samples, slice):
        x = x[samples]
    else:
        x = np.moveaxis(np.take(np.moveaxis(x, 0, -1), samples, axis=-1), -1, 0)
    if not weights:
        return x, targets[samples]
    return x, targets[samples], weights[0][samples]
