"""Convolution of a single image, with low latency.

With a single image there is no run of images to fill the registers with. Here the *filters* lie
innermost, and the rows of a tile are neighbouring positions of the output::

    y[oh, ow, f] = Σ_{kh, kw, c} x[oh·S + kh·D, ow·S + kw·D, c] · weight[kh, kw, c, f]

In memory (H, W, C) of one image the channels of neighbouring pixels follow each other. The image is
written once with its zeros around it, after which no position is special.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from pellucid.compiled.arithmetic import (
    add_columns,
    fma,
    multiply_add_apart,
    relu_tile,
)
from pellucid.compiled.jit import jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    REGISTERS,
    live_lanes,
    load_run,
    store_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array

_MOST_ROWS = {1: 8, 2: 8, 3: 8, 4: 6} if REGISTERS == 32 else {1: 6, 2: 4}


class Packed(NamedTuple):
    """Weights (blocks, KH, KW, C, SPAN): the filters of a block lie innermost."""

    weight: Array
    bias: Array
    vectors: int
    kernel: tuple[int, int]


def pack(weight: Array, bias: Array) -> Packed:
    """Return weights (F, C, KH, KW) with some registers full of filters side by side."""
    F, C, KH, KW = weight.shape
    registers = -(-F // LANES)
    vectors = -(-registers // -(-registers // max(_MOST_ROWS)))
    span = vectors * LANES
    blocks = -(-F // span)
    padded = np.zeros((blocks * span, C, KH, KW), np.float32)
    padded[:F] = weight
    packed = padded.reshape(blocks, span, C, KH, KW).transpose(0, 3, 4, 2, 1)
    offsets = np.zeros(blocks * span, np.float32)
    offsets[:F] = bias
    return Packed(np.ascontiguousarray(packed).reshape(-1), offsets, vectors, (KH, KW))


def run(x: Array, packed: Packed, y: Array, window: Window, relu: bool) -> None:
    """Write into y (OH, OW, F, 1) the convolution of x (H, W, C, 1)."""
    OH, OW = y.shape[:2]
    rows = min(_MOST_ROWS[packed.vectors], OW)
    inner = padded(x, window)
    work = packed.weight.size * OH * OW // 8
    _kernel(rows, packed.vectors)(
        work, inner, packed.weight, packed.bias, y[..., 0], *packed.kernel,
        *window.stride, *window.dilation, relu,
    )  # fmt: skip


def run_depthwise(
    x: Array, taken: Array, bias: Array, y: Array, window: Window, relu: bool
) -> None:
    """Write into y (OH, OW, C, 1) the depthwise convolution of x, weights (KH·KW, C)."""
    inner = padded(x, window)
    work = len(taken) * y.size
    _depthwise(
        work, inner, taken, bias, y[..., 0], *window.kernel, *window.stride, *window.dilation, relu
    )


def padded(x: Array, window: Window) -> Array:
    """Return x (H, W, C, 1) as (H, W, C) with the window's zeros around it."""
    (top, bottom), (left, right) = window.padding
    if not (top or bottom or left or right):
        return x[..., 0]
    H, W, C, _ = x.shape
    y = empty((H + top + bottom, W + left + right, C), np.float32)
    _pad(x[..., 0], y, top, left)
    return y


@jit_sized
def _copy(mine, x, y, top, left):
    """Write x (H, W, C) into y with zeros around it, from (top, left) on, for `padded`."""
    H, W, C = x.shape
    HP, WP, _ = y.shape
    for h in share_of(mine, HP):
        for w in range(WP):
            inside = top <= h and h < top + H and left <= w and w < left + W
            for c in range(C):
                y[h, w, c] = x[h - top, w - left, c] if inside else np.float32(0)


def _pad(x: Array, y: Array, top: int, left: int) -> None:
    _copy(y.size, x, y, top, left)


@cache
def _kernel(ROWS: int, VECTORS: int) -> Any:
    SPAN = VECTORS * LANES

    @jit_sized
    def kernel(mine, x, w, bias, y, KH, KW, SH, SW, DH, DW, relu):
        """y (OH, OW, F), the convolution of one padded image x (H, W, C), for `run`.

        w is `Packed.weight`, (blocks, KH, KW, C, SPAN). An item of work is a block of filters of
        one row of outputs.
        """
        _, W, C = x.shape
        OH, OW, F = y.shape
        blocks, xs, ys = len(bias) // SPAN, x.reshape(-1), y.reshape(-1)
        across, every = -(-OW // ROWS), live_lanes(SPAN, VECTORS)
        for item in share_of(mine, blocks * OH):
            block, oh = item // OH, item % OH
            f = block * SPAN
            lanes = live_lanes(F - f, VECTORS)
            for part in range(across):
                ow = min(part * ROWS, OW - ROWS)  # the last tile moves back until it is full
                tile = zero_tile(ROWS, VECTORS)
                wi = block * KH * KW * C * SPAN
                for kh in range(KH):
                    for kw in range(KW):
                        xi = ((oh * SH + kh * DH) * W + ow * SW + kw * DW) * C
                        # (rows, C) × (C, filters) -> (rows, filters)
                        for c in range(C):
                            tile = multiply_add_apart(tile, xs, xi + c, SW * C, w, wi, every)
                            wi += SPAN
                tile = add_columns(tile, bias, f)
                if relu:
                    tile = relu_tile(tile)
                store_tile(tile, ys, (oh * OW + ow) * F + f, F, ROWS, lanes)

    return kernel


@jit_sized
def _depthwise(mine, x, w, bias, y, KH, KW, SH, SW, DH, DW, relu):
    """y (OH, OW, C), the depthwise convolution of a padded x (H, W, C), for `run_depthwise`.

    w (KH·KW, C), bias (C,).
    """
    _, W, C = x.shape
    OH, OW, _ = y.shape
    xs, ws, ys = x.reshape(-1), w.reshape(-1), y.reshape(-1)
    for oh in share_of(mine, OH):
        for ow in range(OW):
            for c in range(0, C, LANES):
                lanes = live_lanes(C - c, 1)
                total = load_run(bias, c, 1, lanes)
                for kh in range(KH):
                    for kw in range(KW):
                        xi = ((oh * SH + kh * DH) * W + ow * SW + kw * DW) * C + c
                        taps = load_run(ws, (kh * KW + kw) * C + c, 1, lanes)
                        total = fma(load_run(xs, xi, 1, lanes), taps, total)
                if relu:
                    total = relu_tile(total)
                store_tile(total, ys, (oh * OW + ow) * C + c, C, 1, lanes)
