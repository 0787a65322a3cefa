"""Pooling, compiled."""

import numba
import numpy as np

from pellucid.compiled.epilogue import EpilogueCache, before_epilogue, epilogue, identity
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_sized
from pellucid.compiled.layout import contiguous, images, memory, new_images
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

_MOST_TAPS = 256  # the winner is kept as one byte


def max_pool2d(x: Array, window: Window) -> tuple[Array, Array]:
    """Return the maximum of each window, and which tap won."""
    if window.kernel[0] * window.kernel[1] > _MOST_TAPS:
        return reference.max_pool2d(x, window)
    y, cache = epilogue(x, relu=False, window=window)
    assert cache.winner is not None
    return y, images(cache.winner)


def max_pool2d_gradient(dy: Array, indices: Array, window: Window) -> Array:
    """Return dx: each dy goes to where its maximum was."""
    if window.kernel[0] * window.kernel[1] > _MOST_TAPS:
        return reference.max_pool2d_gradient(dy, indices, window)
    winner = contiguous(indices.transpose(2, 3, 1, 0))
    nothing = empty((*window.size, *dy.shape[1::-1]), np.float32)
    norm = identity(dy.shape[1])
    cache = EpilogueCache(nothing, memory(dy), norm, relu=False, window=window, winner=winner)
    return before_epilogue(dy, cache)[0]


def adaptive_avg_pool2d(x: Array, output_size: tuple[int, int]) -> Array:
    """Return the mean of each cell; over the whole image it is compiled."""
    if output_size != (1, 1) or x.size == 0:
        return reference.adaptive_avg_pool2d(x, output_size)
    y = new_images((*x.shape[:2], 1, 1))
    _mean(x.size, memory(x), memory(y))
    return y


@jit_sized
def _mean(work, x, y):
    """(H, W, C, N) -> (1, 1, C, N)"""
    H, W, C, N = x.shape
    for block in numba.prange(-(-C // _CHANNELS)):
        first, end = block * _CHANNELS, min((block + 1) * _CHANNELS, C)
        y[0, 0, first:end] = 0
        for h in range(H):
            for w in range(W):
                for c in range(first, end):
                    for n in range(N):
                        y[0, 0, c, n] += x[h, w, c, n]
        y[0, 0, first:end] /= np.float32(H * W)


_CHANNELS = 16  # whose sums stay in the first cache


def adaptive_avg_pool2d_gradient(dy: Array, input_shape: Shape) -> Array:
    """Return dx: each value of a cell receives the same share."""
    if dy.shape[2:] != (1, 1):
        return reference.adaptive_avg_pool2d_gradient(dy, input_shape)
    dx = new_images(input_shape)
    _spread(dx.size, memory(dy), memory(dx))
    return dx


@jit_sized
def _spread(work, dy, dx):
    """(1, 1, C, N) -> (H, W, C, N)"""
    H, W, C, N = dx.shape
    share = np.float32(1) / np.float32(H * W)
    for h in numba.prange(H):
        for w in range(W):
            for c in range(C):
                for n in range(N):
                    dx[h, w, c, n] = share * dy[0, 0, c, n]
