"""Winograd's F(4×4, 3×3) transforms, over runs of images. ::

    Y = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ d B) ] A        for a patch d of 6×6 inputs and its 4×4 outputs Y

Bᵀ, G and Aᵀ evaluate polynomials at the points 0, ±1, ±2 and ∞ and bring them back.

         4  0 −5  0  1  0             6  0  0
         0 −4 −4  1  1  0            −4 −4 −4             1  1  1  1  1  0
    Bᵀ = 0  4 −4 −1  1  0   24·G =   −4  4 −4        Aᵀ = 0  1 −1  2 −2  0
         0 −2 −1  2  1  0             1  2  4             0  1  1  4  4  0
         0  2 −1 −2  1  0             1 −2  4             0  1 −1  8 −8  1
         0  4  0 −5  0  1             0  0 24

A transform of a matrix is one of its columns and then one of its rows. Both run through a few
streams of memory, all channels of a pixel after each other, which is what the hardware fetches
ahead.

Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, sec. 4.3.
"""

import numpy as np

from pellucid.compiled.jit import jit_inline
from pellucid.compiled.linear import product
from pellucid.compiled.tile import (
    LANES,
    add,
    fma,
    live_lanes,
    load_run,
    write_tile,
    zero_tile,
)
from pellucid.types import Array

VECTORS = 4
WIDTH = VECTORS * LANES

_G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
_GG = np.kron(_G, _G).astype(np.float32)

_TWO, _FOUR, _FIVE, _EIGHT = np.float32(2), np.float32(4), np.float32(5), np.float32(8)
_MINUS = np.float32(-1)


def transform_weights(weight: Array) -> Array:
    """Return ``G w Gᵀ`` of each kernel, (F, C, 3, 3) -> (36, F, C)."""
    F, C = weight.shape[:2]
    by_tap = np.ascontiguousarray(weight.reshape(F * C, 9).T)
    return product(_GG, by_tap).reshape(36, F, C)  # (36, 9) × (9, F·C) -> (36, F·C)


def transform_weights_back(du: Array) -> Array:
    """Return ``Gᵀ u G`` of each place, (36, F, C) -> (F, C, 3, 3): the adjoint."""
    _, F, C = du.shape
    dw = product(_GG.T, du.reshape(36, F * C))  # (9, 36) × (36, F·C) -> (9, F·C)
    return np.ascontiguousarray(dw.T).reshape(F, C, 3, 3)


@jit_inline
def _b(d0, d1, d2, d3, d4, d5):
    """Bᵀ d."""
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
def _a_back(m0, m1, m2, m3, m4, m5):
    """Aᵀ m."""
    sum1, sum2 = add(m1, m2), add(m3, m4)
    off1, off2 = fma(m2, _MINUS, m1), fma(m4, _MINUS, m3)
    return (
        add(m0, add(sum1, sum2)),
        fma(off2, _TWO, off1),
        fma(sum2, _FOUR, sum1),
        add(m5, fma(off2, _EIGHT, off1)),
    )


@jit_inline
def _a(y0, y1, y2, y3):
    """A y."""
    even, odd = add(y0, y2), add(y1, y3)
    even2, odd2 = fma(y2, _FOUR, y0), fma(y3, _EIGHT, add(y1, y1))
    return (
        y0,
        add(even, odd),
        fma(odd, _MINUS, even),
        add(even2, odd2),
        fma(odd2, _MINUS, even2),
        y3,
    )


@jit_inline
def transform_patch(xs, H, W, C, N, ih, iw, n, lanes, v, start, run):
    """``v[start + (k·C + c)·run …] = (Bᵀ d B)[k]`` for the patch d that begins at (ih, iw)."""
    row, place = W * C * N, C * run
    for j in range(6):
        for c in range(C):
            d0, d1, d2 = zero_tile(1, VECTORS), zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            d3, d4, d5 = zero_tile(1, VECTORS), zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            if iw + j >= 0 and iw + j < W:
                i = ((ih * W + iw + j) * C + c) * N + n
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
            _write_six(_b(d0, d1, d2, d3, d4, d5), v, start + (j * C + c) * run, 6 * place)
    every = live_lanes(WIDTH, VECTORS)
    for i in range(6):
        for c in range(C):
            k = start + (i * 6 * C + c) * run
            _write_six(_b(*_read_six(v, k, place, every)), v, k, place)


@jit_inline
def transform_outputs(ys, OH, OW, F, N, oh, ow, n, lanes, d, start, run):
    """``d[start + (k·F + f)·run …] = (A y Aᵀ)[k]`` for the 4×4 outputs y that begin at (oh, ow)."""
    row, place = OW * F * N, F * run
    for j in range(4):
        for f in range(F):
            y0, y1 = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            y2, y3 = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            if ow + j < OW:
                i = ((oh * OW + ow + j) * F + f) * N + n
                y0 = load_run(ys, i, VECTORS, lanes)
                if oh + 1 < OH:
                    y1 = load_run(ys, i + row, VECTORS, lanes)
                if oh + 2 < OH:
                    y2 = load_run(ys, i + 2 * row, VECTORS, lanes)
                if oh + 3 < OH:
                    y3 = load_run(ys, i + 3 * row, VECTORS, lanes)
            _write_six(_a(y0, y1, y2, y3), d, start + (j * F + f) * run, 6 * place)
    every = live_lanes(WIDTH, VECTORS)
    for i in range(6):
        for f in range(F):
            k = start + (i * 6 * F + f) * run
            y0 = load_run(d, k, VECTORS, every)
            y1 = load_run(d, k + place, VECTORS, every)
            y2 = load_run(d, k + 2 * place, VECTORS, every)
            y3 = load_run(d, k + 3 * place, VECTORS, every)
            _write_six(_a(y0, y1, y2, y3), d, k, place)


@jit_inline
def transform_back(m, rows, f, i):
    """The four values of ``Aᵀ m`` in row i, after `transform_columns_back`."""
    every = live_lanes(WIDTH, VECTORS)
    return _a_back(*_read_six(m, (i * 6 * rows + f) * WIDTH, rows * WIDTH, every))


@jit_inline
def transform_columns_back(m, rows, F):
    """``Aᵀ m`` of all columns, in place, for m (36, rows, WIDTH)."""
    every, place = live_lanes(WIDTH, VECTORS), rows * WIDTH
    for j in range(6):
        for f in range(F):
            k = (j * rows + f) * WIDTH
            s0, s1, s2, s3 = _a_back(*_read_six(m, k, 6 * place, every))
            write_tile(s0, m, k)
            write_tile(s1, m, k + 6 * place)
            write_tile(s2, m, k + 12 * place)
            write_tile(s3, m, k + 18 * place)


@jit_inline
def _read_six(v, k, step, lanes):
    return (
        load_run(v, k, VECTORS, lanes),
        load_run(v, k + step, VECTORS, lanes),
        load_run(v, k + 2 * step, VECTORS, lanes),
        load_run(v, k + 3 * step, VECTORS, lanes),
        load_run(v, k + 4 * step, VECTORS, lanes),
        load_run(v, k + 5 * step, VECTORS, lanes),
    )


@jit_inline
def _write_six(tiles, v, k, step):
    t0, t1, t2, t3, t4, t5 = tiles
    write_tile(t0, v, k)
    write_tile(t1, v, k + step)
    write_tile(t2, v, k + 2 * step)
    write_tile(t3, v, k + 3 * step)
    write_tile(t4, v, k + 4 * step)
    write_tile(t5, v, k + 5 * step)
