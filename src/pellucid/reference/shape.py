"""Flatten, concatenate, split and add arrays."""

from __future__ import annotations

import math

import numpy as np

from pellucid.types import Array, Shape


def add_to(x: Array, y: Array) -> Array:
    """Add y to x in place, and return x.

    >>> import numpy as np
    >>> add_to(np.ones(2), np.ones(2))
    array([2., 2.])
    """
    x += y
    return x


def flatten(x: Array) -> Array:
    """Return x (N, …) as (N, D), a view if the batch is last in memory.

    >>> import numpy as np
    >>> flatten(np.zeros((2, 3, 4))).shape
    (2, 12)
    """
    return x.reshape(len(x), math.prod(x.shape[1:]))


def unflatten(y: Array, shape: Shape) -> Array:
    """Return y (N, D) in `shape`."""
    return y.reshape(shape)


def concatenate(arrays: list[Array], axis: int) -> Array:
    """Concatenate arrays along `axis`."""
    return np.concatenate(arrays, axis)


def split(x: Array, ends: list[int], axis: int) -> list[Array]:
    """Split x along `axis` into the pieces that end before each of `ends`: views or copies."""
    return np.split(x, ends[:-1], axis)


def total(arrays: list[Array]) -> Array:
    """Return the sum of arrays of the same shape."""
    first, *others = arrays
    return sum(others, start=first)


def add_bias(x: Array, bias: Array) -> Array:
    """Add a number to each channel of images (N, C, H, W), in place, and return them.

    >>> add_bias(np.zeros((1, 2, 1, 1)), np.array([1.0, 2.0])).ravel()
    array([1., 2.])
    """
    x += bias[:, None, None]
    return x
