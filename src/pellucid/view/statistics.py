"""Statistics over all images of a data set, for its picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.errors import DataError, ShapeError
from pellucid.stored import blocks_of
from pellucid.types import Array

_BINS = 64
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sums over all images of a data set, in float64.

    Attributes
    ----------
    classes, counts
        Names of the classes, and numbers of their images.
    mean, std, class_means
        Statistics of each pixel: (C, H, W), (C, H, W) and (classes, C, H, W). The mean of no images
        is 0.
    shares, edges
        Share of a channel's pixels in each bin, (C, bins), and edges of the bins, (bins + 1,).
    black, white
        Values shown as black and white.
    """

    classes: tuple[str, ...]
    counts: Array
    mean: Array
    std: Array
    class_means: Array
    shares: Array
    edges: Array
    black: float
    white: float

    def scaled(self, image: Array) -> Array:
        """Return an image with its values between 0, black, and 1, white."""
        return np.asarray((image - self.black) / (self.white - self.black))


def statistics(images: Array, labels: Array, classes: tuple[str, ...]) -> Statistics:
    """Compute the statistics of a data set's images, after checking the data.

    >>> found = statistics(np.array([[[[0, 255]]]], np.uint8), np.array([0]), ("a",))
    >>> found.mean, found.white
    (array([[[  0., 255.]]]), 255.0)
    """
    _check(images, labels, classes)
    N, C, H, W = images.shape
    ends = [(float(block.min()), float(block.max())) for block in blocks_of(images)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    black, white = _range(images.dtype.kind in "ui", low, high)
    edges = np.linspace(min(low, black), max(high, white), _BINS + 1)
    if images.dtype == np.uint8:
        edges = np.arange(0, 257, 256 / _BINS)
    sums, squares = np.zeros((len(classes), C, H, W)), np.zeros((C, H, W))
    bins = np.zeros((C, _BINS))
    for start in range(0, N, _BLOCK):
        x = images[start : start + _BLOCK].astype(np.float64)
        np.add.at(sums, labels[start : start + _BLOCK], x)
        squares += np.einsum("nchw,nchw->chw", x, x)
        for channel in range(C):
            bins[channel] += np.histogram(x[:, channel], edges)[0]
    counts = np.bincount(labels, minlength=len(classes))
    mean = sums.sum(axis=0) / N
    return Statistics(
        classes,
        counts,
        mean,
        np.sqrt(np.maximum(squares / N - mean**2, 0.0)),
        sums / np.maximum(counts, 1)[:, None, None, None],
        bins / bins.sum(axis=1, keepdims=True),
        edges,
        black,
        white,
    )


def _check(images: Array, labels: Array, classes: tuple[str, ...]) -> None:
    if images.ndim != 4 or not images.size or labels.shape != images.shape[:1]:
        raise ShapeError(
            "a picture of a data set needs images (N, C, H, W) and one label for each, got shapes "
            f"{images.shape} and {labels.shape}"
        )
    if labels.dtype.kind not in "ui" or labels.min() < 0 or labels.max() >= len(classes):
        raise DataError(
            f"labels are class numbers, 0 to {len(classes) - 1} for {len(classes)} classes, "
            f"got {labels.min()} to {labels.max()} ({labels.dtype})"
        )
    if not all(np.isfinite(block).all() for block in blocks_of(images)):
        raise DataError("the images hold NaN or infinity")


def _range(whole: bool, low: float, high: float) -> tuple[float, float]:
    """Return the values of black and white."""
    if low >= 0 and high <= 1 and not whole:
        return 0.0, 1.0
    if low >= 0 and high <= 255:
        return 0.0, 255.0
    return low, high if high > low else low + 1.0
