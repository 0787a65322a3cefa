"""Flatten, concatenate, split and add arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pellucid import engine
from pellucid.errors import ShapeError
from pellucid.types import Array, Shape


def add_to(x: Array, y: Array) -> Array:
    """Add y to x in place, and return x."""
    if x.shape != y.shape:
        raise ShapeError(f"add_to needs equal shapes, got {x.shape} and {y.shape}")
    return engine.current(x, y).add_to(x, y)


def concatenate(arrays: Sequence[Array], axis: int) -> Array:
    """Concatenate arrays along `axis`.

    >>> import numpy as np
    >>> concatenate([np.ones((1, 1)), np.zeros((1, 2))], axis=1)
    array([[1., 0., 0.]])
    """
    joined_shape([array.shape for array in arrays], axis)
    return engine.current(*arrays).concatenate(list(arrays), axis)


def split(x: Array, ends: Sequence[int], axis: int) -> list[Array]:
    """Split x along `axis` into the pieces that end before each of `ends`: views or copies.

    >>> import numpy as np
    >>> split(np.array([1, 2, 3]), [1, 3], axis=0)
    [array([1]), array([2, 3])]
    """
    return engine.current(x).split(x, list(ends), axis)


def total(arrays: Sequence[Array]) -> Array:
    """Return the sum of arrays of the same shape.

    >>> import numpy as np
    >>> total([np.ones(2), np.ones(2), np.ones(2)])
    array([3., 3.])
    """
    if len({array.shape for array in arrays}) != 1:
        raise ShapeError(f"total needs equal shapes, got {[array.shape for array in arrays]}")
    return engine.current(*arrays).total(list(arrays))


def joined_shape(shapes: list[Shape], axis: int) -> Shape:
    """Return the shape of arrays concatenated along `axis`; all other sizes must be equal."""
    first = shapes[0]
    if -len(first) <= axis < len(first):
        axis %= len(first)
        if len({(*shape[:axis], None, *shape[axis + 1 :]) for shape in shapes}) == 1:
            return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])
    raise ShapeError(f"cannot join shapes {shapes} along axis {axis}: the others must be equal")


def flatten(x: Array) -> Array:
    """Return x (N, …) as (N, D), in row-major order.

    >>> import numpy as np
    >>> flatten(np.arange(4.0).reshape(1, 2, 2))
    array([[0., 1., 2., 3.]])
    """
    if x.ndim < 2:
        raise ShapeError(f"flatten needs a non-empty array with a batch axis, got {x.shape}")
    return engine.current(x).flatten(x)


def unflatten(y: Array, shape: Shape) -> Array:
    """Return y (N, D) in `shape` (N, …), which is the gradient of `flatten`."""
    if y.size != math.prod(shape):
        raise ShapeError(f"unflatten cannot reshape an array of shape {y.shape} to {shape}")
    return engine.current(y).unflatten(y, shape)
