"""Winograd's transforms of patches with the channels in the lanes; see `conv.transforms`.

A patch is transformed for a few channels at a time, in a thread's own room of 36 × WIDTH numbers.
The 36 places of all patches then are 36 matrices of patches × channels, whose rows are as long as
`row_length` says.
"""

from pellucid.compiled.arithmetic import add, relu_tile
from pellucid.compiled.conv.deferred import normalized_tile
from pellucid.compiled.conv.transforms import (
    VECTORS,
    WIDTH,
    a_side,
    a_side_back,
    b_side,
    read_six,
    write_six,
)
from pellucid.compiled.jit import jit_inline
from pellucid.compiled.tile import LANES, live_lanes, load_run, store_tile, write_tile, zero_tile


def row_length(channels: int) -> int:
    """Return it: whole tiles wide, and no power of two, or rows would share few cache lines."""
    return -(-channels // WIDTH) * WIDTH + LANES


@jit_inline
def patch_of(item, across, down):
    """Return (image, row, column) of the 4×4 outputs with this number."""
    return item // (across * down), item // across % down * 4, item % across * 4


@jit_inline
def _load(xs, at, lanes, deferred, mean, scale, shift):
    run = load_run(xs, at, VECTORS, lanes)
    return normalized_tile(run, mean, scale, shift) if deferred else run


@jit_inline
def transform_inputs(xs, norm, H, W, C, n, ih, iw, room, v, at, step):
    """``v[k] = (Bᵀ d B)[k]`` for the patch d of image n at (ih, iw), from `at` on, `step` apart.

    d is normalised as it is read, if wanted.
    """
    every, row = live_lanes(WIDTH, VECTORS), W * C
    norms, deferred = norm.reshape(-1), norm.size > 0
    for c in range(0, C, WIDTH):
        lanes = live_lanes(C - c, VECTORS)
        mean, scale, shift = zero_tile(1, VECTORS), zero_tile(1, VECTORS), zero_tile(1, VECTORS)
        if deferred:
            mean = load_run(norms, c, VECTORS, lanes)
            scale = load_run(norms, C + c, VECTORS, lanes)
            shift = load_run(norms, 2 * C + c, VECTORS, lanes)
        for j in range(6):
            d0, d1, d2 = zero_tile(1, VECTORS), zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            d3, d4, d5 = zero_tile(1, VECTORS), zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            if iw + j >= 0 and iw + j < W:
                i = ((n * H + ih) * W + iw + j) * C + c
                if ih >= 0 and ih < H:
                    d0 = _load(xs, i, lanes, deferred, mean, scale, shift)
                if ih >= -1 and ih + 1 < H:
                    d1 = _load(xs, i + row, lanes, deferred, mean, scale, shift)
                if ih >= -2 and ih + 2 < H:
                    d2 = _load(xs, i + 2 * row, lanes, deferred, mean, scale, shift)
                if ih + 3 < H:
                    d3 = _load(xs, i + 3 * row, lanes, deferred, mean, scale, shift)
                if ih + 4 < H:
                    d4 = _load(xs, i + 4 * row, lanes, deferred, mean, scale, shift)
                if ih + 5 < H:
                    d5 = _load(xs, i + 5 * row, lanes, deferred, mean, scale, shift)
            write_six(b_side(d0, d1, d2, d3, d4, d5), room, j * WIDTH, 6 * WIDTH)
        for i in range(6):
            six = b_side(*read_six(room, i * 6 * WIDTH, WIDTH, every))
            write_six(six, v, at + i * 6 * step + c, step)


@jit_inline
def transform_outputs(ys, OH, OW, F, n, oh, ow, room, d, at, step):
    """``d[k] = (A y Aᵀ)[k]`` for the 4×4 outputs y of image n at (oh, ow)."""
    every, row = live_lanes(WIDTH, VECTORS), OW * F
    for f in range(0, F, WIDTH):
        lanes = live_lanes(F - f, VECTORS)
        for j in range(4):
            y0, y1 = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            y2, y3 = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            if ow + j < OW:
                i = ((n * OH + oh) * OW + ow + j) * F + f
                y0 = load_run(ys, i, VECTORS, lanes)
                if oh + 1 < OH:
                    y1 = load_run(ys, i + row, VECTORS, lanes)
                if oh + 2 < OH:
                    y2 = load_run(ys, i + 2 * row, VECTORS, lanes)
                if oh + 3 < OH:
                    y3 = load_run(ys, i + 3 * row, VECTORS, lanes)
            write_six(a_side(y0, y1, y2, y3), room, j * WIDTH, 6 * WIDTH)
        for i in range(6):
            k = i * 6 * WIDTH
            y0, y1 = (
                load_run(room, k, VECTORS, every), load_run(room, k + WIDTH, VECTORS, every)
            )  # fmt: skip
            y2 = load_run(room, k + 2 * WIDTH, VECTORS, every)
            y3 = load_run(room, k + 3 * WIDTH, VECTORS, every)
            write_six(a_side(y0, y1, y2, y3), d, at + i * 6 * step + f, step)


@jit_inline
def transform_back(m, at, step, bias, room, ys, OH, OW, F, n, oh, ow, others, relu):
    """Write ``Aᵀ m A`` plus bias into the 4×4 outputs of image n at (oh, ow).

    `others`, if there are any, are added, and then negative numbers become 0 if `relu`.
    """
    every = live_lanes(WIDTH, VECTORS)
    for f in range(0, F, WIDTH):
        lanes = live_lanes(F - f, VECTORS)
        for j in range(6):
            six = read_six(m, at + j * step + f, 6 * step, every)
            s0, s1, s2, s3 = a_side_back(*six)
            write_tile(s0, room, j * WIDTH)
            write_tile(s1, room, (6 + j) * WIDTH)
            write_tile(s2, room, (12 + j) * WIDTH)
            write_tile(s3, room, (18 + j) * WIDTH)
        for i in range(min(4, OH - oh)):
            s0, s1, s2, s3 = a_side_back(*read_six(room, i * 6 * WIDTH, WIDTH, every))
            yi = ((n * OH + oh + i) * OW + ow) * F + f
            _store(s0, bias, f, others, relu, ys, yi, lanes)
            if ow + 1 < OW:
                _store(s1, bias, f, others, relu, ys, yi + F, lanes)
            if ow + 2 < OW:
                _store(s2, bias, f, others, relu, ys, yi + 2 * F, lanes)
            if ow + 3 < OW:
                _store(s3, bias, f, others, relu, ys, yi + 3 * F, lanes)


@jit_inline
def _store(run, bias, f, others, relu, ys, yi, lanes):
    run = add(run, load_run(bias, f, VECTORS, lanes))
    if len(others) > 0:
        run = add(run, load_run(others, yi, VECTORS, lanes))
    if relu:
        run = relu_tile(run)
    store_tile(run, ys, yi, 0, 1, lanes)
