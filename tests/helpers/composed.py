"""An epilogue, ``y = pool(relu(norm(z) + shortcut))``, as the composition of its steps."""

from typing import Any, NamedTuple

import numpy as np

from pellucid.geometry import Window
from pellucid.reference.activation import relu as relu_
from pellucid.reference.activation import relu_gradient
from pellucid.reference.normalization import batch_norm_gradient, batch_norm_training
from pellucid.reference.pooling import max_pool2d, max_pool2d_gradient
from pellucid.types import Array


class Kept(NamedTuple):
    """The cache of an epilogue: the values that the gradients of its steps need."""

    norm: Any
    active: Array | None
    window: Window | None
    indices: Array | None
    shortcut: bool


def epilogue(
    z: Array,
    norm: tuple[Array, Array, Array] | None,
    shortcut: Array | None,
    relu: bool,
    window: Window | None,
) -> tuple[Array, Kept]:
    """Return ``y = pool(relu((z − mean[c])·scale[c] + shift[c] + shortcut))`` and the cache.

    A `norm` is for inference only: `epilogue_gradient` ignores it.

    Parameters
    ----------
    z
        Output of a convolution, (N, C, H, W).
    norm
        Mean, scale and shift, each (C,); None for no normalisation.
    shortcut
        Array added before the ReLU, of the shape of z, or None.
    relu, window
        Whether to apply a ReLU, and the window of max pooling, or None for no pooling.
    """
    if norm is not None:
        mean, scale, shift = (v.astype(z.dtype)[:, None, None] for v in norm)
        z = (z - mean) * scale + shift
    return _after_norm(z, None, shortcut, relu, window)


def epilogue_gradient(dy: Array, cache: Kept) -> tuple[Array, Array | None, Array]:
    """Return the gradients for z, the shortcut (None if there was none) and a bias in z."""
    dn = _before_norm(dy, cache)
    return dn, dn if cache.shortcut else None, np.asarray(dn.sum(axis=(0, 2, 3)))


def norm_epilogue(
    z: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    shortcut: Array | None,
    relu: bool,
    window: Window | None,
) -> tuple[Array, Array, Array, Kept]:
    """Return y with batch normalisation in training, its mean and variance, and the cache."""
    n, mean, var, kept = batch_norm_training(z, weight, bias, eps)
    y, cache = _after_norm(n, kept, shortcut, relu, window)
    return y, mean, var, cache


def norm_epilogue_gradient(
    dy: Array, cache: Kept, weight: Array | None
) -> tuple[Array, Array | None, Array, Array]:
    """Return the gradients for z, the shortcut, weight and bias."""
    dn = _before_norm(dy, cache)
    dz, dweight, dbias = batch_norm_gradient(dn, cache.norm, weight)
    return dz, dn if cache.shortcut else None, dweight, dbias


def _after_norm(
    n: Array, kept: Any, shortcut: Array | None, relu: bool, window: Window | None
) -> tuple[Array, Kept]:
    y = n if shortcut is None else n + shortcut
    if relu:
        y = relu_(y)
    active, indices = y if relu else None, None
    if window is not None:
        y, indices = max_pool2d(y, window)
    return y, Kept(kept, active, window, indices, shortcut is not None)


def _before_norm(dy: Array, cache: Kept) -> Array:
    if cache.window is not None and cache.indices is not None:
        dy = max_pool2d_gradient(dy, cache.indices, cache.window)
    return dy if cache.active is None else relu_gradient(dy, cache.active)
