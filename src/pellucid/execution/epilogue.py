"""What follows a convolution, as one operation: for layers that have checked their shapes."""

from typing import Any

from pellucid import engine
from pellucid.geometry import Window
from pellucid.ops.normalization import check_statistics
from pellucid.types import Array, Through


def finish(
    z: Array,
    norm: tuple[Array, Array, Array] | None = None,
    shortcut: Array | None = None,
    relu: bool = True,
    window: Window | None = None,
) -> tuple[Array, Any]:
    """Return ``y = pool(relu((z − mean[c])·scale[c] + shift[c] + shortcut))`` and the cache.

    Parameters
    ----------
    z
        (N, C, H, W).
    norm
        mean, scale and shift, each (C,): a normalisation in inference, for which there is no
        gradient; None for none.
    shortcut
        Shaped as z; None adds nothing.
    relu, window
        Whether there is a ReLU, and how the max-pooling slides; None does not pool.

    Examples
    --------
    >>> import numpy as np
    >>> y, _ = finish(np.array([-1.0, 2.0]).reshape(1, 1, 1, 2), window=Window((1, 2), (1, 2)))
    >>> y.item()
    2.0
    """
    y, cache = engine.current().finish(z, norm, shortcut, relu, window)
    return y, cache


def through(cache: Any) -> Through | None:
    """Return y as a convolution reads it from z, if the cache keeps all that it needs for that.

    So nobody has to keep y until the backward pass.
    """
    found: Through | None = engine.current().through(cache)
    return found


def finish_gradient(
    dy: Array, cache: Any, overwrite_dy: bool = False
) -> tuple[Array, Array | None, Array]:
    """Return the gradients for z, the shortcut (None if there was none) and a bias in z.

    With `overwrite_dy`, dz may be written over dy, which saves the time to fetch other memory.
    """
    dz, dshortcut, dbias = engine.current().finish_gradient(dy, cache, overwrite_dy)
    return dz, dshortcut, dbias


def normalize_finish(
    z: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float = 1e-5,
    shortcut: Array | None = None,
    relu: bool = True,
    window: Window | None = None,
    write: bool = True,
) -> tuple[Any, Array, Array, Any]:
    """Return y with batch normalisation in training first, its mean and variance, and the cache.

    Without `write`, y may be a `Through`, left to a convolution to work out as it reads z.
    """
    check_statistics(z)
    y, mean, var, cache = engine.current().normalize_finish(
        z, weight, bias, eps, shortcut, relu, window, write
    )
    return y, mean, var, cache


def normalize_finish_gradient(
    dy: Array, cache: Any, weight: Array | None, overwrite_dy: bool = False
) -> tuple[Array, Array | None, Array, Array]:
    """Return the gradients for z, the shortcut, weight and bias.

    With `overwrite_dy`, dz may be written over dy, which saves the time to fetch other memory.
    """
    dz, dshortcut, dweight, dbias = engine.current().normalize_finish_gradient(
        dy, cache, weight, overwrite_dy
    )
    return dz, dshortcut, dweight, dbias
