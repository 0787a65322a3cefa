"""What follows a convolution, in one pass: scale and shift, shortcut, ReLU, max-pooling.

::

    y = pool(relu(z · scale[c] + shift[c] + shortcut))

Batch normalisation is this with scale = w/√(var + eps) and shift = b − mean·scale; ReLU and
max-pooling alone are this with scale 1 and shift 0. Each step alone would read and write the whole
array once, and that, not the arithmetic, is what it costs.
"""

from typing import NamedTuple

import numba
import numpy as np

from pellucid.compiled.conv.taps import forward_taps, gradient_taps
from pellucid.compiled.jit import jit
from pellucid.compiled.layout import images, memory
from pellucid.compiled.tile import (
    LANES,
    above,
    add,
    add_sums,
    choose,
    either,
    equal,
    fma,
    live_lanes,
    load_bytes,
    load_run,
    read_tile,
    relu_tile,
    store_bytes,
    store_tile,
    unequal,
    write_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.types import Array
from pellucid.workspace import empty

VECTORS = 4
WIDTH = VECTORS * LANES


@jit
def _statistics(z, means, squares):
    """Means and sums of squares about them, of each row of pixels, per channel."""
    H, W, C, N = z.shape
    zs, count = z.reshape(-1), np.float32(W * N)
    for h in numba.prange(H):
        totals, sums = np.zeros(C * WIDTH, np.float32), np.zeros(VECTORS, np.float32)
        for w in range(W):
            for c in range(C):
                total = read_tile(1, VECTORS, totals, c * WIDTH)
                for n in range(0, N, WIDTH):
                    lanes = live_lanes(N - n, VECTORS)
                    total = add(total, load_run(zs, ((h * W + w) * C + c) * N + n, VECTORS, lanes))
                write_tile(total, totals, c * WIDTH)
        for c in range(C):
            sums[:] = 0
            add_sums(read_tile(1, VECTORS, totals, c * WIDTH), sums, 0, VECTORS)
            means[h, c] = sums.sum() / count
        totals[:] = 0
        for w in range(W):
            for c in range(C):
                total = read_tile(1, VECTORS, totals, c * WIDTH)
                for n in range(0, N, WIDTH):
                    lanes = live_lanes(N - n, VECTORS)
                    run = load_run(zs, ((h * W + w) * C + c) * N + n, VECTORS, lanes)
                    # places that are not alive hold 0 and must not count
                    off = choose(lanes, add(run, -means[h, c]), np.float32(0))
                    total = fma(off, off, total)
                write_tile(total, totals, c * WIDTH)
        for c in range(C):
            sums[:] = 0
            add_sums(read_tile(1, VECTORS, totals, c * WIDTH), sums, 0, VECTORS)
            squares[h, c] = sums.sum()


def statistics(z: Array) -> tuple[Array, Array]:
    """Return mean and variance of each channel of z (H, W, C, N), in float64.

    Each row of pixels is summed by itself, then the rows are put together: the mean of means, and
    ``Σ(z − mean)² = Σ_rows (Σ(z − mean_row)² + count·(mean_row − mean)²)``.
    Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983.
    """
    H, W, C, N = z.shape
    means, squares = np.empty((H, C), np.float32), np.empty((H, C), np.float32)
    _statistics(z, means, squares)
    mean = means.mean(axis=0, dtype=np.float64)
    spread = ((means - mean) ** 2).mean(axis=0)
    return mean, squares.sum(axis=0, dtype=np.float64) / (H * W * N) + spread


@jit
def _finish(z, scale, shift, shortcut, add_shortcut, relu, y):
    H, W, C, N = z.shape
    zs, ss, ys = z.reshape(-1), shortcut.reshape(-1), y.reshape(-1)
    for position in numba.prange(H * W):
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                i = (position * C + c) * N + n
                value = fma(load_run(zs, i, VECTORS, lanes), scale[c], shift[c])
                if add_shortcut:
                    value = add(value, load_run(ss, i, VECTORS, lanes))
                if relu:
                    value = relu_tile(value)
                store_tile(value, ys, i, N, 1, lanes)


@jit
def _finish_pooled(
    z, scale, shift, relu, y, winner, winning,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length, KW,
):  # fmt: skip
    _, W, C, N = z.shape
    OH, OW = y.shape[:2]
    zs, ys, taps, values = z.reshape(-1), y.reshape(-1), winner.reshape(-1), winning.reshape(-1)
    for position in numba.prange(OH * OW):
        oh, ow = position // OW, position % OW
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                best = add(zero_tile(1, VECTORS), np.float32(-np.inf))
                tap, won = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
                first = True
                for i in range(row_first[oh], row_first[oh + 1]):
                    for r in range(row_length[i]):
                        for j in range(column_first[ow], column_first[ow + 1]):
                            for s in range(column_length[j]):
                                pixel = (row_source[i] + r) * W + column_source[j] + s
                                k = np.float32((row_tap[i] + r) * KW + column_tap[j] + s)
                                value = load_run(zs, (pixel * C + c) * N + n, VECTORS, lanes)
                                scaled = fma(value, scale[c], shift[c])
                                # the first of equal maxima wins, and what is not a number wins
                                better = either(above(scaled, best), unequal(scaled, scaled))
                                if first:  # it wins whatever it is, even −∞
                                    better = either(better, equal(scaled, scaled))
                                    first = False
                                best = choose(better, scaled, best)
                                tap = choose(better, k, tap)
                                won = choose(better, value, won)
                o = (position * C + c) * N + n
                if relu:
                    best = relu_tile(best)
                store_tile(best, ys, o, N, 1, lanes)
                store_tile(won, values, o, N, 1, lanes)
                store_bytes(tap, taps, o, lanes)


@jit
def _gradient_sums(dy, y, z, relu, sums):
    """Per row of pixels and channel: Σ dn and Σ dn·z, where dn = dy if y > 0."""
    H, W, C, N = dy.shape
    ds, ys, zs = dy.reshape(-1), y.reshape(-1), z.reshape(-1)
    for h in numba.prange(H):
        totals, products = np.zeros(C * WIDTH, np.float32), np.zeros(C * WIDTH, np.float32)
        for w in range(W):
            for c in range(C):
                total = read_tile(1, VECTORS, totals, c * WIDTH)
                product = read_tile(1, VECTORS, products, c * WIDTH)
                for n in range(0, N, WIDTH):
                    lanes = live_lanes(N - n, VECTORS)
                    i = ((h * W + w) * C + c) * N + n
                    dn = load_run(ds, i, VECTORS, lanes)
                    if relu:
                        alive = above(load_run(ys, i, VECTORS, lanes), np.float32(0))
                        dn = choose(alive, dn, np.float32(0))
                    total = add(total, dn)
                    product = fma(dn, load_run(zs, i, VECTORS, lanes), product)
                write_tile(total, totals, c * WIDTH)
                write_tile(product, products, c * WIDTH)
        found = np.zeros(2 * VECTORS, np.float32)
        for c in range(C):
            found[:] = 0
            add_sums(read_tile(1, VECTORS, totals, c * WIDTH), found, 0, VECTORS)
            add_sums(read_tile(1, VECTORS, products, c * WIDTH), found, VECTORS, VECTORS)
            sums[0, h, c] = found[:VECTORS].sum()
            sums[1, h, c] = found[VECTORS:].sum()


def gradient_sums(dy: Array, y: Array, z: Array, relu: bool) -> tuple[Array, Array]:
    """Return per channel Σ dn and Σ dn·z in float64, where dn = dy where the ReLU let y through."""
    H, _, C, _ = dy.shape
    sums = np.empty((2, H, C), np.float32)
    _gradient_sums(dy, y, z, relu, sums)
    first, second = sums.sum(axis=1, dtype=np.float64)
    return first, second


@jit
def _gradient(dy, y, z, relu, scaled, a, b, c0, dz, dn_out, keep_dn):
    """``dz = a·dn + b·z + c0`` per channel if scaled, else dn, where dn = dy if y > 0."""
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
                if relu:
                    alive = above(load_run(ys, i, VECTORS, lanes), np.float32(0))
                    dn = choose(alive, dn, np.float32(0))
                if keep_dn:
                    store_tile(dn, dns, i, N, 1, lanes)
                if scaled:
                    dn = fma(dn, a[c], fma(load_run(zs, i, VECTORS, lanes), b[c], c0[c]))
                store_tile(dn, dzs, i, N, 1, lanes)


@jit
def _gradient_apart(dy, y, winner, z, relu, scaled, a, b, c0, dz, KH, KW):
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
                        rest = fma(load_run(zs, p, VECTORS, lanes), b[c], c0[c])
                        part = fma(part, a[c], rest)
                    store_tile(part, dzs, p, N, 1, lanes)


@jit
def _gradient_pooled(
    dy, y, winner, z, relu, scaled, a, b, c0, dz,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length, KH, KW,
):  # fmt: skip
    """The same for any windows: a pixel has the dy of each that it won."""
    H, W, C, N = dz.shape
    OW = dy.shape[1]
    ds, ys, taps = dy.reshape(-1), y.reshape(-1), winner.reshape(-1)
    zs, dzs = z.reshape(-1), dz.reshape(-1)
    for position in numba.prange(H * W):
        h, w = position // W, position % W
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                dn = zero_tile(1, VECTORS)
                for i in range(row_first[h], row_first[h + 1]):
                    for r in range(row_length[i]):
                        for j in range(column_first[w], column_first[w + 1]):
                            for s in range(column_length[j]):
                                output = (row_source[i] + r) * OW + column_source[j] + s
                                turned = (row_tap[i] + r) * KW + column_tap[j] + s
                                k = np.float32(KH * KW - 1 - turned)
                                o = (output * C + c) * N + n
                                part = load_run(ds, o, VECTORS, lanes)
                                won = equal(load_bytes(taps, o, VECTORS, lanes), k)
                                part = choose(won, part, np.float32(0))
                                if relu:
                                    alive = above(load_run(ys, o, VECTORS, lanes), np.float32(0))
                                    part = choose(alive, part, np.float32(0))
                                dn = add(dn, part)
                p = (position * C + c) * N + n
                if scaled:
                    dn = fma(dn, a[c], fma(load_run(zs, p, VECTORS, lanes), b[c], c0[c]))
                store_tile(dn, dzs, p, N, 1, lanes)


class Finished(NamedTuple):
    """What the gradient needs, in memory order (H, W, C, N)."""

    z: Array
    y: Array
    relu: bool
    shortcut: bool = False
    window: Window | None = None
    winner: Array | None = None
    winning: Array | None = None
    mean: Array | None = None
    inv_std: Array | None = None


def finish(
    z: Array,
    scale: Array | None = None,
    shift: Array | None = None,
    shortcut: Array | None = None,
    relu: bool = True,
    window: Window | None = None,
) -> tuple[Array, Finished]:
    """Return ``y = pool(relu(z · scale[c] + shift[c] + shortcut))`` and what its gradient needs."""
    N, C = z.shape[:2]
    inner = memory(z)
    a = np.ones(C, np.float32) if scale is None else scale.astype(np.float32)
    b = np.zeros(C, np.float32) if shift is None else shift.astype(np.float32)
    if window is None:
        y = empty(inner.shape, np.float32)
        around = inner if shortcut is None else memory(shortcut)
        _finish(inner, a, b, around, shortcut is not None, relu, y)
        return images(y), Finished(inner, y, relu, shortcut is not None)
    if shortcut is not None:
        inner = memory(finish(z, scale, shift, shortcut, relu=False)[0])
        a, b = np.ones(C, np.float32), np.zeros(C, np.float32)
    rows, columns = forward_taps(window)
    shape = (*window.output_size, C, N)
    y, winning, winner = empty(shape, np.float32), empty(shape, np.float32), empty(shape, np.uint8)
    _finish_pooled(inner, a, b, relu, y, winner, winning, *rows, *columns, window.kernel[1])
    return images(y), Finished(inner, y, relu, shortcut is not None, window, winner, winning)


def finish_gradient(dy: Array, cache: Finished) -> tuple[Array, Array | None, Array]:
    """Return the gradients for z, the shortcut (None if there was none) and a bias in z.

    Each dy that the ReLU lets through goes to one pixel, so the bias has their sum.
    """
    dn, _ = before(dy, cache)
    total, _ = gradient_sums(memory(dy), cache.y, cache.y, cache.relu)
    return dn, dn if cache.shortcut else None, total.astype(np.float32)


def normalize_finish(
    z: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    shortcut: Array | None,
    relu: bool,
    window: Window | None,
) -> tuple[Array, Array, Array, Finished]:
    """Return y with batch normalisation in training first, its mean and variance, and the cache.

    The normalisation is one factor and one offset a channel, found before the pass.
    """
    inner = memory(z)
    mean, var = statistics(inner)
    inv_std = 1 / np.sqrt(var + eps)
    scale, shift = affine(weight, bias, mean, inv_std)
    y, cache = finish(z, scale, shift, shortcut, relu, window)
    cache = cache._replace(mean=mean, inv_std=inv_std, z=inner)
    return y, mean.astype(z.dtype), var.astype(z.dtype), cache


def normalize_finish_gradient(
    dy: Array, cache: Finished, weight: Array | None
) -> tuple[Array, Array | None, Array, Array]:
    """Return the gradients for z, the shortcut, weight and bias.

    From ``dz = s·w·(dn − mean(dn) − x̂·mean(dn·x̂))`` with ``x̂ = (z − mean)·s`` it follows that
    ``dz = a·dn + b·z + c`` with a = s·w, b = −a·s·mean(dn·x̂) and c = −a·mean(dn) − b·mean: two sums
    over all positions, then one pass.
    """
    if cache.window is not None and cache.shortcut:  # rare: pool first, then as without
        dy, _ = before(dy, cache)
        cache = cache._replace(y=memory(dy), relu=False, window=None, winning=None)
    s, mean = cache.inv_std, cache.mean
    assert s is not None
    z = cache.z if cache.winning is None else cache.winning
    total, product = gradient_sums(memory(dy), cache.y, z, cache.relu)
    dweight = (product - mean * total) * s  # Σ dn·x̂
    count = cache.z.size // cache.z.shape[2]
    a = s if weight is None else s * weight
    b = -a * s * dweight / count
    c = -a * total / count - b * mean
    dz, dn = before(dy, cache, (a, b, c))
    return dz, dn, dweight.astype(np.float32), total.astype(np.float32)


def affine(
    weight: Array | None, bias: Array | None, mean: Array, inv_std: Array
) -> tuple[Array, Array]:
    """Return scale and shift with ``(x − mean)·inv_std·w + b = x·scale + shift``."""
    scale = inv_std if weight is None else inv_std * weight
    shift = -mean * scale
    return scale, shift if bias is None else shift + bias


def before(
    dy: Array, cache: Finished, coefficients: tuple[Array, Array, Array] | None = None
) -> tuple[Array, Array | None]:
    """Return ``dz = a·dn + b·z + c``, or dn without coefficients, and dn for a shortcut."""
    inner, C = memory(dy), dy.shape[1]
    dz = empty(cache.z.shape, np.float32)
    scaled, keep = coefficients is not None, coefficients is not None and cache.shortcut
    zeros = np.zeros(C, np.float32)
    a, b, c = (v.astype(np.float32) for v in coefficients or (zeros, zeros, zeros))
    if cache.window is None:
        dn = empty(cache.z.shape, np.float32) if keep else dz
        _gradient(inner, cache.y, cache.z, cache.relu, scaled, a, b, c, dz, dn, keep)
        return images(dz), images(dn) if keep else None
    if _cover(cache.window):
        _gradient_apart(
            inner, cache.y, cache.winner, cache.z, cache.relu, scaled, a, b, c, dz,
            *cache.window.kernel,
        )  # fmt: skip
        return images(dz), None
    rows, columns = gradient_taps(cache.window)
    _gradient_pooled(
        inner, cache.y, cache.winner, cache.z, cache.relu, scaled, a, b, c, dz,
        *rows, *columns, *cache.window.kernel,
    )  # fmt: skip
    return images(dz), None


def _cover(window: Window) -> bool:
    """Return whether the windows lie side by side and leave nothing out."""
    size = tuple(o * k for o, k in zip(window.output_size, window.kernel, strict=True))
    return window.kernel == window.stride and window.dilation == (1, 1) and size == window.size
