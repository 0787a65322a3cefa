"""Random changes of brightness and contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.data.augment.base import Augmentation, as_type_of, check_range, value_range
from pellucid.types import Array, Generator


@dataclass(frozen=True)
class Brightness(Augmentation):
    """``y = low + b·(x − low)``, with b from 1 − amount to 1 + amount for each image.

    `low` is black: 0 for integers, otherwise the lowest value of the batch. The result is clipped
    to the range of the images.

    >>> images = np.full((1, 1, 1, 2), 100, np.uint8)
    >>> Brightness(0.5)(images, np.array([0]), np.random.default_rng(0), 1)[0].ravel()
    array([114, 114], dtype=uint8)
    """

    amount: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("the amount of Brightness", self.amount, 0, 1)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        factor = _factors(self.amount, images, generator)
        low, _ = value_range(images)
        return _stretched(images, factor, low), targets


@dataclass(frozen=True)
class Contrast(Augmentation):
    """``y = m + c·(x − m)``, with m the mean of the image and c from 1 − amount to 1 + amount.

    The result is clipped to the range of the images.

    >>> images = np.array([90, 110], np.uint8).reshape(1, 1, 1, 2)
    >>> Contrast(0.5)(images, np.array([0]), np.random.default_rng(0), 1)[0].ravel()
    array([ 89, 111], dtype=uint8)
    """

    amount: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("the amount of Contrast", self.amount, 0, 1)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        factor = _factors(self.amount, images, generator)
        ordered = np.ascontiguousarray(images)  # sums are rounded in the order in memory
        mean = ordered.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64).astype(factor.dtype)
        return _stretched(images, factor, mean), targets


def _factors(amount: float, images: Array, generator: Generator) -> Array:
    """Return one factor per image, (N, 1, 1, 1)."""
    dtype = np.result_type(images.dtype, np.float32)
    drawn = generator.uniform(1 - amount, 1 + amount, (len(images), 1, 1, 1))
    return np.asarray(drawn.astype(dtype))


def _stretched(images: Array, factor: Array, centre: Array | float) -> Array:
    """Return ``centre + factor·(x − centre)`` inside the range of `images`."""
    y = images * factor
    y += centre * (1 - factor)
    return as_type_of(images, np.clip(y, *value_range(images), out=y))
