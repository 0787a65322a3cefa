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

from pellucid.compiled.arithmetic import add, fma, turn
from pellucid.compiled.conv.deferred import normalized
from pellucid.compiled.jit import jit_apart, jit_inline
from pellucid.compiled.tile import (
    LANES,
    fetch_ahead,
    live_lanes,
    load_run,
    load_square,
    store_tile,
    write_tile,
    zero_tile,
)

VECTORS = 2
WIDTH = VECTORS * LANES
OUTPUTS = (16 * (WIDTH + 1) + 24) * LANES
"""How many numbers `transform_outputs` has to have room for."""

_QUARTER, _SIXTH, _TWELFTH, _TWENTYFOURTH = (np.float32(1 / n) for n in (4, 6, 12, 24))
_TWO, _FOUR, _FIVE, _EIGHT = np.float32(2), np.float32(4), np.float32(5), np.float32(8)
_MINUS, _ZERO = np.float32(-1), np.float32(0)


@jit_apart
def transform_weights(w, u, size):
    """``u[k] = (G w Gᵀ)[k]`` for kernels side by side: w (9, size), u (36, size)."""
    one = live_lanes(LANES, 1)
    for n in range(0, size, LANES):
        for j in range(3):
            w0 = load_run(w, j * size + n, 1, one)
            w1, w2 = (
                load_run(w, (3 + j) * size + n, 1, one),
                load_run(w, (6 + j) * size + n, 1, one),
            )
            write_six(_g(w0, w1, w2), u, j * size + n, 6 * size)
        for i in range(6):
            k = i * 6 * size + n
            w0, w1 = load_run(u, k, 1, one), load_run(u, k + size, 1, one)
            w2 = load_run(u, k + 2 * size, 1, one)
            write_six(_g(w0, w1, w2), u, k, size)


@jit_apart
def transform_weights_back(u, w):
    """``w[k] = (Gᵀ u G)[k]``, the adjoint, for one register of kernels: u (36, lanes), w (9, …)."""
    for j in range(6):
        w0, w1, w2 = _g_back(*_read_registers(u, j * LANES, 6 * LANES))
        write_tile(w0, u, j * LANES)
        write_tile(w1, u, (6 + j) * LANES)
        write_tile(w2, u, (12 + j) * LANES)
    for i in range(3):
        w0, w1, w2 = _g_back(*_read_registers(u, i * 6 * LANES, LANES))
        write_tile(w0, w, i * 3 * LANES)
        write_tile(w1, w, (i * 3 + 1) * LANES)
        write_tile(w2, w, (i * 3 + 2) * LANES)


@jit_inline
def _g(w0, w1, w2):
    """G w."""
    ends, far = add(w0, w2), fma(w2, _FOUR, w0)
    outer, wide = fma(ends, -_SIXTH, _ZERO), fma(far, _TWENTYFOURTH, _ZERO)
    return (
        fma(w0, _QUARTER, _ZERO),
        fma(w1, -_SIXTH, outer),
        fma(w1, _SIXTH, outer),
        fma(w1, _TWELFTH, wide),
        fma(w1, -_TWELFTH, wide),
        w2,
    )


@jit_inline
def _g_back(u0, u1, u2, u3, u4, u5):
    """Gᵀ u."""
    near, far = add(u1, u2), add(u3, u4)
    off1, off2 = fma(u1, _MINUS, u2), fma(u4, _MINUS, u3)
    return (
        fma(u0, _QUARTER, fma(near, -_SIXTH, fma(far, _TWENTYFOURTH, _ZERO))),
        fma(off1, _SIXTH, fma(off2, _TWELFTH, _ZERO)),
        fma(near, -_SIXTH, fma(far, _SIXTH, u5)),
    )


@jit_inline
def b_side(d0, d1, d2, d3, d4, d5):
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
def a_side_back(m0, m1, m2, m3, m4, m5):
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
def a_side(y0, y1, y2, y3):
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


@jit_apart
def transform_columns(xs, norm, H, W, C, N, ih, iw, n, lanes, v):
    """``v[i, j, c] = (Bᵀ d)[i, j]`` for the patch d at (ih, iw)."""
    row, place = W * C * N, C * WIDTH
    for j in range(6):
        for c in range(C):
            d0, d1, d2 = zero_tile(1, VECTORS), zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            d3, d4, d5 = zero_tile(1, VECTORS), zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            if iw + j >= 0 and iw + j < W:
                i = ((ih * W + iw + j) * C + c) * N + n
                if ih >= 0 and ih < H:
                    d0 = _load(xs, i, lanes, norm, c)
                if ih >= -1 and ih + 1 < H:
                    d1 = _load(xs, i + row, lanes, norm, c)
                if ih >= -2 and ih + 2 < H:
                    d2 = _load(xs, i + 2 * row, lanes, norm, c)
                if ih + 3 < H:
                    d3 = _load(xs, i + 3 * row, lanes, norm, c)
                if ih + 4 < H:
                    d4 = _load(xs, i + 4 * row, lanes, norm, c)
                if ih + 5 < H:
                    d5 = _load(xs, i + 5 * row, lanes, norm, c)
            write_six(b_side(d0, d1, d2, d3, d4, d5), v, j * place + c * WIDTH, 6 * place)


