"""From images to vectors and back."""

import math

from pellucid import engine
from pellucid.errors import ShapeError
from pellucid.types import Array, Shape


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
