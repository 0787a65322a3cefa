"""Pooling, compiled."""

import numpy as np

from pellucid.compiled.epilogue import EpilogueCache, before_epilogue, epilogue, identity
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_sized
from pellucid.compiled.layout import channels_innermost, in_lanes, new_array
from pellucid.compiled.parallel import WORK_OF_ONE, share_of
from pellucid.compiled.resampling import means_of_cells, means_of_cells_gradient
from pellucid.geometry import Window
from pellucid.runtime.recording import is_rehearsed
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

_MOST_TAPS = 256  # the winner is kept as one byte


def max_pool2d(x: Array, window: Window) -> tuple[Array, Array]:
    """Return the maximum of each window, and which tap won."""
    if window.kernel[0] * window.kernel[1] > _MOST_TAPS:
        return reference.max_pool2d(x, window)
    y, cache = epilogue(x, relu=False, window=window)
    assert cache.winner is not None
    if is_rehearsed():
        cache.winner.fill(0)  # no kernel has written them
    return y, cache.winner


def max_pool2d_gradient(dy: Array, indices: Array, window: Window) -> Array:
    """Return dx: each dy goes to where its maximum was."""
    if window.kernel[0] * window.kernel[1] > _MOST_TAPS:
        return reference.max_pool2d_gradient(dy, indices, window)
    shape, norm = (*dy.shape[:2], *window.size), identity(dy.shape[1])
    cache = EpilogueCache(shape, None, dy, norm, relu=False, window=window, winner=indices)
    return before_epilogue(dy, cache)[0]


def adaptive_avg_pool2d(x: Array, output_size: tuple[int, int]) -> Array:
    """Return the mean of each cell."""
    if x.size == 0:
        return reference.adaptive_avg_pool2d(x, output_size)
    if output_size != (1, 1):
        return means_of_cells(x, output_size)
    y = new_array((*x.shape[:2], 1, 1))
    given, found = _by_image(x), _by_image(y)
    if len(given) == 1 and x.size > WORK_OF_ONE and given.shape[1] % 4 == 0:
        # the mean of four means, so that each thread reads the pixels that it has written
        given = given.reshape(4, -1, given.shape[2])
        means = empty((4, 1, given.shape[2]), np.float32)
        _mean(x.size, given, means)
        given = means.reshape(1, 4, -1)
    _mean(given.size, given, found)
    return y


def _by_image(x: Array) -> Array:
    """Return images as (1, pixels, channels · images), or channels last as (N, pixels, C)."""
    inner = in_lanes(x)
    if channels_innermost(x.shape):
        return inner.reshape(len(x), -1, x.shape[1])
    return inner.reshape(1, -1, x.shape[1] * len(x))


@jit_sized
def _mean(mine, x, y):
    """(images, pixels, R) -> (images, 1, R)"""
    images, pixels, R = x.shape
    parts = -(-R // _RUN)
    for item in share_of(mine, images * parts):
        n, first, end = item // parts, item % parts * _RUN, min((item % parts + 1) * _RUN, R)
        total = y[n, 0, first:end]
        total[:] = 0
        for pixel in range(pixels):
            row = x[n, pixel, first:end]
            for i in range(len(total)):  # from 0, so that no index can be negative: vectorised
                total[i] += row[i]
        total /= np.float32(pixels)


_RUN = 512  # numbers whose sums stay in the first cache


def adaptive_avg_pool2d_gradient(dy: Array, input_shape: Shape) -> Array:
    """Return dx: each value of a cell receives the same share."""
    if dy.size == 0:
        return reference.adaptive_avg_pool2d_gradient(dy, input_shape)
    if dy.shape[2:] != (1, 1):
        return means_of_cells_gradient(dy, input_shape)
    dx = new_array(input_shape)
    _spread(dx.size, _by_image(dy), _by_image(dx))
    return dx


@jit_sized
def _spread(mine, dy, dx):
    """(images, 1, R) -> (images, pixels, R)"""
    images, pixels, R = dx.shape
    share = np.float32(1) / np.float32(pixels)
    for item in share_of(mine, images * pixels):
        n, pixel = item // pixels, item % pixels
        for i in range(R):
            dx[n, pixel, i] = share * dy[n, 0, i]
