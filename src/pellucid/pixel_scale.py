"""The values of the training images, so that images on another scale are noticed.

Pixels are integers from 0 to 255, or the same divided by 255, or standardised. A network that was
trained on one of these and is given another computes nonsense.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid.types import Array

_LOOKED_AT = 256  # of the images to be checked
_BEYOND = 2.0  # pixels so many times larger than the largest of training are on another scale
_LEVELS = 16  # where integers go so far, fractions from 0 to 1 are not nearly black images


@dataclass(frozen=True)
class PixelScale:
    """The smallest and the largest value of the training images, and whether all are integers.

    >>> PixelScale.of(np.array([[[[0.0, 0.5, 1.0]]]]))
    PixelScale(low=0.0, high=1.0, integers=False)
    """

    low: float
    high: float
    integers: bool

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise DataError(f"there are no values from {self.low} to {self.high}")

    @classmethod
    def of(cls, images: Array) -> PixelScale:
        """Return the scale of `images`; integers may be stored as floating-point numbers."""
        whole = _is_integer(images) or bool((images == np.rint(images)).all())
        return cls(float(images.min()), float(images.max()), whole)

    def __or__(self, other: PixelScale) -> PixelScale:
        """Return the scale of the images of both."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        return PixelScale(low, high, self.integers and other.integers)

    def check(self, images: Array) -> None:
        """Raise a `DataError` if `images` are certainly on another scale than the training images.

        These are pixels from 0 to 255 where numbers up to 1, or standardised ones, were trained on,
        and the other way round, fractions from 0 to 1 in the place of integers. Dark images, bright
        ones, and images of 0 and 1 pass. Of many images, the first ones are looked at.
        """
        if self.integers and self.high > 1 and _is_integer(images):
            return
        first = np.asarray(images[:_LOOKED_AT])
        if not first.size:
            return
        given = PixelScale.of(first)
        if self._exceeded_by(first) or self._divided_in(given):
            raise DataError(
                f"the images are {given}, but the model was trained on {self}; "
                f"give it images on the scale of the training images{self._remedy(given)}"
            )

    def _exceeded_by(self, images: Array) -> bool:
        """Return whether most pixels other than 0 are far larger than any of training."""
        if self.high > 1 and (self.integers or self.low >= 0):
            return False
        positive = images[images > 0]
        most = _BEYOND * max(1.0, abs(self.low), abs(self.high))
        return bool(positive.size and np.median(positive) > most)

    def _divided_in(self, given: PixelScale) -> bool:
        """Return whether fractions from 0 to 1 take the place of integers."""
        integers = self.integers and self.low >= 0 and self.high >= _LEVELS
        return integers and not given.integers and given.low >= 0 and given.high <= 1

    def is_divided(self, images: Array) -> bool:
        """Return whether `images` are pixels from 0 to 255, and these divided by 255 trained on."""
        given = np.asarray(images[:_LOOKED_AT])
        return self._is_unit and given.dtype == np.uint8 and self._exceeded_by(given)

    def from_picture(self, picture: Array) -> Array:
        """Return a decoded image file, uint8 from 0 to 255, on the scale of the training images.

        It is divided by 255 if the training images were floating-point numbers from 0 to 1.
        """
        return (picture / 255).astype(np.float32) if self._is_unit else picture

    def to_picture(self, images: Array) -> Array:
        """Return the inverse of `from_picture`: uint8, if the training images were 0 to 1."""
        return np.rint(255 * images.clip(0, 1)).astype(np.uint8) if self._is_unit else images

    @property
    def _is_unit(self) -> bool:
        return not self.integers and self.low >= 0 and 0.5 < self.high <= 1

    def _remedy(self, given: PixelScale) -> str:
        if self._is_unit and given.high <= 255:
            return ", such as np.float32(x / 255)"
        return ", such as x * 255" if self._divided_in(given) and self.high == 255 else ""

    def __str__(self) -> str:
        kind = "integers" if self.integers else "floating-point numbers"
        return f"{kind} from {self.low:.5g} to {self.high:.5g}"

    def describe(self) -> dict[str, Any]:
        """Return the scale as plain data."""
        return {"low": self.low, "high": self.high, "integers": self.integers}

    @classmethod
    def from_description(cls, description: Any) -> PixelScale:
        """Build a scale from the result of `describe`."""
        low, high, integers = (description[key] for key in ("low", "high", "integers"))
        return cls(float(low), float(high), bool(integers))


def _is_integer(images: Array) -> bool:
    return images.dtype.kind in "biu"
