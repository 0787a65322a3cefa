"""Arrays with the batch last in memory.

An array of images has the shape (N, C, H, W), but is stored as (C, H, W, N), so that NumPy's inner
loops run over images in contiguous memory. Each of the two is a transposed view of the other.
"""

from __future__ import annotations

import numpy as np

from pellucid.types import Array, DType, Shape

_IMAGES = 8
"""Number of images that are transposed at a time. Images are often a power of two bytes apart, and
a cache holds only as many lines at such distances as it has ways: transposing all images at once
took up to five times as long."""


def batch_last(x: Array) -> Array:
    """Return `x` (N, …) as (…, N) in contiguous memory; copied only if it is stored otherwise.

    >>> batch_last(np.zeros((2, 3, 4, 5))).shape
    (3, 4, 5, 2)
    """
    turned = x.transpose(*range(1, x.ndim), 0)
    if turned.flags.c_contiguous:
        return turned
    y = np.empty(turned.shape, x.dtype)
    for n in range(0, len(x), _IMAGES):
        y[..., n : n + _IMAGES] = turned[..., n : n + _IMAGES]
    return y


def batch_first(memory: Array) -> Array:
    """Return a view of `memory` (…, N) as (N, …)."""
    return memory.transpose(-1, *range(memory.ndim - 1))


def empty(shape: Shape, dtype: DType) -> Array:
    """Return a new array of `shape` (N, …) with the batch last in memory."""
    return batch_first(np.empty((*shape[1:], shape[0]), dtype))


def full(shape: Shape, value: float, dtype: DType) -> Array:
    """Return a new array of `shape` (N, …) filled with `value`, with the batch last in memory."""
    return batch_first(np.full((*shape[1:], shape[0]), value, dtype))


def zeros(shape: Shape, dtype: DType) -> Array:
    """Return a new array of `shape` (N, …) filled with 0, with the batch last in memory."""
    return batch_first(np.zeros((*shape[1:], shape[0]), dtype))
