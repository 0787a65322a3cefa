"""The linear layer: a convolution over an image of one pixel.

An input (N, I) lies in memory as (I, N), which is an image of one pixel with I channels, and the
weights (O, I) are O kernels of 1×1. The gradient for the weights is such a product too, with the
images in the place of the channels and the features in the place of the images.
"""

import numba
import numpy as np

from pellucid import reference
from pellucid.compiled.conv.direct import correlate
from pellucid.compiled.conv.taps import forward_taps
from pellucid.compiled.jit import jit_sized
from pellucid.geometry import Window
from pellucid.types import Array
from pellucid.workspace import empty

_PIXEL = Window((1, 1), (1, 1))


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return ``y = x Wᵀ + b`` for x (N, I)."""
    if x.ndim != 2:
        return reference.linear(x, weight, bias)
    return product(weight, _columns(x), bias).T  # (O, I) × (I, N) -> (O, N)


def linear_input_gradient(dy: Array, weight: Array) -> Array:
    """Return ``dx = dy W``."""
    if dy.ndim != 2:
        return reference.linear_input_gradient(dy, weight)
    return product(weight.T, _columns(dy)).T  # (I, O) × (O, N) -> (I, N)


def linear_weight_gradient(dy: Array, x: Array) -> Array:
    """Return ``dW = dyᵀ x``."""
    if dy.ndim != 2:
        return reference.linear_weight_gradient(dy, x)
    return product(_columns(dy), _rows(x))  # (O, N) × (N, I) -> (O, I)


def product(a: Array, b: Array, bias: Array | None = None) -> Array:
    """Return a (M, K) times b (K, L), plus one number for each row."""
    (M, _), L = a.shape, b.shape[1]
    y = empty((M, L), np.float32)
    offsets = np.zeros(M, np.float32) if bias is None else bias
    taps = forward_taps(_PIXEL)
    correlate(b[None, None], a[:, :, None, None], offsets, y[None, None], taps, 1)
    return y


def _columns(x: Array) -> Array:
    """Return x (N, I) as contiguous memory (I, N)."""
    return x.T if x.T.flags.c_contiguous else _turned(x)


def _rows(x: Array) -> Array:
    """Return x (N, I) as contiguous memory (N, I)."""
    return x if x.flags.c_contiguous else _turned(x.T)


def _turned(x: Array) -> Array:
    """Return x (A, B) written as (B, A)."""
    y = empty(x.T.shape, np.float32)
    if x.flags.c_contiguous:
        _turn(x.size, x, y)
    else:
        y[...] = x.T
    return y


@jit_sized
def _turn(work, x, y):
    A, B = x.shape
    for block in numba.prange(-(-B // 16)):
        for a in range(A):
            for b in range(block * 16, min(block * 16 + 16, B)):
                y[b, a] = x[a, b]
