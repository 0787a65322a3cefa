"""What follows a convolution: normalisation, shortcut, ReLU and max-pooling, as one function.

::

    y = pool(relu(norm(z) + shortcut))

Here it is the composition of the functions that do each. Another engine does it in one pass,
because reading and writing the array for each step is what these steps cost.
"""

from typing import Any, NamedTuple

import numpy as np

from pellucid.geometry import Window
from pellucid.reference.activation import relu as relu_
from pellucid.reference.activation import relu_gradient
from pellucid.reference.normalization import batch_norm_gradient, batch_norm_training
from pellucid.reference.pooling import max_pool2d, max_pool2d_gradient
from pellucid.types import Array


class Finished(NamedTuple):
    """What `finish_gradient` needs: of each step, what its gradient needs."""

    norm: Any
    active: Array | None
    window: Window | None
    indices: Array | None
    shortcut: bool


def finish(
    z: Array,
    norm: tuple[Array, Array, Array] | None,
    shortcut: Array | None,
    relu: bool,
    window: Window | None,
) -> tuple[Array, Finished]:
    """Return ``y = pool(relu((z − mean[c])·scale[c] + shift[c] + shortcut))`` and the cache.

    With a norm it is for inference: the gradient is that without it.

    Parameters
    ----------
    z
        (N, C, H, W).
    norm
        mean, scale and shift, each (C,); None for no normalisation.
    shortcut
        Shaped as z; None adds nothing.
    relu, window
        Whether there is a ReLU, and how the pooling slides; None does not pool.
    """
    if norm is not None:
        mean, scale, shift = (v.astype(z.dtype)[:, None, None] for v in norm)
        z = (z - mean) * scale + shift
    return _after_norm(z, None, shortcut, relu, window)


def through(cache: Finished) -> None:
    """Return y as a convolution reads it from z. Another engine does so; here y itself is kept."""


def written(y: Array) -> Array:
    """Return y, which another engine may have left unwritten."""
    return y


def finish_gradient(
    dy: Array, cache: Finished, overwrite_dy: bool = False
) -> tuple[Array, Array | None, Array]:
    """Return the gradients for z, the shortcut (None if there was none) and a bias in z.

    Another engine may write over dy, where that is allowed; here dy stays as it is.
    """
    dn = _before_norm(dy, cache)
    return dn, dn if cache.shortcut else None, np.asarray(dn.sum(axis=(0, 2, 3)))


def normalize_finish(
    z: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    shortcut: Array | None,
    relu: bool,
    window: Window | None,
    write: bool = True,
) -> tuple[Array, Array, Array, Finished]:
    """Return y with batch normalisation in training first, its mean and variance, and the cache.

    Another engine may leave y unwritten, where that is allowed; here it is always an array.
    """
    n, mean, var, kept = batch_norm_training(z, weight, bias, eps)
    y, cache = _after_norm(n, kept, shortcut, relu, window)
    return y, mean, var, cache


def normalize_finish_gradient(
    dy: Array, cache: Finished, weight: Array | None, overwrite_dy: bool = False
) -> tuple[Array, Array | None, Array, Array]:
    """Return the gradients for z, the shortcut, weight and bias."""
    dn = _before_norm(dy, cache)
    dz, dweight, dbias = batch_norm_gradient(dn, cache.norm, weight)
    return dz, dn if cache.shortcut else None, dweight, dbias


def _after_norm(
    n: Array, kept: Any, shortcut: Array | None, relu: bool, window: Window | None
) -> tuple[Array, Finished]:
    y = n if shortcut is None else n + shortcut
    if relu:
        y = relu_(y)
    active, indices = y if relu else None, None
    if window is not None:
        y, indices = max_pool2d(y, window)
    return y, Finished(kept, active, window, indices, shortcut is not None)


def _before_norm(dy: Array, cache: Finished) -> Array:
    if cache.window is not None and cache.indices is not None:
        shape = (*dy.shape[:2], *cache.window.size)
        dy = max_pool2d_gradient(dy, cache.indices, shape, cache.window)
    return dy if cache.active is None else relu_gradient(dy, cache.active)
