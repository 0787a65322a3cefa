"""Make the batches of an epoch from data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from pellucid import ops
from pellucid.errors import DataError, ShapeError
from pellucid.parallel import Team
from pellucid.parallel.shards import cut
from pellucid.preprocessing import Preprocessing
from pellucid.randomness import generator
from pellucid.stored import StoredImages, parts_of
from pellucid.types import Array, DType, Generator

Batch = tuple[Array, Array] | tuple[Array, Array, Array]
"""Inputs, targets (class numbers (N,), or values for every output), and optionally weights (N,)."""


@runtime_checkable
class Labelled(Protocol):
    """A data set: stored images (N, C, H, W), labels (N,), and the names of the classes."""

    @property
    def images(self) -> Array: ...
    @property
    def labels(self) -> Array: ...
    @property
    def classes(self) -> tuple[str, ...]: ...


@runtime_checkable
class Batches(Protocol):
    """An object that yields batches, which are used unchanged.

    `batches` must yield as many as `len` says, and the same ones for the same (epoch, seed), so
    that an interrupted run can continue exactly.
    """

    def __len__(self) -> int: ...
    def batches(self, epoch: int, seed: int) -> Iterator[Batch]: ...


@runtime_checkable
class Divided(Protocol):
    """A data set with a training part, and optionally a validation and a test part."""

    @property
    def train(self) -> Any: ...
    @property
    def validation(self) -> Any: ...
    @property
    def test(self) -> Any: ...


Data = Labelled | Batches | tuple[Array, Array] | tuple[Array, Array, Array]
"""A data set, arrays (inputs, targets) or (inputs, targets, weights), or an object with batches."""


class Augmentation(Protocol):
    """A function that randomly changes a batch of stored images, and possibly its targets."""

    def __call__(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]: ...
    def describe(self) -> Any: ...


def augmentation(given: Augmentation | str | None) -> Augmentation | None:
    """Return an augmentation unchanged, or the one that text such as ``"crop,flip"`` describes."""
    if isinstance(given, str):
        from pellucid.data import augment  # imported only to look up a name

        return augment.parse(given)
    if given is not None and (isinstance(given, type) or not callable(given)):
        raise DataError(
            "augment must be an augmentation of pellucid.data.augment, or text such as "
            f"'crop,flip', not {given!r}"
        )
    return given


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
            return self.augment(images, targets, source, self.classes)

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
            mine = {shard: _taken(batch, shards[shard]) for shard in team.mine(len(shards))}
            yield Sharded(len(batch[0]), len(shards), mine)

    def in_order(self) -> Iterator[Batch]:
        return self.shuffled(epoch=0, seed=0)

    def plain(self, steps: Iterable[int]) -> Iterator[Batch]:
        wanted = set(steps)
        batches = enumerate(self.in_order())
        return (batch for step, batch in batches if step in wanted)


def _taken(batch: Batch, samples: slice) -> Batch:
    x, targets, *weights = batch
    if not weights:
        return x[samples], targets[samples]
    return x[samples], targets[samples], weights[0][samples]


def arrays(data: Data, what: str) -> tuple[Array, Array] | None:
    """Return the inputs and targets of `data` after checking them; None for `Batches`."""
    if isinstance(data, Labelled):
        stored = isinstance(data.images, StoredImages)
        x = data.images if stored else np.asarray(data.images)
        targets = np.asarray(data.labels)
        if x.ndim != 4:
            raise ShapeError(f"the images of the {what} must be (N, C, H, W), not {x.shape}")
    elif isinstance(data, tuple) and len(data) in (2, 3):
        x, targets = np.asarray(data[0]), np.asarray(data[1])
    elif isinstance(data, Batches):
        if len(data) == 0:
            raise DataError(f"the {what} is empty: it yields no batches")
        return None
    else:
        raise DataError(_no_data(data, what))
    if x.ndim == 0 or targets.ndim == 0 or len(x) != len(targets):
        raise ShapeError(
            f"the {what} needs one target for each input, "
            f"got inputs of shape {x.shape} and targets of shape {targets.shape}"
        )
    if len(x) == 0:
        raise DataError(f"the {what} is empty")
    check_finite(x, f"inputs of the {what}")
    if targets.dtype.kind in "US":
        raise DataError(
            f"the targets of the {what} are text, such as {str(targets.flat[0])!r}; "
            "convert them to class numbers with pellucid.data.from_arrays(images, labels)"
        )
    check_finite(targets, f"targets of the {what}")
    return x, targets if _is_real(targets) else targets.astype(np.int64, casting="safe")


def part_of(data: Any, part: Literal["train", "validation", "test"], what: str) -> Any:
    """Return `part` of a data set with parts; other data unchanged."""
    if not isinstance(data, Divided) or isinstance(data, Labelled):
        return data
    if (found := getattr(data, part)) is None:
        raise DataError(f"the {what} has no {part} part; pass the part to use")
    return found


def sample_weights(data: Data, what: str) -> Array | None:
    """Return the checked weights of the samples of `data`, or None."""
    if not isinstance(data, tuple) or len(data) < 3:
        return None
    weights, count = np.asarray(data[2]), len(data[0])
    if weights.shape != (count,):
        raise ShapeError(
            f"the {what} needs one weight for each of {count} inputs, ({count},), "
            f"got weights of shape {weights.shape}"
        )
    check_finite(weights, f"weights of the {what}")
    if not (weights > 0).all():
        raise DataError(
            f"the weights of the {what} must be positive, but number {(weights > 0).argmin()} is "
            f"{weights.min():g}; omit samples that should not count"
        )
    return weights.astype(np.float64)


def _no_data(data: Any, what: str) -> str:
    if isinstance(data, str):
        return f"the {what} is the text {data!r}; load it first: pellucid.data.load({data!r})"
    if isinstance(data, np.ndarray):
        return f"the {what} is a single array; pass a pair (inputs, targets)"
    if isinstance(data, float):
        return f"the {what} is the number {data}; split the data first: data.split({data})"
    return (
        f"the {what} must be a data set (images, labels, classes), a tuple of arrays (inputs, "
        "targets) or (inputs, targets, weights), or an object with batches(epoch, seed), "
        f"not {type(data).__name__}"
    )


def check_no_pixels(x: Any, what: str) -> None:
    """Raise an error for raw pixels, which would be far too large as inputs."""
    if x.dtype == np.uint8 and x.ndim == 4:
        raise DataError(
            f"the {what} are pixels from 0 to 255 (uint8), which a model without preprocessing "
            "would take unchanged; scale them, np.float32(x / 255), or train on "
            "pellucid.data.from_arrays(x, labels), whose images are standardised"
        )


def check_finite(values: Array, what: str) -> None:
    """Raise an error if one of `values` (N, …) is NaN or infinite."""
    if not (_is_real(values) or np.issubdtype(values.dtype, np.integer) or values.dtype == bool):
        raise DataError(f"the {what} must be numbers, not of type {values.dtype}")
    if not _is_real(values):
        return
    for start in range(0, len(values), 1024):
        good = np.isfinite(values[start : start + 1024])
        if not good.all():
            n, *_ = np.argwhere(~good)[0]
            raise DataError(f"the {what} contain NaN or infinity, first at number {start + n}")


def _is_real(values: Array) -> bool:
    return np.issubdtype(values.dtype, np.floating)
