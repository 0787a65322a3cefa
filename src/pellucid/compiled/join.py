"""Images put together and taken apart along their channels, and added up."""

import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import add
from pellucid.compiled.epilogue_kernels import VECTORS, WIDTH, read_ahead
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_inline, jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    fetch_runs_ahead,
    live_lanes,
    load_run,
    store_tile,
)
from pellucid.types import Array

_PIECE = 1 << 14  # numbers


def concatenate(arrays: list[Array], axis: int) -> Array:
    """Return the arrays one after the other along `axis`."""
    if axis != 1 or not all(_images(x) for x in arrays):
        return reference.concatenate(arrays, axis)
    N, _, H, W = arrays[0].shape
    y = layout.new_array((N, sum(x.shape[1] for x in arrays), H, W))
    _move(arrays, y, back=False)
    return y


def split(x: Array, ends: list[int], axis: int) -> list[Array]:
    """Return the pieces of x along `axis` that end before each of `ends`."""
    if axis != 1 or not _images(x):
        return reference.split(x, ends, axis)
    N, _, H, W = x.shape
    new = layout.new_channels_last if layout.channels_innermost(x.shape) else layout.new_images
    sizes = [end - first for first, end in zip([0, *ends], ends, strict=False)]
    pieces = [new((N, size, H, W)) for size in sizes]
    _move(pieces, x, back=True)
    return [layout.ordered(piece) for piece in pieces]


def _move(pieces: list[Array], whole: Array, back: bool) -> None:
    """Copy the pieces side by side into the whole, or `back`: four of them in one pass."""
    (N, C, H, W), first = whole.shape, 0
    order, pixels, run = layout.memory, H * W, N
    if layout.channels_innermost(whole.shape):
        order, pixels, run = layout.channels_last, N * H * W, 1
    y = order(whole).reshape(-1)
    for i in range(0, len(pieces), 4):
        some = pieces[i : i + 4]
        runs = [piece.shape[1] * run for piece in some]
        work, others = sum(runs) * pixels, 4 - len(some)
        flat = [order(piece).reshape(-1) for piece in (*some, *some[:1] * others)]
        _side_by_side(work, pixels, *flat, *runs, *[0] * others, y, C * run, first, back)
        first += sum(runs)


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
def _side_by_side(
    mine, pixels, a, b, c, d, a_run, b_run, c_run, d_run, y, y_run, first, back
):  # fmt: skip
    """Copy runs of a, b, c and d at each pixel into y from `first` on, or `back`, for `_move`."""
    for pixel in share_of(mine, pixels):
        to = pixel * y_run + first
        _copy(a, pixel * a_run, y, to, a_run, back)
        _copy(b, pixel * b_run, y, to + a_run, b_run, back)
        _copy(c, pixel * c_run, y, to + a_run + b_run, c_run, back)
        _copy(d, pixel * d_run, y, to + a_run + b_run + c_run, d_run, back)


@jit_inline
def _copy(x, start, y, to, run, back):
    for i in range(0, run, WIDTH):
        lanes = live_lanes(run - i, VECTORS)
        fetch_runs_ahead(x, start + i, VECTORS)
        fetch_runs_ahead(y, to + i, VECTORS)
        if back:
            store_tile(load_run(y, to + i, VECTORS, lanes), x, start + i, 0, 1, lanes)
        else:
            store_tile(load_run(x, start + i, VECTORS, lanes), y, to + i, 0, 1, lanes)


@jit_sized
def _sum(mine, a, b, c, d, e, count, y):
    """``y = a + b + …``, of which there are `count`."""
    for piece in share_of(mine, -(-y.size // _PIECE)):
        for i in range(piece * _PIECE, min((piece + 1) * _PIECE, y.size), WIDTH):
            lanes = live_lanes(y.size - i, VECTORS)
            total = add(read_ahead(a, i, lanes), read_ahead(b, i, lanes))
            if count > 2:
                total = add(total, read_ahead(c, i, lanes))
            if count > 3:
                total = add(total, read_ahead(d, i, lanes))
            if count > 4:
                total = add(total, read_ahead(e, i, lanes))
            fetch_runs_ahead(y, i, VECTORS)
            store_tile(total, y, i, 0, 1, lanes)
