"""The batch last in memory.

An array of images has the shape (N, C, H, W) and lies in memory as (C, H, W, N): NumPy's inner
loops then run over images, in contiguous memory. What has the one shape is a transposed view of
what has the other.
"""

from __future__ import annotations

import numpy as np

from pellucid.types import Array, DType, Shape

_IMAGES = 8
"""How many are turned at a time. They often lie a power of two apart, and a cache holds only as
many lines at such distances as it has ways: with all images at once, copying took up to five times
as long."""


def batch_last(x: Array) -> Array:
    """Return `x` (N, …) as it lies in memory, (…, N), contiguous; copied only if it lies otherwise.

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
    """Return `memory` (…, N) seen as (N, …)."""
    return memory.transpose(-1, *range(memory.ndim - 1))


def empty(shape: Shape, dtype: DType) -> Array:
    """Return a new array of `shape` (N, …), the batch last in memory."""
    return batch_first(np.empty((*shape[1:], shape[0]), dtype))


def full(shape: Shape, value: float, dtype: DType) -> Array:
    """Return a new array of `shape` (N, …) that holds `value`, the batch last in memory."""
    return batch_first(np.full((*shape[1:], shape[0]), value, dtype))


def zeros(shape: Shape, dtype: DType) -> Array:
    """Return a new array of `shape` (N, …) that holds 0, the batch last in memory."""
    return batch_first(np.zeros((*shape[1:], shape[0]), dtype))
