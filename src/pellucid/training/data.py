"""Training data as the user gives it: its kinds, and its checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from pellucid.arguments import shown
from pellucid.errors import DataError, ShapeError
from pellucid.stored import StoredImages
from pellucid.types import Array, Generator

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


Targets = Array | Sequence[Any]
"""Class numbers (N,), or values for every output."""


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


def with_targets(data: Any, targets: Any) -> Any:
    """Return (data, targets) if targets are given, as in ``fit(model, x, y)``; else the data.

    Raises
    ------
    DataError
        The data has targets already, or `targets` is something else in their place.
    """
    if targets is None:
        return data
    if not isinstance(targets, np.ndarray | Sequence) or isinstance(targets, str):
        raise DataError(
            f"the argument after the data holds the targets, an array, not {shown(targets)}; "
            "all other arguments are named, as in optimizer='adam' or validation=data"
        )
    if isinstance(data, Labelled | Batches | Divided | tuple):
        raise DataError("the data has targets already; pass targets only after an array of inputs")
    return data, targets


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
    return x, targets if _is_real(targets) else targets.astype(np.int64)


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
        return f"the {what} is a single array, without targets; pass both: model, inputs, targets"
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
