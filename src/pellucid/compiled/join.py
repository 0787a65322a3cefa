"""Images put together and taken apart along their channels, and added up."""

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import add
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_sized
from pellucid.compiled.tile import (
    LANES,
    live_lanes,
    load_run,
    store_tile,
)
from pellucid.runtime.workspace import empty
from pellucid.types import Array

VECTORS = 4
WIDTH = VECTORS * LANES
_PIECE = 1 << 14  # numbers


def concatenate(arrays: list[Array], axis: int) -> Array:
    """Return the arrays one after the other along `axis`."""
    if axis != 1 or not all(_images(x) for x in arrays):
        return reference.concatenate(arrays, axis)
    N, _, H, W = arrays[0].shape
    y = empty((H, W, sum(x.shape[1] for x in arrays), N), np.float32)
    first = 0
    for x in arrays:
        _copy(x.size, layout.memory(x), 0, y, first, x.shape[1])
        first += x.shape[1]
    return layout.images(y)


def split(x: Array, ends: list[int], axis: int) -> list[Array]:
    """Return the pieces of x along `axis` that end before each of `ends`."""
    if axis != 1 or not _images(x):
        return reference.split(x, ends, axis)
    N, _, H, W = x.shape
    inner, pieces, first = layout.memory(x), [], 0
    for end in ends:
        piece = empty((H, W, end - first, N), np.float32)
        _copy(piece.size, inner, first, piece, 0, end - first)
        pieces.append(layout.images(piece))
        first = end
    return pieces


def total(arrays: list[Array]) -> Array:
    """Return the sum of arrays of one shape."""
    if len(arrays) == 1 or not all(_images(x) for x in arrays):
        return reference.total(arrays)
    flat = [layout.memory(x).reshape(-1) for x in arrays]
    y = empty(layout.memory(arrays[0]).shape, np.float32)
    found = y.reshape(-1)
    while flat:  # up to five in one pass; a running sum is one of them
        some, flat = flat[:5], flat[5:]
        _sum(y.size, *some, *some[:1] * (5 - len(some)), len(some), found)
        flat = [found, *flat] if flat else []
    return layout.images(y)


def _images(x: Array) -> bool:
    return x.ndim == 4 and x.dtype == np.float32


@jit_sized
def _copy(work, x, x_first, y, y_first, channels):
    """Copy channels of x from `x_first` on to y from `y_first` on, both (H, W, C, N)."""
    H, W, C, N = x.shape
    xs, ys, run = x.reshape(-1), y.reshape(-1), channels * N
    for h in numba.prange(H):
        for pixel in range(h * W, (h + 1) * W):
            start, to = (pixel * C + x_first) * N, (pixel * y.shape[2] + y_first) * N
            for i in range(0, run, WIDTH):
                lanes = live_lanes(run - i, VECTORS)
                store_tile(load_run(xs, start + i, VECTORS, lanes), ys, to + i, 0, 1, lanes)


@jit_sized
def _sum(work, a, b, c, d, e, count, y):
    """``y = a + b + …``, of which there are `count`."""
    for piece in numba.prange(-(-y.size // _PIECE)):
        for i in range(piece * _PIECE, min((piece + 1) * _PIECE, y.size), WIDTH):
            lanes = live_lanes(y.size - i, VECTORS)
            total = add(load_run(a, i, VECTORS, lanes), load_run(b, i, VECTORS, lanes))
            if count > 2:
                total = add(total, load_run(c, i, VECTORS, lanes))
            if count > 3:
                total = add(total, load_run(d, i, VECTORS, lanes))
            if count > 4:
                total = add(total, load_run(e, i, VECTORS, lanes))
            store_tile(total, y, i, 0, 1, lanes)
