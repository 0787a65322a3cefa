"""From images to vectors and back, and sums."""

import math

from pellucid import engine
from pellucid.errors import ShapeError
from pellucid.types import Array, Shape


def add_to(x: Array, y: Array) -> Array:
    """Add y into x, an array of the caller's own, and return x."""
    if x.shape != y.shape:
        raise ShapeError(f"add_to needs equal shapes, got {x.shape} and {y.shape}")
    total: Array = engine.current().add_to(x, y)
    return total


def flatten(x: Array) -> Array:
    """Return x (N, …) as (N, D), the last axis fastest.

    >>> import numpy as np
    >>> flatten(np.arange(4.0).reshape(1, 2, 2))
    array([[0., 1., 2., 3.]])
    """
    if x.ndim < 2:
        raise ShapeError(f"flatten needs an array with a batch and something in it, got {x.shape}")
    y: Array = engine.current().flatten(x)
    return y


def unflatten(y: Array, shape: Shape) -> Array:
    """Return y (N, D) in `shape` (N, …): the gradient of `flatten`."""
    if y.size != math.prod(shape):
        raise ShapeError(f"unflatten cannot bring an array of shape {y.shape} to {shape}")
    x: Array = engine.current().unflatten(y, shape)
    return x
