"""Depthwise convolution with the channels in the lanes: each has one filter of its own. ::

    y[p, c] = Σ_tap weight[tap, c] · x[p + tap, c]

The rows of a tile are positions that have the same taps, so one load of weights serves them all.
The gradient for the weights sums over the positions instead: there the rows are taps, and one load
of dy serves them all.
"""

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import add, relu_tile
from pellucid.compiled.conv.channels_last.positions import Positions, positions
from pellucid.compiled.conv.deferred import DeferredNorm, materialize
from pellucid.compiled.conv.depthwise import by_tap
from pellucid.compiled.jit import jit, jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.rows import load_rows, multiply_add_lanes, store_rows
from pellucid.compiled.tile import (
    LANES,
    REGISTERS,
    fetch_ahead,
    live_lanes,
    load_run,
    write_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

_ROWS = 8 if REGISTERS == 32 else 6
_MOST_TAPS = 12 if REGISTERS == 32 else 6  # of a tile
_TOGETHER = 16  # tiles of an item of work: what they read stays in near memory for all channels
_SHARES, _FEWEST = 16, 512  # shares of all positions, each added up for itself; and their least
_NEAR = 128  # positions that stay in near memory while the channels pass by
_FAR = 1 << 18  # numbers that no near memory holds: they are asked for in time
_CHANNELS = 128  # of an item of work


def forward(
    x: Array | DeferredNorm,
    weight: Array,
    bias: Array | None,
    window: Window,
    relu: bool = False,
) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (C, 1, KH, KW), plus bias."""
    y = layout.new_channels_last((*x.shape[:2], *window.output_size))
    run(materialize(x), pack(weight, bias), y, window, relu)
    return y


def input_gradient(dy: Array, weight: Array, input_shape: Shape, window: Window) -> Array:
    """Return dx: dy convolved with the filters turned by 180°."""
    dx = layout.new_channels_last(input_shape)
    run(dy, pack(weight[:, :, ::-1, ::-1], None), dx, window, gradient=True)
    return dx


class Packed(NamedTuple):
    """Weights (KH · KW, C) and biases (C,)."""

    weight: Array
    bias: Array


def pack(weight: Array, bias: Array | None) -> Packed:
    """Return the weights (C, 1, KH, KW) and biases (C,) as the kernel reads them."""
    return Packed(by_tap(weight), np.zeros(len(weight), np.float32) if bias is None else bias)


def run(
    x: Array, packed: Packed, y: Array, window: Window, relu: bool = False,
    gradient: bool = False, shortcut: Array | None = None,
) -> None:  # fmt: skip
    """Write the convolution into y, plus a shortcut like y if there is one, and ReLU if wanted."""
    N, C = x.shape[:2]
    tables = positions(window, gradient, N, (C, C), _ROWS)
    others = layout.NO_IMAGES if shortcut is None else layout.channels_last(shortcut)
    products = len(packed.weight) * y.size
    _kernel(_vectors(C))(
        products // 8, layout.channels_last(x), *packed, layout.channels_last(y), *tables,
        others, relu,
    )  # fmt: skip


def _vectors(channels: int) -> int:
    return 2 if channels > LANES and REGISTERS == 32 else 1


@cache
def _kernel(VECTORS: int) -> Any:
    SPAN = VECTORS * LANES

    @jit_sized
    def kernel(
        mine, x, w, bias, y, source, target, kind, first, tap, distance, length, shortcut, relu
    ):  # fmt: skip
        """Write into y (N, OH, OW, C) the depthwise convolution of x (N, H, W, C), for `run`.

        w (taps, C), bias (C,); source to length are `Positions`; an empty shortcut is none. An item
        of work is some tiles of positions, with all channels.
        """
        others = shortcut.reshape(-1)
        C, tiles = x.shape[3], len(kind)
        xs, ws, ys, far = x.reshape(-1), w.reshape(-1), y.reshape(-1), x.size + y.size > _FAR
        for item in share_of(mine, -(-tiles // _TOGETHER)):
            for c in range(0, C, SPAN):
                lanes = live_lanes(C - c, VECTORS)
                for t in range(item * _TOGETHER, min((item + 1) * _TOGETHER, tiles)):
                    tile = zero_tile(_ROWS, VECTORS)
                    for i in range(first[kind[t]], first[kind[t] + 1]):
                        for s in range(length[i]):
                            xi, wi = (distance[i] + s) * C + c, (tap[i] + s) * C + c
                            tile = multiply_add_lanes(
                                tile, xs, source, t * _ROWS, xi, ws, wi, lanes
                            )
                    if far:  # what the next item reads and writes with its last tap
                        last = first[kind[t] + 1] - 1
                        reach = (distance[last] + length[last] - 1) * C
                        for r in range(_ROWS):
                            p = min((t + _TOGETHER) * _ROWS + r, len(source) - 1)
                            for i in range(c, c + SPAN, LANES):
                                fetch_ahead(xs, source[p] + reach + i)
                                fetch_ahead(ys, target[p] + i)
                    tile = add(tile, load_run(bias, c, VECTORS, lanes))
                    if len(others) > 0:
                        other = load_rows(_ROWS, VECTORS, others, target, t * _ROWS, c, lanes)
                        tile = add(tile, other)
                    if relu:
                        tile = relu_tile(tile)
                    store_rows(tile, ys, target, t * _ROWS, c, lanes)

    return kernel


def weight_gradient(
    dy: Array, x: Array | DeferredNorm, weight_shape: Shape, window: Window
) -> Array:
    """Return dw of `weight_shape` (C, 1, KH, KW), summed over the batch.

    How the positions are divided depends on shapes alone, so the sum is the same for any number of
    threads.
    """
    N, C = dy.shape[:2]
    vectors, taps = _vectors(C), window.kernel[0] * window.kernel[1]
    rows = min(taps, _MOST_TAPS)
    tables = positions(window, False, N, (C, C), 1)
    places, which = _taps_of_kinds(window, N, C, rows)
    shares = max(1, min(_SHARES, len(tables.kind) // _FEWEST))
    sums = empty((shares, taps + 1, C), np.float32)
    _gradient_kernel(rows, vectors)(
        layout.channels_last(dy), layout.channels_last(materialize(x)),
        tables.source, tables.target, tables.kind, places, which, sums,
    )  # fmt: skip
    dw = np.empty(weight_shape, np.float32)
    _by_channel(sums.size, sums, dw)
    return dw


@lru_cache(maxsize=512)
def _taps_of_kinds(window: Window, images: int, channels: int, rows: int) -> tuple[Array, Array]:
    """Return how far the pixel of each tap lies from the first, and which tap it is.

    Both are (kinds, multiple of `rows`). Where a kind has fewer taps, the first pixel is read once
    more, for a tap that does not exist.
    """
    tables: Positions = positions(window, False, images, (channels, channels), 1)
    taps = window.kernel[0] * window.kernel[1]
    shape = len(tables.first) - 1, -(-taps // rows) * rows
    places, which = np.zeros(shape, np.int64), np.full(shape, taps)
    for kind in range(shape[0]):
        runs = range(tables.first[kind], tables.first[kind + 1])
        met = [
            ((tables.distance[i] + s) * channels, tables.tap[i] + s)
            for i in runs
            for s in range(tables.length[i])
        ]
        if met:
            places[kind, : len(met)], which[kind, : len(met)] = np.array(met).T
    return places, which


@cache
def _gradient_kernel(ROWS: int, VECTORS: int) -> Any:
    SPAN = VECTORS * LANES

    @jit
    def kernel(mine, dy, x, source, target, kind, places, which, sums):
        """Write into sums (shares, taps + 1, C) what each share of the positions adds to dw.

        An item of work is a share, of some channels.
        dy (N, OH, OW, C), x (N, H, W, C); source, target and kind are `Positions`, places and which
        are `_taps_of_kinds`.
        """
        C, shares, count, groups = x.shape[3], len(sums), len(kind), -(-x.shape[3] // _CHANNELS)
        xs, ds, near, far = x.reshape(-1), dy.reshape(-1), places.reshape(-1), x.size > _FAR
        tile_sums = np.empty(ROWS * SPAN, np.float32)
        for item in share_of(mine, shares * groups):
            share, channel = item // groups, item % groups * _CHANNELS
            end_channel = min(channel + _CHANNELS, C)
            sums[share, :, channel:end_channel] = 0
            begin, last = count * share // shares, count * (share + 1) // shares
            while begin < last:
                end, k = begin + 1, kind[begin]
                while end < min(begin + _NEAR, last) and kind[end] == k:
                    end += 1
                for c in range(channel, end_channel, SPAN):
                    lanes = live_lanes(C - c, VECTORS)
                    for row in range(0, places.shape[1], ROWS):
                        tile = zero_tile(ROWS, VECTORS)
                        for p in range(begin, end):
                            xi, di = source[p] + c, target[p] + c
                            if far:
                                later = min(p + _NEAR, count - 1)
                                for i in range(c, c + SPAN, LANES):
                                    fetch_ahead(xs, source[later] + places[k, -1] + i)
                                    fetch_ahead(ds, target[later] + i)
                            tile = multiply_add_lanes(
                                tile, xs, near, k * places.shape[1] + row, xi, ds, di, lanes
                            )
                        write_tile(tile, tile_sums, 0)
                        for r in range(ROWS):
                            total = sums[share, which[k, row + r]]
                            for i in range(min(SPAN, C - c)):
                                total[c + i] += tile_sums[r * SPAN + i]
                begin = end

    return kernel


@jit_sized
def _by_channel(mine, sums, dw):
    """Add up sums (shares, taps + 1, C) into dw (C, 1, KH, KW)."""
    C, _, KH, KW = dw.shape
    found = dw.reshape(C, KH * KW)
    for c in share_of(mine, C):
        for k in range(KH * KW):
            total = np.float32(0)
            for share in range(len(sums)):
                total += sums[share, k, c]
            found[c, k] = total
