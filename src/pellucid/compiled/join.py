"""Images put together and taken apart along their channels, and added up."""

import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import add
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    live_lanes,
    load_run,
    store_tile,
)
from pellucid.types import Array

VECTORS = 4
WIDTH = VECTORS * LANES
_PIECE = 1 << 14  # numbers


def concatenate(arrays: list[Array], axis: int) -> Array:
    """Return the arrays one after the other along `axis`."""
    if axis != 1 or not all(_images(x) for x in arrays):
        return reference.concatenate(arrays, axis)
    N, _, H, W = arrays[0].shape
    y, first = layout.new_array((N, sum(x.shape[1] for x in arrays), H, W)), 0
    for x in arrays:
        _copy(x.size, _as(y, x), 0, _as(y, y), first, x.shape[1])
        first += x.shape[1]
    return y


def split(x: Array, ends: list[int], axis: int) -> list[Array]:
    """Return the pieces of x along `axis` that end before each of `ends`."""
    if axis != 1 or not _images(x):
        return reference.split(x, ends, axis)
    N, _, H, W = x.shape
    pieces, first = [], 0
    for end in ends:
        piece = layout.new_array((N, end - first, H, W))
        _copy(piece.size, _as(piece, x), first, _as(piece, piece), 0, end - first)
        pieces.append(piece)
        first = end
    return pieces


def _as(model: Array, x: Array) -> Array:
    """Return x as memory (rows, columns, C, run) in the order in which `model` lies."""
    if not layout.channels_innermost(model.shape):
        return layout.memory(x)
    N, C, H, W = x.shape
    return layout.channels_last(x).reshape(N * H, W, C, 1)


def total(arrays: list[Array]) -> Array:
    """Return the sum of arrays of one shape."""
    if len(arrays) == 1 or not all(_images(x) for x in arrays):
        return reference.total(arrays)
    flat = [layout.in_lanes(x).reshape(-1) for x in arrays]
    y = layout.new_array(arrays[0].shape)
    found = layout.in_lanes(y).reshape(-1)
    while flat:  # up to five in one pass; a running sum is one of them
        some, flat = flat[:5], flat[5:]
        _sum(y.size, *some, *some[:1] * (5 - len(some)), len(some), found)
        flat = [found, *flat] if flat else []
    return y


def _images(x: Array) -> bool:
    return x.ndim == 4 and x.dtype == np.float32


@jit_sized
def _copy(mine, x, x_first, y, y_first, channels):
    """Copy channels of x from `x_first` on to y from `y_first` on, both (H, W, C, N)."""
    H, W, C, N = x.shape
    xs, ys, run = x.reshape(-1), y.reshape(-1), channels * N
    for h in share_of(mine, H):
        for pixel in range(h * W, (h + 1) * W):
            start, to = (pixel * C + x_first) * N, (pixel * y.shape[2] + y_first) * N
            for i in range(0, run, WIDTH):
                lanes = live_lanes(run - i, VECTORS)
                store_tile(load_run(xs, start + i, VECTORS, lanes), ys, to + i, 0, 1, lanes)


@jit_sized
def _sum(mine, a, b, c, d, e, count, y):
    """``y = a + b + …``, of which there are `count`."""
    for piece in share_of(mine, -(-y.size // _PIECE)):
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
