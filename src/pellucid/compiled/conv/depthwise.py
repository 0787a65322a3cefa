"""Depthwise convolution: each channel has one filter of its own.

::

    y[oh, ow, c, n] = Σ_{kh, kw} weight[c, kh, kw] · x[oh·S + kh·D − P, ow·S + kw·D − P, c, n]

Here no sum runs over channels, so there is nothing that several filters could share: what counts is
that each value is read from near memory, a run of images at a time.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import (
    add,
    fma,
    outer_add,
    outer_add_some,
    relu_tile,
)
from pellucid.compiled.conv.taps import forward_taps, gradient_taps
from pellucid.compiled.conv.through import UNCHANGED, normalized, room_for, source
from pellucid.compiled.jit import jit, jit_inline
from pellucid.compiled.tile import (
    LANES,
    live_lanes,
    load_run,
    read_tile,
    store_tile,
    write_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.types import Array, Shape, Through

VECTORS = 4
WIDTH = VECTORS * LANES
POSITIONS = 4
CHANNELS = 16  # at a time: what their taps share stays in near memory
ROWS = 8  # of outputs at a time, if that leaves work for all: what they share is worked out once


def supports(weight_shape: Shape, groups: int) -> bool:
    """Return whether each channel has exactly one filter."""
    return weight_shape[0] == groups and weight_shape[1] == 1


def forward(x: Array | Through, weight: Array, bias: Array | None, window: Window) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (C, 1, KH, KW), plus bias."""
    y = layout.new_images((*x.shape[:2], *window.output_size))
    (inner, norm), taps, KW = source(x), forward_taps(window), window.kernel[1]
    reach = window.extent[0]
    run(inner, by_tap(weight), bias, layout.memory(y), taps, KW, norm=norm, reach=reach)
    return y


def input_gradient(dy: Array, weight: Array, input_shape: Shape, window: Window) -> Array:
    """Return dx: dy convolved with the filters turned by 180°."""
    dx = layout.new_images(input_shape)
    kernels, KW = by_tap(weight[:, :, ::-1, ::-1]), window.kernel[1]
    run(layout.memory(dy), kernels, None, layout.memory(dx), gradient_taps(window), KW)
    return dx


def by_tap(weight: Array) -> Array:
    """Return the weights (C, 1, KH, KW) as (KH·KW, C)."""
    return np.ascontiguousarray(weight.reshape(len(weight), -1).T)


