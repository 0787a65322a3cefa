"""Winograd's F(4×4, 3×3): sixteen outputs for 36 multiplications instead of 144.

::

    Y = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ d B) ] A

for a patch d of 6×6 inputs and the 4×4 outputs Y. Bᵀ, G and Aᵀ evaluate polynomials at the
points 0, ±1, ±2 and ∞ and bring them back; what was a convolution is one product for each of the
36 places. Over channels and images these are 36 matrix products, (F × C) · (C × N), computed by
the same tiles in registers as `direct`. A patch is transformed, multiplied and transformed back
before the next, so that nothing leaves the second cache.

For 3×3 kernels with stride 1. Points as large as 2 cost accuracy: errors are some ten times those
of `direct`. Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, sec.
4.3.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.conv.direct import tile_shape, turned
from pellucid.compiled.jit import jit, jit_inline
from pellucid.compiled.tile import (
    LANES,
    add,
    add_rows,
    fma,
    live_lanes,
    load_run,
    multiply_add,
    store_tile,
    write_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.types import Array, Shape
from pellucid.workspace import empty

_G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)


def supports(window: Window, groups: int) -> bool:
    """Return whether it can do this convolution."""
    plain = window.stride == window.dilation == (1, 1)
    return plain and window.kernel == (3, 3) and groups == 1


def forward(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (F, C, 3, 3), plus bias."""
    y = layout.new_images((len(x), len(weight), *window.output_size))
    (top, _), (left, _) = window.padding
    _correlate(layout.memory(x), weight, bias, layout.memory(y), top, left)
    return y


def input_gradient(dy: Array, weight: Array, input_shape: Shape, window: Window) -> Array:
    """Return dx: dy convolved with the kernels turned by 180°."""
    dx = layout.new_images(input_shape)
    (top, _), (left, _) = window.padding
    _correlate(layout.memory(dy), turned(weight, 1), None, layout.memory(dx), 2 - top, 2 - left)
    return dx


