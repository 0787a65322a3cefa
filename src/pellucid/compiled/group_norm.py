"""Group, instance and layer normalisation, compiled.

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
    flatten,
    in_lanes,
    new_array,
    unflatten,
)
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import fetch_runs_ahead, live_lanes, load_run, store_tile, zero_tile
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape


class GroupCache(NamedTuple):
    """What the gradient needs."""

    x: Array
    """The images, (N, C, H, W)."""
    mean: Array
    """Of a group, as a table, rounded to float32."""
    exact: Array
    """``1/√(var + eps)``, and what rounding took from the mean, (2, N, groups), float64."""


def group_norm(
    x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, object]:
    """Return y with mean and variance per image and group, the mean, the variance, and a cache."""
    if x.ndim > 4 or x.size == 0:
        return reference.group_norm(x, groups, weight, bias, eps)
    images = as_images(x)
    zeros, ones, _ = identity(x.shape[1])
    (mean, var), exact = np.zeros((2, len(x), groups), np.float32), np.zeros((2, len(x), groups))
    values = _by_image(images)
    moments, table = _tables(3, values), _tables(3, values)
    _moments(values, moments)
    _put_together(
        x.size, moments, values.shape[1], *_strides(images.shape), eps,
        ones if weight is None else weight, zeros if bias is None else bias,
        mean, var, exact, table,
    )  # fmt: skip
    y = new_array(images.shape)
    _normalize(values, table, _by_image(y))
    cache = GroupCache(images, table[0], exact)
    return y.reshape(x.shape), mean, var, cache


def group_norm_gradient(
    dy: Array, cache: object, weight: Array | None
) -> tuple[Array, Array | None, Array | None]:
    """Return dx, dweight and dbias (None and None without a weight)."""
    if not isinstance(cache, GroupCache):
        return reference.group_norm_gradient(dy, cache, weight)
    x, C = cache.x, dy.shape[1]
    values, slopes = _by_image(x), _by_image(as_images(dy))
    sums, table = _tables(2, values), _tables(3, values)
    _gradient_sums(slopes, values, cache.mean, sums)
    scale = identity(C)[1] if weight is None else weight
    strides = _strides(x.shape)
    _coefficients(x.size, sums, values.shape[1], *strides, cache.exact, scale, table)
    dx = new_array(x.shape)
    _before_norm(slopes, values, cache.mean, table, _by_image(dx))
    if weight is None:
        return dx.reshape(dy.shape), None, None
    gradients = np.empty((2, C), np.float32)
    _gradients(x.size, sums, *strides, cache.exact, gradients)
    return dx.reshape(dy.shape), gradients[0], gradients[1]


class LayerCache(NamedTuple):
    """What the gradient of layer normalisation needs, beside the shape of x."""

    group: GroupCache
    shape: Shape


def layer_norm(
    x: Array, axes: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, object]:
    """Return y with mean and variance over all axes of an image, and a cache.

    That is group normalisation of x (N, D) with a single group. Over fewer axes, NumPy computes it.
    """
    if axes != x.ndim - 1 or x.ndim not in (2, 4) or x.size == 0:
        return reference.layer_norm(x, axes, weight, bias, eps)
    w, b = (None if each is None else each.reshape(-1) for each in (weight, bias))
    y, _, _, cache = group_norm(flatten(x) if x.ndim == 4 else x, 1, w, b, eps)
    assert isinstance(cache, GroupCache)
    return unflatten(y, x.shape) if x.ndim == 4 else y, LayerCache(cache, x.shape)


def layer_norm_gradient(
    dy: Array, cache: object, weight: Array | None
) -> tuple[Array, Array | None, Array | None]:
    """Return dx, dweight and dbias (None and None without a weight)."""
    if not isinstance(cache, LayerCache):
        return reference.layer_norm_gradient(dy, cache, weight)
    flat = None if weight is None else weight.reshape(-1)
    given = flatten(dy) if dy.ndim == 4 else dy
    dx, dweight, dbias = group_norm_gradient(given, cache.group, flat)
    if dy.ndim == 4:
        dx = unflatten(dx, dy.shape)
    if weight is None or dweight is None or dbias is None:
        return dx, None, None
    return dx, dweight.reshape(weight.shape), dbias.reshape(weight.shape)


def _by_image(x: Array) -> Array:
    """Return images as (1, H·W, C·N), or channels last as (N, H·W, C)."""
    N, C, inner = *x.shape[:2], in_lanes(x)
    return inner.reshape(N, -1, C) if channels_innermost(x.shape) else inner.reshape(1, -1, C * N)


def _tables(count: int, values: Array) -> Array:
    """Return as many tables for images as `_by_image` returns them."""
    outer, _, inner = values.shape
    return empty((count, outer, inner), np.float32)


def _strides(shape: Shape) -> tuple[int, int]:
    """Return how far the numbers of two images, and of two channels, lie apart in a table."""
    return (shape[1], 1) if channels_innermost(shape) else (1, shape[0])


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
def _put_together(
    mine, moments, pixels, to_image, to_channel, eps, weight, bias, mean, var, exact, table
):
    """Write mean and var (N, groups), `GroupCache.exact`, and tables of (mean, scale, shift).

    ``Σ(x − mean)² = Σ_c (Σ(x − mean_c)² + pixels·(mean_c − mean)²)``.
    """
    near, rests, squares = moments[0].reshape(-1), moments[1].reshape(-1), moments[2].reshape(-1)
    starts, scales, shifts = table[0].reshape(-1), table[1].reshape(-1), table[2].reshape(-1)
    groups, C = mean.shape[1], len(weight)
    size = C // groups
    for n in share_of(mine, len(mean)):
        for g in range(groups):
            total, square = 0.0, 0.0
            for c in range(g * size, (g + 1) * size):
                at = n * to_image + c * to_channel
                total += near[at] + np.float64(rests[at]) / pixels
            m = total / size
            for c in range(g * size, (g + 1) * size):
                at = n * to_image + c * to_channel
                off = np.float64(rests[at]) / pixels
                square += squares[at] - pixels * off**2 + pixels * (near[at] + off - m) ** 2
            v = max(square / (pixels * size), 0.0)
            s = 1 / np.sqrt(v + eps)
            rounded = np.float32(m)
            mean[n, g], var[n, g], exact[0, n, g], exact[1, n, g] = m, v, s, m - rounded
            for c in range(g * size, (g + 1) * size):
                at = n * to_image + c * to_channel
                starts[at], scales[at] = rounded, s * weight[c]
                shifts[at] = bias[c] + (rounded - m) * s * weight[c]


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
def _coefficients(mine, sums, pixels, to_image, to_channel, exact, weight, table):
    """Write (a, b, c) of ``dx = a·dy + b·(x − mean) + c`` as tables.

    From ``dx = s·(w·dy − mean(w·dy) − x̂·mean(w·dy·x̂))`` with ``x̂ = (x − mean)·s`` it follows that
    a = s·w, b = −s²·mean(w·dy·x̂) and c = −s·mean(w·dy).
    """
    totals, products = sums[0].reshape(-1), sums[1].reshape(-1)
    first, second, third = table[0].reshape(-1), table[1].reshape(-1), table[2].reshape(-1)
    (_, N, groups), C = exact.shape, len(weight)
    size = C // groups
    for n in share_of(mine, N):
        for g in range(groups):
            s, rest, total, product = exact[0, n, g], exact[1, n, g], 0.0, 0.0
            for c in range(g * size, (g + 1) * size):
                at = n * to_image + c * to_channel
                total += weight[c] * np.float64(totals[at])
                product += weight[c] * (products[at] - rest * totals[at]) * s
            b = -s * s * product / (pixels * size)
            for c in range(g * size, (g + 1) * size):
                at = n * to_image + c * to_channel
                first[at], second[at] = s * weight[c], b
                third[at] = -s * total / (pixels * size) - b * rest


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
def _gradients(mine, sums, to_image, to_channel, exact, gradients):
    """Write dweight = Σ dy·x̂ and dbias = Σ dy over images and pixels."""
    totals, products = sums[0].reshape(-1), sums[1].reshape(-1)
    (_, N, groups), C = exact.shape, gradients.shape[1]
    size = C // groups
    for c in share_of(mine, C):
        dweight, dbias = 0.0, 0.0
        for n in range(N):
            at = n * to_image + c * to_channel
            s, rest = exact[0, n, c // size], exact[1, n, c // size]
            dweight += (products[at] - rest * totals[at]) * s
            dbias += totals[at]
        gradients[0, c], gradients[1, c] = dweight, dbias