def run(
    x: Array,
    taken: Array,
    bias: Array | None,
    y: Array,
    taps: Any,
    KW: int,
    relu: bool = False,
    norm: Array = UNCHANGED,
    reach: int = 1,
) -> None:
    """Write into y (OH, OW, C, N) the convolution of x (H, W, C, N), with ReLU if wanted.

    With a norm, only the last rows are kept as it leaves them, as many as the kernel reaches over.
    """
    offsets = np.zeros(taken.shape[1], np.float32) if bias is None else bias
    H, W, C, N = x.shape
    rows = reach if norm.size else H
    room = room_for(norm, rows * W * CHANNELS * N)
    # no sum depends on how the work is shared out, so that may depend on the number of threads
    together = len(y) * -(-C // CHANNELS) // (4 * numba.get_num_threads())
    together = max(1, min(together, ROWS))
    _kernel(x, taken, offsets, y, *taps[0], *taps[1], KW, relu, norm, rows, room, together)


@jit
def _kernel(
    x, w, bias, y,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length, KW, relu,
    norm, rows, room, together,
):  # fmt: skip
    H, W, C, N = x.shape
    OH, OW = y.shape[:2]
    xs, ys, ws = x.reshape(-1), y.reshape(-1), w.reshape(-1)
    blocks = -(-C // CHANNELS)
    for item in numba.prange(-(-OH // together) * blocks):
        first = item % blocks * CHANNELS
        end = min(first + CHANNELS, C)
        # what is read, where it begins, how far its pixels lie apart, and which row is made next
        read, start, step, made = xs, first * N, C * N, H
        if norm.size > 0:
            read, start, step, made = room[numba.get_thread_id()], 0, CHANNELS * N, 0
        # where in x and in w the taps of one position lie
        sources, taps = np.empty(len(w), np.int64), np.empty(len(w), np.int64)
        for oh in range(item // blocks * together, min((item // blocks + 1) * together, OH)):
            for i in range(row_first[oh], row_first[oh + 1]):
                made = max(made, row_source[row_first[oh]])
                while made < row_source[i] + row_length[i]:
                    to = made % rows * W * step
                    normalize_row(xs, made, W, C, N, first, end, norm, read, to)
                    made += 1
            for ow in range(OW):
                count = 0
                for i in range(row_first[oh], row_first[oh + 1]):
                    for r in range(row_length[i]):
                        for j in range(column_first[ow], column_first[ow + 1]):
                            for s in range(column_length[j]):
                                taps[count] = ((row_tap[i] + r) * KW + column_tap[j] + s) * C
                                row, column = row_source[i] + r, column_source[j] + s
                                sources[count] = start + (row % rows * W + column) * step
                                count += 1
                for c in range(first, end):
                    for n in range(0, N, WIDTH):
                        lanes = live_lanes(N - n, VECTORS)
                        total = zero_tile(1, VECTORS)
                        for k in range(count):
                            at = sources[k] + (c - first) * N + n
                            total = fma(load_run(read, at, VECTORS, lanes), ws[taps[k] + c], total)
                        yi = ((oh * OW + ow) * C + c) * N + n
                        total = add(total, bias[c])
                        if relu:
                            total = relu_tile(total)
                        store_tile(total, ys, yi, N, 1, lanes)


@jit_inline
def normalize_row(xs, ih, W, C, N, first, end, norm, made, to):
    """Write the channels from `first` to before `end` of a row of pixels, normalised."""
    for iw in range(W):
        for c in range(first, end):
            xi, at = ((ih * W + iw) * C + c) * N, to + (iw * CHANNELS + c - first) * N
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                run = normalized(load_run(xs, xi + n, VECTORS, lanes), norm, c)
                store_tile(run, made, at + n, N, 1, lanes)


def weight_gradient(dy: Array, x: Array, weight_shape: Shape, window: Window) -> Array:
    """Return dw of `weight_shape` (C, 1, KH, KW), summed over the batch."""
    C, _, KH, KW = weight_shape
    inner, outer = layout.memory(x), layout.memory(dy)
    # how many shares there are does not depend on the number of threads, nor does the sum
    sums = np.zeros((min(_SHARES, len(outer)), C * KH * KW * LANES), np.float32)
    (top, _), (left, _) = window.padding
    _gradient_kernel(KW)(outer, inner, sums, KH, *window.stride, *window.dilation, top, left)
    return np.asarray(sums.reshape(len(sums), *weight_shape, LANES).sum(axis=(0, -1)))


_SHARES = 16


@cache
def _gradient_kernel(COLUMNS: int) -> Any:
    SIZE = COLUMNS * LANES

    @jit
    def kernel(dy, x, sums, KH, SH, SW, DH, DW, top, left):
        H, W, C, N = x.shape
        OH, OW = dy.shape[:2]
        dys, xs, shares = dy.reshape(-1), x.reshape(-1), len(sums)
        step, whole = DW * C * N, N - N % LANES
        # from `low` to before `high`, all taps of a row of the kernel meet the image
        low = max(0, -(-left // SW))
        high = max(low, min(OW, (W - 1 + left - (COLUMNS - 1) * DW) // SW + 1))
        for share in numba.prange(shares):
            found = sums[share]
            for oh in range(OH * share // shares, OH * (share + 1) // shares):
                for start in range(0, OW, POSITIONS):
                    end = min(start + POSITIONS, OW)
                    for item in range(C * KH):
                        c, kh = item // KH, item % KH
                        ih = oh * SH + kh * DH - top
                        if ih < 0 or ih >= H:
                            continue
                        tile = read_tile(1, COLUMNS, found, item * SIZE)
                        for ow in range(start, end):
                            iw = ow * SW - left
                            di, xi = ((oh * OW + ow) * C + c) * N, ((ih * W + iw) * C + c) * N
                            if low <= ow and ow < high:
                                for n in range(0, whole, LANES):
                                    tile = outer_add(tile, dys, di + n, N, xs, xi + n, step)
                                begin, first, last = whole, 0, COLUMNS
                            else:
                                begin = 0
                                first = max(0, -(iw // DW))
                                last = min(COLUMNS, (W - 1 - iw) // DW + 1)
                            for n in range(begin, N, LANES):
                                lanes = live_lanes(N - n, 1)
                                tile = outer_add_some(
                                    tile, dys, di + n, N, xs, xi + n, step, lanes, first, last
                                )
                        write_tile(tile, found, item * SIZE)

    return kernel
