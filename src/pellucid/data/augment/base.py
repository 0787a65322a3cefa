"""The base class of augmentations, and their composition."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import descriptions
from pellucid.arguments import as_integer, as_number, make_fields_plain, shown
from pellucid.errors import DataError, FileError, ShapeError
from pellucid.types import Array, Generator

Apply = Callable[[Array, Array, Generator, int], tuple[Array, Array]]
"""A function of (images, targets, generator, classes) that returns new images and targets."""

registry: dict[str, type[Augmentation]] = {}
"""Augmentations by name, the only ones that a description can contain."""


class Augmentation(ABC):
    """Base class of augmentations. Subclasses are frozen dataclasses that define `apply`."""

    def __init_subclass__(cls) -> None:
        registry[cls.__name__] = cls

    def __post_init__(self) -> None:
        make_fields_plain(self)

    def __call__(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        """Return changed images and targets; the arguments are not modified.

        Parameters
        ----------
        images
            Raw images (N, C, H, W) in any range; the result has their type and range.
        targets
            Class numbers (N,), or probabilities (N, classes).
        generator
            Source of all random numbers.
        classes
            Number of classes.
        """
        if images.ndim != 4 or len(targets) != len(images):
            raise ShapeError(
                f"{type(self).__name__} expects images (N, C, H, W) and N targets, "
                f"got {images.shape} and {targets.shape}"
            )
        return self.apply(images, targets, generator, classes)

    def at(self, samples: Array, epoch: int, seed: int) -> Apply:
        """Return the augmentation of one batch of a training run.

        An augmentation that depends on more than random numbers overrides it.

        Parameters
        ----------
        samples
            Numbers of the batch's samples in the data set, (N,).
        epoch, seed
            Number of the epoch, from 0 on, and seed of the run.
        """
        return self

    @abstractmethod
    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        """Implement `__call__`, with arguments that are already checked."""

    def describe(self) -> dict[str, Any]:
        """Return the augmentation as plain data, from which `build` rebuilds it."""
        return descriptions.describe(self)


@dataclass(frozen=True)
class Compose(Augmentation):
    """Apply several augmentations one after the other.

    >>> from pellucid.data.augment import RandomCrop, RandomFlip
    >>> Compose((RandomCrop(4), RandomFlip())).describe()["parts"][0]
    {'type': 'RandomCrop'}
    """

    parts: Sequence[Augmentation]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        for part in self.parts:
            if not isinstance(part, Augmentation):
                raise DataError(f"Compose takes augmentations, not {part!r}")

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        for part in self.parts:
            images, targets = part(images, targets, generator, classes)
        return images, targets

    def at(self, samples: Array, epoch: int, seed: int) -> Apply:
        parts = [part.at(samples, epoch, seed) for part in self.parts]

        def apply(
            images: Array, targets: Array, generator: Generator, classes: int
        ) -> tuple[Array, Array]:
            for part in parts:
                images, targets = part(images, targets, generator, classes)
            return images, targets

        return apply

    def describe(self) -> dict[str, Any]:
        return {"type": "Compose", "parts": [part.describe() for part in self.parts]}


def build(description: Any) -> Augmentation:
    """Build an augmentation from the result of `describe`.

    >>> build({"type": "RandomFlip", "p": 0.25})
    RandomFlip(p=0.25, horizontal=True)
    """
    if isinstance(description, dict) and description.get("type") == "Compose":
        if description.keys() != {"type", "parts"} or not isinstance(description["parts"], list):
            raise FileError("augmentation Compose: expected 'parts', a list, and nothing else")
        return Compose([build(part) for part in description["parts"]])
    return descriptions.build("augmentation", description, registry)


def check_range(what: str, value: float, low: float, high: float = np.inf) -> None:
    """Raise an error unless an argument is a number from `low` to `high`."""
    try:
        if low <= as_number(value) <= high:
            return
    except (TypeError, OverflowError):
        pass
    limits = f"from {low:g} on" if high == np.inf else f"from {low:g} to {high:g}"
    raise DataError(f"{what} must be a number {limits}, not {shown(value)}")


def value_range(images: Array) -> tuple[float, float]:
    """Return the range of pixels: that of an integer type, or the batch's own for floats."""
    if images.dtype.kind in "iu":
        limits = np.iinfo(images.dtype)
        return float(limits.min), float(limits.max)
    return (float(images.min()), float(images.max())) if images.size else (0.0, 0.0)


def check_whole(what: str, value: int, low: int) -> None:
    """Raise an error unless an argument is a whole number from `low` on."""
    check_range(what, value, low)
    try:
        as_integer(value)
    except TypeError:
        raise DataError(f"{what} is a whole number, not {value!r}") from None


def as_type_of(images: Array, values: Array) -> Array:
    """Convert values in the range of the images to their type; for integers, round them."""
    if images.dtype.kind in "iu":
        values = np.rint(values)
    return values.astype(images.dtype, copy=False)
