"""Group and instance normalisation, compiled; layer normalisation is a group of all channels.

Images are (outer, pixels, inner): with the images in the lanes (1, H·W, C·N), channels last (N,
H·W, C). Then whatever belongs to one channel of one image is a table (outer, inner), and a pixel is
normalised with a table's numbers one after the other. Mean and variance are found for each channel
of each image first, and put together for the channels of a group.
"""

from typing import NamedTuple

import numpy as np

from pellucid.compiled.arithmetic import add, fma, subtract
from pellucid.compiled.epilogue import identity
from pellucid.compiled.epilogue_kernels import VECTORS, WIDTH
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit, jit_sized
from pellucid.compiled.layout import (
    as_images,
    channels_innermost,
    contiguous,
    in_lanes,
    new_array,
)
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import fetch_runs_ahead, live_lanes, load_run, store_tile, zero_tile
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

_IMAGES = 32  # whose numbers are put together side by side


class GroupCache(NamedTuple):
    """What the gradient needs."""

    x: Array
    """The images, (N, C, H, W)."""
    mean: Array
    """Of a group, as a table, rounded to float32."""
    exact: Array
    """``1/√(var + eps)``, and what rounding took from the mean, (2, groups, N), float64."""


def group_norm(
    x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, object]:
    """Return y with mean and variance per image and group, the mean, the variance, and a cache."""
    if x.ndim > 4 or x.size == 0:
        return reference.group_norm(x, groups, weight, bias, eps)
    images = as_images(x)
    zeros, ones, _ = identity(x.shape[1])
    (mean, var), exact = np.zeros((2, groups, len(x)), np.float32), np.zeros((2, groups, len(x)))
    values = _by_image(images)
    moments, numbers = _tables(3, values), empty((3, *images.shape[1::-1]), np.float32)
    _moments(values, moments)
    _put_together(
        x.size, _by_channel(moments, images.shape), values.shape[1], eps,
        ones if weight is None else weight, zeros if bias is None else bias,
        mean, var, exact, numbers,
    )  # fmt: skip
    y, table = new_array(images.shape), _from_channels(numbers)
    _normalize(values, table, _by_image(y))
    cache = GroupCache(images, table[0], exact)
    return y.reshape(x.shape), mean.T, var.T, cache


def group_norm_gradient(
    dy: Array, cache: object, weight: Array | None
) -> tuple[Array, Array | None, Array | None]:
    """Return dx, dweight and dbias (None and None without a weight)."""
    if not isinstance(cache, GroupCache):
        return reference.group_norm_gradient(dy, cache, weight)
    x, C = cache.x, dy.shape[1]
    values, slopes = _by_image(x), _by_image(as_images(dy))
    found, numbers = _tables(2, values), empty((3, C, len(x)), np.float32)
    _gradient_sums(slopes, values, cache.mean, found)
    scale, sums = identity(C)[1] if weight is None else weight, _by_channel(found, x.shape)
    _coefficients(x.size, sums, values.shape[1], cache.exact, scale, numbers)
    dx = new_array(x.shape)
    _before_norm(slopes, values, cache.mean, _from_channels(numbers), _by_image(dx))
    if weight is None:
        return dx.reshape(dy.shape), None, None
    gradients = np.empty((2, C), np.float32)
    _gradients(x.size, sums, cache.exact, gradients)
    return dx.reshape(dy.shape), gradients[0], gradients[1]


def _by_image(x: Array) -> Array:
    """Return images as (1, H·W, C·N), or channels last as (N, H·W, C)."""
    N, C, inner = *x.shape[:2], in_lanes(x)
    return inner.reshape(N, -1, C) if channels_innermost(x.shape) else inner.reshape(1, -1, C * N)


def _tables(count: int, values: Array) -> Array:
    """Return as many tables for images as `_by_image` returns them."""
    outer, _, inner = values.shape
    return empty((count, outer, inner), np.float32)


def _by_channel(tables: Array, shape: Shape) -> Array:
    """Return tables for images of `shape` as (count, C, N)."""
    N, C = shape[:2]
    if channels_innermost(shape):
        return contiguous(tables.transpose(0, 2, 1))
    return tables.reshape(-1, C, N)


def _from_channels(tables: Array) -> Array:
    """Return what `_by_channel` returned as tables (count, outer, inner) again."""
    count, C, N = tables.shape
    if channels_innermost((N, C)):
        return contiguous(tables.transpose(0, 2, 1))
    return tables.reshape(count, 1, C * N)


