"""Depthwise convolution: each channel has one filter of its own.

::

    y[oh, ow, c, n] = Σ_{kh, kw} weight[c, kh, kw] · x[oh·S + kh·D − P, ow·S + kw·D − P, c, n]

Here no sum runs over channels, so there is nothing that several filters could share: what counts is
that each value is read from near memory, a run of images at a time.
"""

import math
from functools import cache
from typing import Any

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import (
    add,
    add_sums,
    fma,
    outer_add,
    outer_add_some,
    relu_tile,
)
from pellucid.compiled.conv.deferred import UNCHANGED, DeferredNorm, normalized, room_for, source
from pellucid.compiled.conv.taps import forward_taps, gradient_taps
from pellucid.compiled.conv.tiles import sum_of_shares
from pellucid.compiled.jit import jit, jit_apart, room_for_threads
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    fetch_ahead,
    live_lanes,
    load_run,
    read_tile,
    store_tile,
    write_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

VECTORS = 4
WIDTH = VECTORS * LANES
POSITIONS = 4
LINE = 16  # numbers in a line of the caches
CHANNELS = 16  # at a time: what their taps share stays in near memory
ROWS = 8  # of outputs at a time, if that leaves work for all: what they share is worked out once


def forward(
    x: Array | DeferredNorm,
    weight: Array,
    bias: Array | None,
    window: Window,
    relu: bool = False,
) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (C, 1, KH, KW), plus bias."""
    y = layout.new_images((*x.shape[:2], *window.output_size))
    (inner, norm), taps, KW = source(x), forward_taps(window), window.kernel[1]
    reach = window.extent[0]
    run(inner, by_tap(weight), bias, layout.memory(y), taps, KW, relu, norm, reach)
    return y


def input_gradient(dy: Array, weight: Array, input_shape: Shape, window: Window) -> Array:
    """Return dx: dy convolved with the filters turned by 180°."""
    dx = layout.new_images(input_shape)
    kernels, KW = by_tap(weight[:, :, ::-1, ::-1]), window.kernel[1]
    run(layout.memory(dy), kernels, None, layout.memory(dx), gradient_taps(window), KW)
    return dx


def by_tap(weight: Array) -> Array:
    """Return the weights (C, 1, KH, KW) as (KH·KW, C)."""
    return layout.contiguous(weight.reshape(len(weight), -1).T)


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
    mine, x, w, bias, y,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length, KW, relu,
    norm, rows, room, together,
):  # fmt: skip
    """Write into y (OH, OW, C, N) the depthwise convolution of x (H, W, C, N), for `run`.

    w (KH·KW, C) and bias (C,); row_… and column_… are the two `Taps`, each as its four arrays. An
    item of work is `together` rows of outputs of some channels. With a norm (3, C), the last
    `rows` rows of x are kept normalised in the thread's room.
    """
    H, W, C, N = x.shape
    OH, OW = y.shape[:2]
    xs, ys, ws = x.reshape(-1), y.reshape(-1), w.reshape(-1)
    blocks = -(-C // CHANNELS)
    # where in x and in w the taps of one position lie
    sources, taps = np.empty(len(w), np.int64), np.empty(len(w), np.int64)
    for item in share_of(mine, -(-OH // together) * blocks):
        first = item % blocks * CHANNELS
        end = min(first + CHANNELS, C)
        # what is read, where it begins, how far its pixels lie apart, and which row is made next
        read, start, step, made = xs, first * N, C * N, H
        if norm.size > 0:
            read, start, step, made = room[numba.get_thread_id()], 0, CHANNELS * N, 0
        for oh in range(item // blocks * together, min((item // blocks + 1) * together, OH)):
            for i in range(row_first[oh], row_first[oh + 1]):
                made = max(made, row_source[row_first[oh]])
                while made < row_source[i] + row_length[i]:
                    to = made % rows * W * step
                    normalize_pixels(xs, made * W, W, C, N, first, end, norm, read, to)
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


@jit_apart
def normalize_pixels(xs, pixel, count, C, N, first, end, norm, made, to):
    """Write the channels from `first` to before `end` of some pixels, normalised if wanted.

    As many pixels after them, which are read next, are asked for in time.
    """
    for p in range(count):
        for c in range(first, end):
            xi, at = ((pixel + p) * C + c) * N, to + (p * CHANNELS + c - first) * N
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                for k in range(n, min(n + WIDTH, N), LINE):
                    fetch_ahead(xs, xi + count * C * N + k)
                run = load_run(xs, xi + n, VECTORS, lanes)
                if norm.size > 0:
                    run = normalized(run, norm, c)
                store_tile(run, made, at + n, N, 1, lanes)


def weight_gradient(
    dy: Array, x: Array | DeferredNorm, weight_shape: Shape, window: Window
) -> Array:
    """Return dw of `weight_shape` (C, 1, KH, KW), summed over the batch.

    A share of the work is some channels of some rows of x. Each row is copied once, normalised on
    the way if wanted, and padded, so that every tap meets it. How many shares there are depends on
    shapes alone, so the sum is the same for any number of threads.
    """
    C, _, _, KW = weight_shape
    (top, _), (left, right) = window.padding
    inner, norm = source(x)
    H, W, _, N = inner.shape
    shares = max(1, min(max(4, _SHARES // -(-C // CHANNELS)), H // _FEWEST_ROWS))
    rows = room_for_threads((left + W + right) * CHANNELS * N)
    found = empty((shares, math.prod(weight_shape)), np.float32)
    _gradient_kernel(KW)(
        layout.memory(dy), inner, norm, *window.stride, *window.dilation, top, left, rows, found
    )
    return sum_of_shares(found).reshape(weight_shape)


_SHARES = 16
_FEWEST_ROWS = 4  # of x in a share: the rows of dy around them are read once more


@cache
def _gradient_kernel(COLUMNS: int) -> Any:
    SIZE = COLUMNS * LANES

    @jit
    def kernel(mine, dy, x, norm, SH, SW, DH, DW, top, left, rows, found):
        """Write into found (shares, C·KH·COLUMNS) what each share of the rows of x adds to dw.

        dy (OH, OW, C, N), x (H, W, C, N). An item of work is one share, of some channels. `rows`
        has for each thread room for one row of x with its padding; norm (3, C) is applied as that
        row is copied.
        """
        H, W, C, N = x.shape
        OH, OW = dy.shape[:2]
        shares, KH = len(found), found.shape[1] // (C * COLUMNS)
        blocks, pixel = -(-C // CHANNELS), CHANNELS * N
        dys, xs, step, whole = dy.reshape(-1), x.reshape(-1), DW * pixel, N - N % LANES
        sums = np.empty(min(CHANNELS, C) * KH * SIZE, np.float32)
        for item in share_of(mine, blocks * shares):
            share, channel = item // blocks, item % blocks * CHANNELS
            channels = min(CHANNELS, C - channel)
            sums[:] = 0
            row = rows[numba.get_thread_id()]
            row[: left * pixel] = 0
            row[(left + W) * pixel :] = 0
            for ih in range(H * share // shares, H * (share + 1) // shares):
                made = 0
                for start in range(0, OW, POSITIONS):
                    end = min(start + POSITIONS, OW)
                    reach = min(W, (end - 1) * SW - left + (COLUMNS - 1) * DW + 1)
                    if made < reach:
                        normalize_pixels(
                            xs, ih * W + made, reach - made, C, N, channel, channel + channels,
                            norm, row, (left + made) * pixel,
                        )  # fmt: skip
                        made = reach
                    for part in range(channels * KH):
                        c, kh = part // KH, part % KH
                        oh, between = divmod(ih + top - kh * DH, SH)
                        if between or oh < 0 or oh >= OH:
                            continue
                        tile = read_tile(1, COLUMNS, sums, part * SIZE)
                        for ow in range(start, end):
                            di = ((oh * OW + ow) * C + channel + c) * N
                            xi = ow * SW * pixel + c * N
                            for n in range(0, whole, LANES):
                                tile = outer_add(tile, dys, di + n, N, row, xi + n, step)
                            if whole < N:
                                di, xi, lanes = di + whole, xi + whole, live_lanes(N - whole, 1)
                                tile = outer_add_some(
                                    tile, dys, di, N, row, xi, step, lanes, 0, COLUMNS
                                )
                        write_tile(tile, sums, part * SIZE)
            for part in range(channels * KH):
                at = (channel * KH + part) * COLUMNS
                found[share, at : at + COLUMNS] = 0
                add_sums(read_tile(1, COLUMNS, sums, part * SIZE), found[share], at)

    return kernel
