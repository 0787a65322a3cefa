"""From images to vectors and back, and sums."""

from pellucid.types import Array, Shape


def add_to(x: Array, y: Array) -> Array:
    """Add y into x and return x.

    >>> import numpy as np
    >>> add_to(np.ones(2), np.ones(2))
    array([2., 2.])
    """
    x += y
    return x


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
