"""Depthwise convolution: each channel has one filter of its own.

::

    y[oh, ow, c, n] = Σ_{kh, kw} weight[c, kh, kw] · x[oh·S + kh·D − P, ow·S + kw·D − P, c, n]

Here no sum runs over channels, so there is nothing that several filters could share: what counts is
that each value is read from near memory, a run of images at a time.
"""

from typing import Any

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.conv.taps import forward_taps, gradient_taps
from pellucid.compiled.jit import jit
from pellucid.compiled.tile import LANES, add, fma, live_lanes, load_run, store_tile, zero_tile
from pellucid.geometry import Window
from pellucid.types import Array, Shape

VECTORS = 4
WIDTH = VECTORS * LANES


def supports(weight_shape: Shape, groups: int) -> bool:
    """Return whether each channel has exactly one filter."""
    return weight_shape[0] == groups and weight_shape[1] == 1


def forward(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (C, 1, KH, KW), plus bias."""
    y = layout.new_images((*x.shape[:2], *window.output_size))
    _correlate(x, weight, bias, y, forward_taps(window))
    return y


def input_gradient(dy: Array, weight: Array, input_shape: Shape, window: Window) -> Array:
    """Return dx: dy convolved with the filters turned by 180°."""
    dx = layout.new_images(input_shape)
    _correlate(dy, weight[:, :, ::-1, ::-1], None, dx, gradient_taps(window))
    return dx


def _correlate(x: Array, weight: Array, bias: Array | None, y: Array, taps: Any) -> None:
    C, _, _, KW = weight.shape
    by_tap = np.ascontiguousarray(weight.reshape(C, -1).T)  # (C, KH·KW) -> (KH·KW, C)
    offsets = np.zeros(C, np.float32) if bias is None else bias
    _kernel(layout.memory(x), by_tap, offsets, layout.memory(y), *taps[0], *taps[1], KW)


@jit
def _kernel(
    x, w, bias, y,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length, KW,
):  # fmt: skip
    W, C, N = x.shape[1:]
    OH, OW = y.shape[:2]
    xs, ys = x.reshape(-1), y.reshape(-1)
    for position in numba.prange(OH * OW):
        oh, ow = position // OW, position % OW
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                total = zero_tile(1, VECTORS)
                for i in range(row_first[oh], row_first[oh + 1]):
                    for r in range(row_length[i]):
                        for j in range(column_first[ow], column_first[ow + 1]):
                            tap = (row_tap[i] + r) * KW + column_tap[j]
                            pixel = (row_source[i] + r) * W + column_source[j]
                            for s in range(column_length[j]):
                                run = load_run(xs, ((pixel + s) * C + c) * N + n, VECTORS, lanes)
                                total = fma(run, w[tap + s, c], total)
                store_tile(add(total, bias[c]), ys, (position * C + c) * N + n, N, 1, lanes)