@jit_inline
def fetch_pixel(xs, H, W, C, N, h, w, n):
    """Ask for all channels of a pixel, if it exists, of the WIDTH images from n on.

    What lies beyond the image may be another thread's, and is slower to write once it was read.
    """
    inside = h >= 0 and h < H and w >= 0 and w < W
    for c in range(C if inside else 0):
        for m in range(n, n + WIDTH, LANES):
            fetch_ahead(xs, ((h * W + w) * C + c) * N + m)


@jit_inline
def _load(xs, i, lanes, norm, c):
    """Return a tile of x from place i on, of channel c, normalised if wanted."""
    run = load_run(xs, i, VECTORS, lanes)
    return normalized(run, norm, c) if norm.size > 0 else run


@jit_inline
def transform_rows(v, C):
    """``v[i, j, c] = (v B)[i, j]`` in place: with `transform_columns`, ``Bᵀ d B``."""
    every, place = live_lanes(WIDTH, VECTORS), C * WIDTH
    for i in range(6):
        for c in range(C):
            k = i * 6 * place + c * WIDTH
            write_six(b_side(*read_six(v, k, place, every)), v, k, place)


@jit_apart
def transform_outputs(ys, OH, OW, F, N, oh, ow, n, room, d, across, place):
    """``d[i, j, n, f] = (A y Aᵀ)[i, j]`` for the 4×4 outputs y at (oh, ow): the filters innermost.

    In d, images lie `across` numbers apart and places `place`.
    """
    one, pixel = live_lanes(LANES, 1), (WIDTH + 1) * LANES
    t = room[16 * pixel :]
    for f in range(0, F, LANES):
        for k in range(16):
            i, j = oh + k // 4, ow + k % 4
            for m in range(0, WIDTH, LANES):
                square = zero_tile(LANES, 1)
                if i < OH and j < OW and n + m < N:
                    start, images = ((i * OW + j) * F + f) * N + n + m, live_lanes(N - n - m, 1)
                    square = turn(load_square(ys, start, N, F - f, images))
                store_tile(square, room, k * pixel + m * LANES, LANES, LANES, one)
        for m in range(WIDTH):
            for j in range(4):
                six = a_side(*_read_four(room, j * pixel + m * LANES, 4 * pixel))
                write_six(six, t, j * LANES, 4 * LANES)
            for i in range(6):
                six = a_side(*_read_four(t, i * 4 * LANES, LANES))
                write_six(six, d, i * 6 * place + m * across + f, place)


@jit_inline
def transform_back(m, rows, f, i):
    """The four values of ``Aᵀ m`` in row i, after `transform_columns_back`."""
    every = live_lanes(WIDTH, VECTORS)
    return a_side_back(*read_six(m, (i * 6 * rows + f) * WIDTH, rows * WIDTH, every))


@jit_inline
def transform_columns_back(m, rows, F):
    """``Aᵀ m`` of all columns, in place, for m (36, rows, WIDTH)."""
    every, place = live_lanes(WIDTH, VECTORS), rows * WIDTH
    for j in range(6):
        for f in range(F):
            k = (j * rows + f) * WIDTH
            s0, s1, s2, s3 = a_side_back(*read_six(m, k, 6 * place, every))
            write_tile(s0, m, k)
            write_tile(s1, m, k + 6 * place)
            write_tile(s2, m, k + 12 * place)
            write_tile(s3, m, k + 18 * place)


@jit_inline
def _read_registers(v, k, step):
    """Return six runs of one register each, `step` numbers apart."""
    one = live_lanes(LANES, 1)
    return (
        load_run(v, k, 1, one),
        load_run(v, k + step, 1, one),
        load_run(v, k + 2 * step, 1, one),
        load_run(v, k + 3 * step, 1, one),
        load_run(v, k + 4 * step, 1, one),
        load_run(v, k + 5 * step, 1, one),
    )


@jit_inline
def _read_four(v, k, step):
    """Return four runs of one register each, `step` numbers apart."""
    one = live_lanes(LANES, 1)
    return (
        load_run(v, k, 1, one),
        load_run(v, k + step, 1, one),
        load_run(v, k + 2 * step, 1, one),
        load_run(v, k + 3 * step, 1, one),
    )


@jit_inline
def read_six(v, k, step, lanes):
    """Return six runs of VECTORS registers, `step` numbers apart."""
    return (
        load_run(v, k, VECTORS, lanes),
        load_run(v, k + step, VECTORS, lanes),
        load_run(v, k + 2 * step, VECTORS, lanes),
        load_run(v, k + 3 * step, VECTORS, lanes),
        load_run(v, k + 4 * step, VECTORS, lanes),
        load_run(v, k + 5 * step, VECTORS, lanes),
    )


@jit_inline
def write_six(tiles, v, k, step):
    """Write six tiles, `step` numbers apart."""
    t0, t1, t2, t3, t4, t5 = tiles
    write_tile(t0, v, k)
    write_tile(t1, v, k + step)
    write_tile(t2, v, k + 2 * step)
    write_tile(t3, v, k + 3 * step)
    write_tile(t4, v, k + 4 * step)
    write_tile(t5, v, k + 5 * step)
