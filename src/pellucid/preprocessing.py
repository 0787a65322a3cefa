"""Convert stored pixels to network inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.arguments import shown
from pellucid.errors import FileError, ShapeError
from pellucid.pixel_scale import PixelScale
from pellucid.stored import blocks_of
from pellucid.types import Array


@dataclass(frozen=True)
class Preprocessing:
    """Standardise each channel c: ``(x − mean[c]) / scale[c]``.

    It is fitted to the training images only and saved with the model. It remembers the scale of
    their values, so that images on another one, 0 to 1 instead of 0 to 255, are refused.

    Attributes
    ----------
    mean, scale
        One number per channel.
    trained_on
        The smallest and the largest value of the training images, and whether all are integers.
        None if it is not known; then images are not checked.

    Examples
    --------
    >>> Preprocessing(mean=(127.5,), scale=(127.5,))(np.full((1, 1, 1, 1), 255)).item()
    1.0
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    trained_on: PixelScale | None = None

    def __post_init__(self) -> None:
        numbers = all(map(math.isfinite, self.mean + self.scale))
        if len(self.mean) != len(self.scale) or not numbers or not all(s > 0 for s in self.scale):
            raise ShapeError("preprocessing needs one mean and one positive scale per channel")

    @classmethod
    def fit(cls, images: Array, weights: Array | None = None) -> Preprocessing:
        """Return the preprocessing by the means and standard deviations of `images` (N, C, H, W).

        `weights` may give one weight per image; doubling it is the same as duplicating the image. A
        constant channel gets the scale 1. Sums are computed in float64 over blocks of images, so
        the data set is not copied; images on disk are read once.
        """
        if images.ndim != 4 or images.size == 0:
            raise ShapeError(
                "preprocessing needs at least one image, (N, C, H, W), to be fitted to, "
                f"not to an array of shape {images.shape}"
            )
        pixels = images.shape[2] * images.shape[3]
        count = (len(images) if weights is None else weights.sum()) * pixels
        total = np.zeros(images.shape[1])
        squares = np.zeros(images.shape[1])
        start = 0
        trained_on: PixelScale | None = None
        for stored in blocks_of(images):
            own = PixelScale.of(stored)
            trained_on = own if trained_on is None else trained_on | own
            block = stored.astype(np.float64)
            weighted = block
            if weights is not None:
                weighted = block * weights[start : start + len(block), None, None, None]
            start += len(block)
            total += weighted.sum(axis=(0, 2, 3))
            squares += np.einsum("nchw,nchw->c", weighted, block)
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
        std[std <= 1e-6 * abs(mean)] = 1.0  # the channel is constant, up to rounding
        return cls(tuple(map(float, mean)), tuple(map(float, std)), trained_on)

    def __call__(self, images: Array, dtype: Any = np.float32) -> Array:
        """Return the preprocessed images, with the memory layout of `images`."""
        if images.ndim != 4 or images.shape[1] != len(self.mean):
            raise ShapeError(
                f"preprocessing was fitted to {len(self.mean)} channels, "
                f"got images of shape {images.shape}"
            )
        factor, offset = self.affine(dtype)
        y = np.multiply(images, factor[:, None, None], dtype=dtype)
        y += offset[:, None, None]
        return y

    def affine(self, dtype: Any = np.float32) -> tuple[Array, Array]:
        """Return (factor, offset), one per channel, of the form ``x · factor[c] + offset[c]``."""
        factor = 1.0 / np.array(self.scale)
        return factor.astype(dtype), (-np.array(self.mean) * factor).astype(dtype)

    def check(self, images: Array) -> None:
        """Raise a `DataError` if `images` are on another scale than the training images."""
        if self.trained_on is not None:
            self.trained_on.check(images)

    def suited_to(self, images: Array) -> Preprocessing:
        """Return the preprocessing for images on the scale of `images`, so that both give the same.

        Where it was fitted to floating-point numbers from 0 to 1 and `images` are pixels from 0 to
        255 (uint8), it is ``(x/255 − mean)/scale``; otherwise it is as it was fitted.

        Examples
        --------
        >>> fitted = Preprocessing.fit(np.linspace(0, 1, 4).reshape(1, 1, 2, 2))
        >>> fitted.suited_to(np.full((1, 1, 2, 2), 255, np.uint8)).mean
        (127.5,)
        """
        if self.trained_on is None or not self.trained_on.is_divided(images):
            return self
        mean, scale = (tuple(255 * number for number in one) for one in (self.mean, self.scale))
        return Preprocessing(mean, scale, PixelScale(0.0, 255.0, integers=True))

    def from_picture(self, picture: Array) -> Array:
        """Return a decoded image file, uint8 from 0 to 255, on the scale of the training images."""
        return picture if self.trained_on is None else self.trained_on.from_picture(picture)

    def to_picture(self, images: Array) -> Array:
        """Return images as pixels from 0 to 255 if the training images were 0 to 1."""
        return images if self.trained_on is None else self.trained_on.to_picture(images)

    def describe(self) -> dict[str, Any]:
        """Return the preprocessing as plain data."""
        known = {} if self.trained_on is None else {"trained_on": self.trained_on.describe()}
        return {"mean": list(self.mean), "scale": list(self.scale), **known}

    @classmethod
    def from_description(cls, description: Any) -> Preprocessing:
        """Build a preprocessing from the result of `describe`."""
        try:
            mean, scale = description["mean"], description["scale"]
            said = description.get("trained_on")
            trained_on = None if said is None else PixelScale.from_description(said)
            return cls(tuple(map(float, mean)), tuple(map(float, scale)), trained_on)
        except (TypeError, KeyError, ValueError, OverflowError, AttributeError) as error:
            raise FileError(f"not a preprocessing: {shown(description)}") from error
