"""From pixels as they are stored to the numbers that a network sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.arguments import shown
from pellucid.errors import FileError, ShapeError
from pellucid.stored import blocks_of
from pellucid.types import Array


@dataclass(frozen=True)
class Preprocessing:
    """Per channel c: ``(x − mean[c]) / scale[c]``.

    It is computed from the training images alone and travels inside the saved model.

    >>> Preprocessing(mean=(127.5,), scale=(127.5,))(np.full((1, 1, 1, 1), 255)).item()
    1.0
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = all(map(math.isfinite, self.mean + self.scale))
        if len(self.mean) != len(self.scale) or not numbers or not all(s > 0 for s in self.scale):
            raise ShapeError("preprocessing needs one mean and one positive scale per channel")

    @classmethod
    def fit(cls, images: Array, weights: Array | None = None) -> Preprocessing:
        """Return the channel means and standard deviations of `images` (N, C, H, W).

        With `weights`, one for each image, twice the weight is the same as having the image twice.
        A channel that never changes gets scale 1. Sums run over blocks of images in float64, so
        that no copy of the data set is made; images on the disk are read once.
        """
        if images.ndim != 4 or images.size == 0:
            raise ShapeError(
                "preprocessing is fitted to images (N, C, H, W), at least one, "
                f"not to an array of shape {images.shape}"
            )
        pixels = images.shape[2] * images.shape[3]
        count = (len(images) if weights is None else weights.sum()) * pixels
        total = np.zeros(images.shape[1])
        squares = np.zeros(images.shape[1])
        start = 0
        for stored in blocks_of(images):
            block = stored.astype(np.float64)
            weighted = block
            if weights is not None:
                weighted = block * weights[start : start + len(block), None, None, None]
            start += len(block)
            total += weighted.sum(axis=(0, 2, 3))
            squares += np.einsum("nchw,nchw->c", weighted, block)
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
        std[std < 1e-6 * np.maximum(1.0, abs(mean))] = 1.0
        return cls(tuple(map(float, mean)), tuple(map(float, std)))

    def __call__(self, images: Array, dtype: Any = np.float32) -> Array:
        """Return the preprocessed images, laid out in memory as `images` are."""
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
        """Return (factor, offset), one per channel: it is ``x · factor[c] + offset[c]``."""
        factor = 1.0 / np.array(self.scale)
        return factor.astype(dtype), (-np.array(self.mean) * factor).astype(dtype)

    def describe(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"mean": list(self.mean), "scale": list(self.scale)}

    @classmethod
    def from_description(cls, description: Any) -> Preprocessing:
        """Return what `describe` described."""
        try:
            mean, scale = description["mean"], description["scale"]
            return cls(tuple(map(float, mean)), tuple(map(float, scale)))
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise FileError(f"not a preprocessing: {shown(description)}") from error
