"""From images to vectors and back."""

from pellucid.types import Array, Shape


def flatten(x: Array) -> Array:
    """Return x (N, …) as (N, D): a view, where the batch lies last in memory.

    >>> import numpy as np
    >>> flatten(np.zeros((2, 3, 4))).shape
    (2, 12)
    """
    return x.reshape(len(x), -1) if x.size else x.reshape(len(x), 0)


def unflatten(y: Array, shape: Shape) -> Array:
    """Return y (N, D) in `shape`."""
    return y.reshape(shape)