def _correlate(x: Array, weight: Array, bias: Array | None, y: Array, top: int, left: int) -> None:
    F, C = weight.shape[:2]
    rows, vectors = tile_shape(F, x.shape[3])
    blocks, width = -(-F // rows), vectors * LANES
    transformed = empty((blocks, 36, C, rows), np.float32)
    _transform_weights(weight, _G.astype(np.float32), transformed)
    padded = np.zeros(blocks * rows, np.float32)
    if bias is not None:
        padded[:F] = bias
    threads = numba.get_num_threads()
    patches = empty((threads, 36 * C * width), np.float32)
    products = empty((threads, 36 * blocks * rows * width), np.float32)
    _kernel(rows, vectors)(x, transformed.reshape(-1), padded, y, top, left, patches, products)


@jit
def _transform_weights(weight, G, transformed):
    """``U = G w Gᵀ``, (F, C, 3, 3) -> (blocks, 36, C, rows)."""
    F, C = weight.shape[:2]
    blocks, _, _, rows = transformed.shape
    for block in numba.prange(blocks):
        half = np.zeros((6, 3), np.float32)
        for r in range(rows):
            f = block * rows + r
            for c in range(C):
                if f >= F:
                    for k in range(36):
                        transformed[block, k, c, r] = 0
                    continue
                for i in range(6):
                    for j in range(3):
                        half[i, j] = (
                            G[i, 0] * weight[f, c, 0, j]
                            + G[i, 1] * weight[f, c, 1, j]
                            + G[i, 2] * weight[f, c, 2, j]
                        )
                for i in range(6):
                    for j in range(6):
                        transformed[block, i * 6 + j, c, r] = (
                            half[i, 0] * G[j, 0] + half[i, 1] * G[j, 1] + half[i, 2] * G[j, 2]
                        )


_TWO, _FOUR, _FIVE, _EIGHT = np.float32(2), np.float32(4), np.float32(5), np.float32(8)
_MINUS = np.float32(-1)


@jit_inline
def _patch_transform(d0, d1, d2, d3, d4, d5):
    """Bᵀ d::

    4  0 −5  0  1  0
    0 −4 −4  1  1  0
    0  4 −4 −1  1  0
    0 −2 −1  2  1  0
    0  2 −1 −2  1  0
    0  4  0 −5  0  1
    """
    even, odd = fma(d2, -_FOUR, d4), fma(d1, -_FOUR, d3)
    near, far = fma(d2, _MINUS, d4), fma(d1, _MINUS, d3)
    return (
        fma(d0, _FOUR, fma(d2, -_FIVE, d4)),
        add(even, odd),
        fma(odd, _MINUS, even),
        fma(far, _TWO, near),
        fma(far, -_TWO, near),
        fma(d1, _FOUR, fma(d3, -_FIVE, d5)),
    )


@jit_inline
def _output_transform(m0, m1, m2, m3, m4, m5):
    """Aᵀ m::

    1  1  1  1  1  0
    0  1 −1  2 −2  0
    0  1  1  4  4  0
    0  1 −1  8 −8  1
    """
    sum1, sum2 = add(m1, m2), add(m3, m4)
    off1, off2 = fma(m2, _MINUS, m1), fma(m4, _MINUS, m3)
    return (
        add(m0, add(sum1, sum2)),
        fma(off2, _TWO, off1),
        fma(sum2, _FOUR, sum1),
        add(m5, fma(off2, _EIGHT, off1)),
    )


@cache
def _kernel(ROWS: int, VECTORS: int) -> Any:
    WIDTH = VECTORS * LANES

    @jit
    def kernel(x, u, bias, y, top, left, patches, products):
        H, W, C, N = x.shape
        OH, OW, F, _ = y.shape
        across, widths = -(-OW // 4), -(-N // WIDTH)
        blocks = -(-F // ROWS)
        xs, ys = x.reshape(-1), y.reshape(-1)
        all_lanes = live_lanes(WIDTH, VECTORS)
        for item in numba.prange(-(-OH // 4) * across * widths):
            thread = numba.get_thread_id()
            v, m = patches[thread], products[thread]
            n, place = item % widths * WIDTH, item // widths
            oh, ow = place // across * 4, place % across * 4
            lanes = live_lanes(N - n, VECTORS)
            # Bᵀ d B, columns first: both passes run through six streams of memory
            for j in range(6):
                iw = ow + j - left
                ih, row = oh - top, W * C * N
                for c in range(C):
                    d0, d1, d2 = (
                        zero_tile(1, VECTORS), zero_tile(1, VECTORS), zero_tile(1, VECTORS)
                    )  # fmt: skip
                    d3, d4, d5 = (
                        zero_tile(1, VECTORS), zero_tile(1, VECTORS), zero_tile(1, VECTORS)
                    )  # fmt: skip
                    if iw >= 0 and iw < W:
                        i = ((ih * W + iw) * C + c) * N + n
                        if ih >= 0 and ih < H:
                            d0 = load_run(xs, i, VECTORS, lanes)
                        if ih >= -1 and ih + 1 < H:
                            d1 = load_run(xs, i + row, VECTORS, lanes)
                        if ih >= -2 and ih + 2 < H:
                            d2 = load_run(xs, i + 2 * row, VECTORS, lanes)
                        if ih + 3 < H:
                            d3 = load_run(xs, i + 3 * row, VECTORS, lanes)
                        if ih + 4 < H:
                            d4 = load_run(xs, i + 4 * row, VECTORS, lanes)
                        if ih + 5 < H:
                            d5 = load_run(xs, i + 5 * row, VECTORS, lanes)
                    t0, t1, t2, t3, t4, t5 = _patch_transform(d0, d1, d2, d3, d4, d5)
                    k, step = (j * C + c) * WIDTH, 6 * C * WIDTH
                    write_tile(t0, v, k)
                    write_tile(t1, v, k + step)
                    write_tile(t2, v, k + 2 * step)
                    write_tile(t3, v, k + 3 * step)
                    write_tile(t4, v, k + 4 * step)
                    write_tile(t5, v, k + 5 * step)
            for i in range(6):
                for c in range(C):
                    k, step = (i * 6 * C + c) * WIDTH, C * WIDTH
                    t0, t1, t2, t3, t4, t5 = _patch_transform(
                        load_run(v, k, VECTORS, all_lanes),
                        load_run(v, k + step, VECTORS, all_lanes),
                        load_run(v, k + 2 * step, VECTORS, all_lanes),
                        load_run(v, k + 3 * step, VECTORS, all_lanes),
                        load_run(v, k + 4 * step, VECTORS, all_lanes),
                        load_run(v, k + 5 * step, VECTORS, all_lanes),
                    )
                    write_tile(t0, v, k)
                    write_tile(t1, v, k + step)
                    write_tile(t2, v, k + 2 * step)
                    write_tile(t3, v, k + 3 * step)
                    write_tile(t4, v, k + 4 * step)
                    write_tile(t5, v, k + 5 * step)
            # (F, C) × (C, N) -> (F, N), for each of the 36 places
            for k in range(36):
                for block in range(blocks):
                    tile = zero_tile(ROWS, VECTORS)
                    wi, vi = (block * 36 + k) * C * ROWS, k * C * WIDTH
                    for _ in range(C):
                        tile = multiply_add(tile, u, wi, v, vi, all_lanes)
                        wi += ROWS
                        vi += WIDTH
                    write_tile(tile, m, (k * blocks + block) * ROWS * WIDTH)
            # Aᵀ m A
            place_step = blocks * ROWS * WIDTH
            for j in range(6):
                for f in range(F):
                    k, step = (j * blocks * ROWS + f) * WIDTH, 6 * place_step
                    s0, s1, s2, s3 = _output_transform(
                        load_run(m, k, VECTORS, all_lanes),
                        load_run(m, k + step, VECTORS, all_lanes),
                        load_run(m, k + 2 * step, VECTORS, all_lanes),
                        load_run(m, k + 3 * step, VECTORS, all_lanes),
                        load_run(m, k + 4 * step, VECTORS, all_lanes),
                        load_run(m, k + 5 * step, VECTORS, all_lanes),
                    )
                    write_tile(s0, m, k)
                    write_tile(s1, m, k + step)
                    write_tile(s2, m, k + 2 * step)
                    write_tile(s3, m, k + 3 * step)
            for i in range(min(4, OH - oh)):
                for f in range(F):
                    k = (i * 6 * blocks * ROWS + f) * WIDTH
                    s0, s1, s2, s3 = _output_transform(
                        load_run(m, k, VECTORS, all_lanes),
                        load_run(m, k + place_step, VECTORS, all_lanes),
                        load_run(m, k + 2 * place_step, VECTORS, all_lanes),
                        load_run(m, k + 3 * place_step, VECTORS, all_lanes),
                        load_run(m, k + 4 * place_step, VECTORS, all_lanes),
                        load_run(m, k + 5 * place_step, VECTORS, all_lanes),
                    )
                    yi, pixel = (((oh + i) * OW + ow) * F + f) * N + n, F * N
                    store_tile(add_rows(s0, bias, f), ys, yi, N, 1, lanes)
                    if ow + 1 < OW:
                        store_tile(add_rows(s1, bias, f), ys, yi + pixel, N, 1, lanes)
                    if ow + 2 < OW:
                        store_tile(add_rows(s2, bias, f), ys, yi + 2 * pixel, N, 1, lanes)
                    if ow + 3 < OW:
                        store_tile(add_rows(s3, bias, f), ys, yi + 3 * pixel, N, 1, lanes)

    return kernel