@jit
def _moments(mine, x, moments):
    """Write the mean m over the pixels of x, Σ(x − m) and Σ(x − m)² into three tables.

    The second would be 0 if m were not rounded.
    """
    outer, pixels, inner = x.shape
    xs, found, step = x.reshape(-1), moments.reshape(-1), outer * inner
    runs = -(-inner // WIDTH)
    share = np.float32(1) / np.float32(pixels)
    for item in share_of(mine, outer * runs):
        o, i = item // runs, item % runs * WIDTH
        lanes = live_lanes(inner - i, VECTORS)
        total = zero_tile(1, VECTORS)
        for p in range(pixels):
            total = add(total, load_run(xs, (o * pixels + p) * inner + i, VECTORS, lanes))
        mean = fma(total, share, zero_tile(1, VECTORS))
        rest, square = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
        for p in range(pixels):
            run = load_run(xs, (o * pixels + p) * inner + i, VECTORS, lanes)
            off = subtract(run, mean)
            rest, square = add(rest, off), fma(off, off, square)
        store_tile(mean, found, o * inner + i, 0, 1, lanes)
        store_tile(rest, found, step + o * inner + i, 0, 1, lanes)
        store_tile(square, found, 2 * step + o * inner + i, 0, 1, lanes)


@jit_sized
def _put_together(mine, moments, pixels, eps, weight, bias, mean, var, exact, table):
    """Write mean and var (groups, N), `GroupCache.exact`, and (mean, scale, shift) (3, C, N).

    ``Σ(x − mean)² = Σ_c (Σ(x − mean_c)² + pixels·(mean_c − mean)²)``.
    """
    near, rests, squares = moments[0], moments[1], moments[2]
    starts, scales, shifts = table[0], table[1], table[2]
    (groups, N), C = mean.shape, len(weight)
    size, pieces, share = C // groups, -(-N // _IMAGES), 1 / pixels
    for item in share_of(mine, groups * pieces):
        g, first = item // pieces, item % pieces * _IMAGES
        last = min(first + _IMAGES, N)
        channels = range(g * size, (g + 1) * size)
        # the images are the inner loop: it adds up in as many lanes as there are images
        m, v = exact[0, g, first:last], exact[1, g, first:last]
        rounded = mean[g, first:last]
        m[:], v[:] = 0, 0
        for c in channels:
            a, r = near[c, first:last], rests[c, first:last]
            for n in range(last - first):
                m[n] += a[n] + share * r[n]
        for n in range(last - first):
            m[n] /= size
        for c in channels:
            a, r, q = near[c, first:last], rests[c, first:last], squares[c, first:last]
            for n in range(last - first):
                off = share * r[n]
                v[n] += q[n] + pixels * ((a[n] + off - m[n]) ** 2 - off**2)
        for n in range(last - first):
            middle, variance = m[n], max(v[n] / (pixels * size), 0.0)
            rounded[n], var[g, first + n] = middle, variance
            m[n], v[n] = 1 / np.sqrt(variance + eps), middle - rounded[n]
        for c in channels:
            a, r, q = starts[c, first:last], scales[c, first:last], shifts[c, first:last]
            for n in range(last - first):
                a[n], r[n] = rounded[n], m[n] * weight[c]
                q[n] = bias[c] - v[n] * m[n] * weight[c]


@jit
def _normalize(mine, x, table, y):
    """``y = (x − mean)·scale + shift``."""
    outer, pixels, inner = x.shape
    xs, ys, numbers, step = x.reshape(-1), y.reshape(-1), table.reshape(-1), outer * inner
    for item in share_of(mine, outer * pixels):
        for i in range(0, inner, WIDTH):
            lanes, at = live_lanes(inner - i, VECTORS), item // pixels * inner + i
            fetch_runs_ahead(xs, item * inner + i, VECTORS)
            fetch_runs_ahead(ys, item * inner + i, VECTORS)
            run = load_run(xs, item * inner + i, VECTORS, lanes)
            off = subtract(run, load_run(numbers, at, VECTORS, lanes))
            scale = load_run(numbers, step + at, VECTORS, lanes)
            value = fma(off, scale, load_run(numbers, 2 * step + at, VECTORS, lanes))
            store_tile(value, ys, item * inner + i, 0, 1, lanes)


@jit
def _gradient_sums(mine, dy, x, mean, sums):
    """Write ``Σ dy`` and ``Σ dy·(x − mean)`` over the pixels into two tables."""
    outer, pixels, inner = x.shape
    xs, ds, ms, found = x.reshape(-1), dy.reshape(-1), mean.reshape(-1), sums.reshape(-1)
    runs = -(-inner // WIDTH)
    for item in share_of(mine, outer * runs):
        o, i = item // runs, item % runs * WIDTH
        lanes = live_lanes(inner - i, VECTORS)
        m = load_run(ms, o * inner + i, VECTORS, lanes)
        total, product = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
        for p in range(pixels):
            at = (o * pixels + p) * inner + i
            run = load_run(ds, at, VECTORS, lanes)
            off = subtract(load_run(xs, at, VECTORS, lanes), m)
            total, product = add(total, run), fma(run, off, product)
        store_tile(total, found, o * inner + i, 0, 1, lanes)
        store_tile(product, found, outer * inner + o * inner + i, 0, 1, lanes)


@jit_sized
def _coefficients(mine, sums, pixels, exact, weight, table):
    """Write (a, b, c) of ``dx = a·dy + b·(x − mean) + c`` as tables (3, C, N).

    From ``dx = s·(w·dy − mean(w·dy) − x̂·mean(w·dy·x̂))`` with ``x̂ = (x − mean)·s`` it follows that
    a = s·w, b = −s²·mean(w·dy·x̂) and c = −s·mean(w·dy).
    """
    totals, products = sums[0], sums[1]
    (_, groups, N), C = exact.shape, len(weight)
    size, pieces = C // groups, -(-N // _IMAGES)
    for item in share_of(mine, groups * pieces):
        g, first = item // pieces, item % pieces * _IMAGES
        last = min(first + _IMAGES, N)
        s, rest = exact[0, g, first:last], exact[1, g, first:last]
        total, product = np.zeros(last - first), np.zeros(last - first)
        for c in range(g * size, (g + 1) * size):
            t, p = totals[c, first:last], products[c, first:last]
            for n in range(last - first):
                total[n] += weight[c] * np.float64(t[n])
                product[n] += weight[c] * (p[n] - rest[n] * t[n])
        for n in range(last - first):
            product[n] *= -(s[n] ** 3) / (pixels * size)
            total[n] = -s[n] * total[n] / (pixels * size) - product[n] * rest[n]
        for c in range(g * size, (g + 1) * size):
            d, e, f = table[0, c, first:last], table[1, c, first:last], table[2, c, first:last]
            for n in range(last - first):
                d[n], e[n], f[n] = s[n] * weight[c], product[n], total[n]


@jit
def _before_norm(mine, dy, x, mean, table, dx):
    """``dx = a·dy + b·(x − mean) + c``."""
    outer, pixels, inner = x.shape
    xs, ds, dxs, ms = x.reshape(-1), dy.reshape(-1), dx.reshape(-1), mean.reshape(-1)
    numbers, step = table.reshape(-1), outer * inner
    for item in share_of(mine, outer * pixels):
        for i in range(0, inner, WIDTH):
            lanes, at = live_lanes(inner - i, VECTORS), item // pixels * inner + i
            fetch_runs_ahead(xs, item * inner + i, VECTORS)
            fetch_runs_ahead(ds, item * inner + i, VECTORS)
            fetch_runs_ahead(dxs, item * inner + i, VECTORS)
            run = load_run(xs, item * inner + i, VECTORS, lanes)
            off = subtract(run, load_run(ms, at, VECTORS, lanes))
            b = load_run(numbers, step + at, VECTORS, lanes)
            rest = fma(off, b, load_run(numbers, 2 * step + at, VECTORS, lanes))
            run = load_run(ds, item * inner + i, VECTORS, lanes)
            value = fma(run, load_run(numbers, at, VECTORS, lanes), rest)
            store_tile(value, dxs, item * inner + i, 0, 1, lanes)


@jit_sized
def _gradients(mine, sums, exact, gradients):
    """Write dweight = Σ dy·x̂ and dbias = Σ dy over images and pixels."""
    totals, products = sums[0], sums[1]
    (_, groups, N), C = exact.shape, gradients.shape[1]
    for c in share_of(mine, C):
        s, rest = exact[0, c // (C // groups)], exact[1, c // (C // groups)]
        dweight, dbias = 0.0, 0.0
        for n in range(N):
            dweight += (products[c, n] - rest[n] * totals[c, n]) * s[n]
            dbias += totals[c, n]
        gradients[0, c], gradients[1, c] = dweight, dbias
