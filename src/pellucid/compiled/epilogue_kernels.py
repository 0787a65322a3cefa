"""The passes over memory that an epilogue is made of, as kernels over arrays (H, W, C, N)."""

import numba
import numpy as np

from pellucid.compiled.arithmetic import (
    above,
    add,
    choose,
    either,
    equal,
    fma,
    relu_tile,
    tile_sum,
    unequal,
)
from pellucid.compiled.channels import normalization, normalization_gradient
from pellucid.compiled.jit import jit, jit_inline
from pellucid.compiled.tile import (
    LANES,
    live_lanes,
    load_bytes,
    load_run,
    store_bytes,
    store_tile,
    zero_tile,
)

VECTORS = 4
WIDTH = VECTORS * LANES
PART = 16
"""Pixels that are summed together, channel by channel, so that the sums stay in registers.

With more, the next channel's numbers would be read too late after their neighbours'.
"""


@jit
def statistics(z, eps, weight, bias, moments, norm, found):
    """Write mean and variance of each channel of z into moments and found; then see `channels`.

    Each part is read once: ``Σ(z − mean)² = Σ(z − m)² − count·(mean − m)²`` for any m, and where m
    is near the mean, here that of the part's first pixel, little is subtracted. Then the parts are
    put together: ``Σ(z − mean)² = Σ_parts (Σ(z − mean_part)² + count·(mean_part − mean)²)``.
    Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983.
    """
    H, W, C, N = z.shape
    zs, pixels = z.reshape(-1), H * W
    parts = -(-pixels // PART)
    means, squares = np.empty((parts, C)), np.empty((parts, C))
    for part in numba.prange(parts):
        first, end = part * PART, min((part + 1) * PART, pixels)
        for c in range(C):
            total = zero_tile(1, VECTORS)
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                total = add(total, load_run(zs, (first * C + c) * N + n, VECTORS, lanes))
            near = tile_sum(total) / np.float32(N)
            rest, square = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            for pixel in range(first, end):
                for n in range(0, N, WIDTH):
                    lanes = live_lanes(N - n, VECTORS)
                    run = load_run(zs, (pixel * C + c) * N + n, VECTORS, lanes)
                    # places that are not alive hold 0 and must not count
                    off = choose(lanes, add(run, -near), np.float32(0))
                    rest, square = add(rest, off), fma(off, off, square)
            count = np.float64((end - first) * N)
            off_mean = tile_sum(rest) / count
            means[part, c] = near + off_mean
            squares[part, c] = tile_sum(square) - count * off_mean**2
    moments[:] = 0
    for part in range(parts):
        share = min(PART, pixels - part * PART) / pixels
        for c in range(C):
            moments[0, c] += share * means[part, c]
    for part in range(parts):
        share = min(PART, pixels - part * PART) / pixels
        for c in range(C):
            apart = means[part, c] - moments[0, c]
            moments[1, c] += squares[part, c] / (pixels * N) + share * apart**2
    normalization(moments, eps, weight, bias, norm)
    found[0], found[1] = moments[0], moments[1]


@jit
def epilogue_kernel(z, norm, shortcut, add_shortcut, relu, y):
    """``y = relu((z − mean)·scale + shift + shortcut)``, all (H, W, C, N), in one pass.

    norm (3, C). Called for epilogues without pooling, and to write images whose norm was deferred.
    """
    H, W, C, N = z.shape
    zs, ss, ys = z.reshape(-1), shortcut.reshape(-1), y.reshape(-1)
    for position in numba.prange(H * W):
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                i = (position * C + c) * N + n
                value = add(load_run(zs, i, VECTORS, lanes), -norm[0, c])
                value = fma(value, norm[1, c], norm[2, c])
                if add_shortcut:
                    value = add(value, load_run(ss, i, VECTORS, lanes))
                if relu:
                    value = relu_tile(value)
                store_tile(value, ys, i, N, 1, lanes)


@jit_inline
def _window_taps(
    row, column, width, kernel_width, pixels, taps,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length,
):  # fmt: skip
    """List which pixel each tap of one window meets; return how many do."""
    count = 0
    for i in range(row_first[row], row_first[row + 1]):
        for r in range(row_length[i]):
            for j in range(column_first[column], column_first[column + 1]):
                for s in range(column_length[j]):
                    pixels[count] = (row_source[i] + r) * width + column_source[j] + s
                    taps[count] = (row_tap[i] + r) * kernel_width + column_tap[j] + s
                    count += 1
    return count


@jit
def pooled_epilogue_kernel(
    z, norm, relu, y, winner, winning, KH, KW,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length,
):  # fmt: skip
    """``y = pool(relu((z − mean)·scale + shift))`` in one pass: z (H, W, C, N), y (OH, OW, C, N).

    winner (OH, OW, C, N) is the tap that won, as a byte, and winning the z that it read.
    """
    _, W, C, N = z.shape
    OH, OW = y.shape[:2]
    zs, ys, winners, values = z.reshape(-1), y.reshape(-1), winner.reshape(-1), winning.reshape(-1)
    for position in numba.prange(OH * OW):
        pixels, taps = np.zeros(KH * KW, np.int64), np.zeros(KH * KW, np.int64)
        count = _window_taps(
            position // OW, position % OW, W, KW, pixels, taps,
            row_first, row_tap, row_source, row_length,
            column_first, column_tap, column_source, column_length,
        )  # fmt: skip
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                # the first tap wins whatever it is, even −∞
                best = add(zero_tile(1, VECTORS), np.float32(-np.inf))
                tap = add(zero_tile(1, VECTORS), np.float32(taps[0]))
                won = load_run(zs, (pixels[0] * C + c) * N + n, VECTORS, lanes)
                for k in range(count):
                    value = load_run(zs, (pixels[k] * C + c) * N + n, VECTORS, lanes)
                    scaled = fma(add(value, -norm[0, c]), norm[1, c], norm[2, c])
                    # the first of equal maxima wins, and what is not a number wins
                    better = either(above(scaled, best), unequal(scaled, scaled))
                    best = choose(better, scaled, best)
                    tap = choose(better, np.float32(taps[k]), tap)
                    won = choose(better, value, won)
                o = (position * C + c) * N + n
                if relu:
                    best = relu_tile(best)
                store_tile(best, ys, o, N, 1, lanes)
                store_tile(won, values, o, N, 1, lanes)
                store_bytes(tap, winners, o, lanes)


@jit
def gradient_sums(dy, y, z, norm, relu, own, moments, weight, count, gradients, coefficients):
    """Take the sums Σ dn and Σ dn·(z − mean) of each channel, where dn = dy if y > 0.

    What follows from them, `channels` says. If y is z's `own`, without a shortcut, it is worked out
    again: that is faster than to read it.
    """
    H, W, C, N = dy.shape
    ds, ys, zs, pixels = dy.reshape(-1), y.reshape(-1), z.reshape(-1), H * W
    parts = -(-pixels // PART)
    found, sums = np.empty((parts, 2, C)), np.zeros((2, C))
    for part in numba.prange(parts):
        for c in range(C):
            total, product = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            for pixel in range(part * PART, min((part + 1) * PART, pixels)):
                for n in range(0, N, WIDTH):
                    lanes = live_lanes(N - n, VECTORS)
                    i = (pixel * C + c) * N + n
                    dn = load_run(ds, i, VECTORS, lanes)
                    off = add(load_run(zs, i, VECTORS, lanes), -norm[0, c])
                    if relu:
                        value = fma(off, norm[1, c], norm[2, c])
                        if not own:
                            value = load_run(ys, i, VECTORS, lanes)
                        dn = choose(above(value, np.float32(0)), dn, np.float32(0))
                    total, product = add(total, dn), fma(dn, off, product)
            found[part, 0, c], found[part, 1, c] = tile_sum(total), tile_sum(product)
    for part in range(parts):
        for k in range(2):
            for c in range(C):
                sums[k, c] += found[part, k, c]
    normalization_gradient(sums, moments, norm, weight, count, gradients, coefficients)


@jit
def gradient_kernel(dy, y, z, norm, relu, own, scaled, abc, dz, dn_out, keep_dn):
    """``dz = a·dn + b·(z − mean) + c`` per channel if scaled, else dn, where dn = dy if y > 0."""
    H, W, C, N = dy.shape
    ds, ys, zs, dzs, dns = (
        dy.reshape(-1), y.reshape(-1), z.reshape(-1), dz.reshape(-1), dn_out.reshape(-1)
    )  # fmt: skip
    for position in numba.prange(H * W):
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                i = (position * C + c) * N + n
                dn = load_run(ds, i, VECTORS, lanes)
                off = zero_tile(1, VECTORS)
                if scaled or own:
                    off = add(load_run(zs, i, VECTORS, lanes), -norm[0, c])
                if relu:
                    value = fma(off, norm[1, c], norm[2, c])
                    if not own:
                        value = load_run(ys, i, VECTORS, lanes)
                    dn = choose(above(value, np.float32(0)), dn, np.float32(0))
                if keep_dn:
                    store_tile(dn, dns, i, N, 1, lanes)
                if scaled:
                    dn = fma(dn, abc[0, c], fma(off, abc[1, c], abc[2, c]))
                store_tile(dn, dzs, i, N, 1, lanes)


@jit
def disjoint_pooled_gradient_kernel(dy, y, winner, z, norm, relu, scaled, abc, dz, KH, KW):
    """The same where y was pooled over windows that cover the image and do not overlap."""
    OH, OW, C, N = dy.shape
    W = dz.shape[1]
    ds, ys, taps = dy.reshape(-1), y.reshape(-1), winner.reshape(-1)
    zs, dzs = z.reshape(-1), dz.reshape(-1)
    for position in numba.prange(OH * OW):
        oh, ow = position // OW, position % OW
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                o = (position * C + c) * N + n
                dn, won = load_run(ds, o, VECTORS, lanes), load_bytes(taps, o, VECTORS, lanes)
                if relu:
                    alive = above(load_run(ys, o, VECTORS, lanes), np.float32(0))
                    dn = choose(alive, dn, np.float32(0))
                for k in range(KH * KW):
                    pixel = (oh * KH + k // KW) * W + ow * KW + k % KW
                    p = (pixel * C + c) * N + n
                    part = choose(equal(won, np.float32(k)), dn, np.float32(0))
                    if scaled:
                        off = add(load_run(zs, p, VECTORS, lanes), -norm[0, c])
                        part = fma(part, abc[0, c], fma(off, abc[1, c], abc[2, c]))
                    store_tile(part, dzs, p, N, 1, lanes)


@jit
def pooled_gradient_kernel(
    dy, y, winner, z, norm, relu, scaled, abc, dz, KH, KW,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length,
):  # fmt: skip
    """The same for any windows: a pixel has the dy of each that it won."""
    H, W, C, N = dz.shape
    OW = dy.shape[1]
    ds, ys, winners = dy.reshape(-1), y.reshape(-1), winner.reshape(-1)
    zs, dzs = z.reshape(-1), dz.reshape(-1)
    for position in numba.prange(H * W):
        outputs, turned = np.zeros(KH * KW, np.int64), np.zeros(KH * KW, np.int64)
        count = _window_taps(
            position // W, position % W, OW, KW, outputs, turned,
            row_first, row_tap, row_source, row_length,
            column_first, column_tap, column_source, column_length,
        )  # fmt: skip
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                dn = zero_tile(1, VECTORS)
                for k in range(count):
                    o = (outputs[k] * C + c) * N + n
                    tap = np.float32(KH * KW - 1 - turned[k])
                    won = equal(load_bytes(winners, o, VECTORS, lanes), tap)
                    part = choose(won, load_run(ds, o, VECTORS, lanes), np.float32(0))
                    if relu:
                        alive = above(load_run(ys, o, VECTORS, lanes), np.float32(0))
                        part = choose(alive, part, np.float32(0))
                    dn = add(dn, part)
                p = (position * C + c) * N + n
                if scaled:
                    off = add(load_run(zs, p, VECTORS, lanes), -norm[0, c])
                    dn = fma(dn, abc[0, c], fma(off, abc[1, c], abc[2, c]))
                store_tile(dn, dzs, p, N, 1, lanes)
