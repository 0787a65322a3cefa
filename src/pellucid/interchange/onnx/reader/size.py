"""Shape arithmetic with an unknown batch size N."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from pellucid.errors import PellucidError
from pellucid.types import Array, Shape


@dataclass(frozen=True)
class Batch:
    """``multiple · N``, where N ≥ 1 is the unknown number of images.

    Networks compute with their shapes, as in ``x.reshape(x.shape[0], -1)``. NumPy handles a `Batch`
    as an element of an object array, so the same functions evaluate shapes and numbers.

    >>> 6 * Batch() // 2
    3·N
    >>> Batch(6) // Batch(2)
    3
    """

    multiple: int = 1

    def __mul__(self, other: Any) -> Batch:
        if isinstance(other, Batch):
            raise PellucidError("the batch size is multiplied by itself")
        return Batch(self.multiple * int(other))

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Batch:
        if isinstance(other, Batch):
            return Batch(self.multiple + other.multiple)
        if other == 0:
            return self
        raise PellucidError("a number is added to the batch size")

    __radd__ = __add__

    def __floordiv__(self, other: Any) -> Any:
        divisor = other.multiple if isinstance(other, Batch) else int(other)
        if divisor == 0 or self.multiple % divisor:
            raise PellucidError(f"{self} is divided by {other}")
        quotient = self.multiple // divisor
        return quotient if isinstance(other, Batch) else Batch(quotient)

    __truediv__ = __floordiv__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int | float | np.number) and other >= 1:
            raise PellucidError(f"{self} is compared with {other}")
        return isinstance(other, Batch) and self.multiple == other.multiple

    def __hash__(self) -> int:
        return hash(("Batch", self.multiple))

    def __gt__(self, other: Any) -> bool:
        if other < 1:
            return True
        raise PellucidError(f"{self} is compared with {other}")

    def __repr__(self) -> str:
        return "N" if self.multiple == 1 else f"{self.multiple}·N"


Size = int | Batch
Sizes = tuple[Size, ...]


def at(sizes: Any, batch: int) -> Any:
    """Return a size, or a tuple of sizes, for a batch of this many images.

    >>> at((Batch(), 3, 8, 8), 2)
    (2, 3, 8, 8)
    """
    if isinstance(sizes, tuple):
        return tuple(at(size, batch) for size in sizes)
    return sizes.multiple * batch if isinstance(sizes, Batch) else sizes


def between(one: Shape, two: Shape) -> Sizes:
    """Return the sizes that equal `one` for a batch of one image and `two` for a batch of two.

    >>> between((1, 3, 8, 8), (2, 3, 8, 8))
    (N, 3, 8, 8)
    """
    if len(one) != len(two) or any(b not in (a, 2 * a) for a, b in zip(one, two, strict=True)):
        raise PellucidError(
            f"sizes are not proportional to the batch size: {one} for one image, {two} for two"
        )
    return tuple(Batch(a) if b != a else a for a, b in zip(one, two, strict=True))


def same(one: Size, other: Size) -> bool:
    """Return whether two sizes are equal for every batch size."""
    return isinstance(one, Batch) == isinstance(other, Batch) and one == other


def product(sizes: Sequence[Size]) -> Size:
    """Return the product of sizes, of which at most one contains the batch size."""
    numbers = prod(size for size in sizes if not isinstance(size, Batch))
    found: Size = numbers
    for size in sizes:
        if isinstance(size, Batch):
            found = size * found
    return found


def as_array(sizes: Sequence[Any]) -> Array:
    """Return sizes as an array of int64, or of objects if the batch size is among them."""
    return simplified(np.array([*sizes, None], dtype=object)[:-1])


def simplified(array: Array) -> Array:
    """Convert an object array to int64 if the batch size is not among its elements."""
    if array.dtype != object or any(isinstance(item, Batch) for item in array.flat):
        return array
    return array.astype(np.int64)


def has_batch(array: Array) -> bool:
    """Return whether the batch size is among the values."""
    return array.dtype == object
