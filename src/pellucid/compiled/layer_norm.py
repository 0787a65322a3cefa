"""Layer normalisation over all axes of an image, compiled.

With the images in the lanes, (D, N), each lane has its own mean and variance, and each of the D
features its own weight and bias. Few images are normalised by `group_norm`, as a single group.
"""

from typing import NamedTuple

import numpy as np

from pellucid.compiled.arithmetic import add, fma, multiply, subtract, tile_sum
from pellucid.compiled.epilogue import identity
from pellucid.compiled.epilogue_kernels import VECTORS, WIDTH, put_together, read_ahead
from pellucid.compiled.fallback import reference
from pellucid.compiled.group_norm import GroupCache, group_norm, group_norm_gradient
from pellucid.compiled.jit import jit, jit_exact, jit_inline
from pellucid.compiled.layout import (
    as_images,
    channels_innermost,
    contiguous,
    flatten,
    in_lanes,
    new_array,
    unflatten,
)
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import fetch_runs_ahead, live_lanes, load_run, store_tile, zero_tile
from pellucid.runtime.workspace import empty
from pellucid.types import Array

_PART = 128  # features that are summed up in float32


class LayerCache(NamedTuple):
    """What the gradient needs."""

    x: Array
    """The images, (N, C, H, W)."""
    norm: Array
    """(mean, 1/√(var + eps), shift) of each image, where shift undoes the rounding of the mean."""


def layer_norm(
    x: Array, axes: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, object]:
    """Return y with mean and variance over all axes of an image, and a cache.

    Over fewer axes, NumPy computes it.
    """
    if axes != x.ndim - 1 or x.ndim > 4 or x.size == 0:
        return reference.layer_norm(x, axes, weight, bias, eps)
    images = as_images(x)
    if channels_innermost(images.shape):
        w, b = (None if each is None else each.reshape(-1) for each in (weight, bias))
        y, _, _, cache = group_norm(flatten(images), 1, w, b, eps)
        return unflatten(y, images.shape).reshape(x.shape), cache
    values, y = _by_feature(images), new_array(images.shape)
    D, N = values.shape
    parts, norm = empty((3 * -(-D // _PART), N), np.float32), empty((3, N), np.float32)
    zeros, ones, _ = identity(D)
    _statistics(values, parts)
    _norm_of_all(parts, values.size, eps, np.empty((2, N)), norm)
    scale, shift = _of_features(weight, ones), _of_features(bias, zeros)
    _normalize(values, norm, scale, shift, _by_feature(y))
    return y.reshape(x.shape), LayerCache(images, norm)


def layer_norm_gradient(
    dy: Array, cache: object, weight: Array | None
) -> tuple[Array, Array | None, Array | None]:
    """Return dx, dweight and dbias (None and None without a weight)."""
    if isinstance(cache, GroupCache):
        flat = None if weight is None else weight.reshape(-1)
        slopes = as_images(dy)
        dx, *gradients = group_norm_gradient(flatten(slopes), cache, flat)
        dweight, dbias = (None if g is None else g.reshape(dy.shape[1:]) for g in gradients)
        return unflatten(dx, slopes.shape).reshape(dy.shape), dweight, dbias
    if not isinstance(cache, LayerCache):
        return reference.layer_norm_gradient(dy, cache, weight)
    images, dx = as_images(dy), new_array(cache.x.shape)
    slopes, values = _by_feature(images), _by_feature(cache.x)
    D, N = values.shape
    parts, abc = empty((2 * -(-D // _PART), N), np.float32), empty((3, N), np.float32)
    found, scale = np.empty((2, D), np.float32), _of_features(weight, identity(D)[1])
    _gradient_sums(slopes, values, cache.norm, scale, parts, found)
    _coefficients(parts, D, cache.norm, abc)
    _before_norm(slopes, values, cache.norm, scale, abc, _by_feature(dx))
    if weight is None:
        return dx.reshape(dy.shape), None, None
    C, H, W = images.shape[1:]
    dweight, dbias = found.reshape(2, H, W, C).transpose(0, 3, 1, 2).reshape(2, *weight.shape)
    return dx.reshape(dy.shape), dweight, dbias


def _by_feature(images: Array) -> Array:
    """Return images as (H·W·C, N)."""
    return in_lanes(images).reshape(-1, len(images))


def _of_features(numbers: Array | None, otherwise: Array) -> Array:
    """Return the numbers of a weight or bias in the order of `_by_feature`."""
    if numbers is None:
        return otherwise
    return contiguous(as_images(numbers[None])[0].transpose(1, 2, 0)).reshape(-1)


@jit
def _statistics(mine, x, parts):
    """Write the mean m of each part of an image, Σ(x − m) and Σ(x − m)² into parts (3·parts, N).

    The second would be 0 if m were not rounded.
    """
    D, N = x.shape
    xs, found, widths = x.reshape(-1), parts.reshape(-1), -(-N // WIDTH)
    for item in share_of(mine, len(parts) // 3 * widths):
        part, n = item // widths, item % widths * WIDTH
        first, end = part * _PART, min((part + 1) * _PART, D)
        lanes, total = live_lanes(N - n, VECTORS), zero_tile(1, VECTORS)
        for d in range(first, end):
            total = add(total, load_run(xs, d * N + n, VECTORS, lanes))
        m = multiply(total, np.float32(1) / np.float32(end - first))
        rest, square = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
        for d in range(first, end):
            off = subtract(load_run(xs, d * N + n, VECTORS, lanes), m)
            rest, square = add(rest, off), fma(off, off, square)
        store_tile(m, found, 3 * part * N + n, 0, 1, lanes)
        store_tile(rest, found, (3 * part + 1) * N + n, 0, 1, lanes)
        store_tile(square, found, (3 * part + 2) * N + n, 0, 1, lanes)


@jit_exact
def _norm_of_all(parts, size, eps, moments, norm):
    """Write `LayerCache.norm` from what `_statistics` found in `size` numbers."""
    N = norm.shape[1]
    put_together(parts, _PART * N, size, moments)
    for n in range(N):
        mean, scale = np.float32(moments[0, n]), 1 / np.sqrt(moments[1, n] + eps)
        norm[0, n], norm[1, n], norm[2, n] = mean, scale, (mean - moments[0, n]) * scale


@jit_inline
def _normalized(x, i, norms, n, N, lanes):
    """Return ``x̂ = (x − mean)·scale + shift`` of a run x[i …] of the images from n on."""
    off = subtract(read_ahead(x, i, lanes), load_run(norms, n, VECTORS, lanes))
    scale = load_run(norms, N + n, VECTORS, lanes)
    return fma(off, scale, load_run(norms, 2 * N + n, VECTORS, lanes))


@jit
def _normalize(mine, x, norm, weight, bias, y):
    """``y = x̂·weight + bias``."""
    D, N = x.shape
    xs, ys, norms = x.reshape(-1), y.reshape(-1), norm.reshape(-1)
    for d in share_of(mine, D):
        for n in range(0, N, WIDTH):
            lanes = live_lanes(N - n, VECTORS)
            value = fma(_normalized(xs, d * N + n, norms, n, N, lanes), weight[d], bias[d])
            fetch_runs_ahead(ys, d * N + n, VECTORS)
            store_tile(value, ys, d * N + n, 0, 1, lanes)


@jit
def _gradient_sums(mine, dy, x, norm, weight, parts, gradients):
    """Write each part's Σ w·dy and Σ w·dy·x̂ into parts (2·parts, N), and dweight and dbias."""
    D, N = x.shape
    xs, ds, norms, found = x.reshape(-1), dy.reshape(-1), norm.reshape(-1), parts.reshape(-1)
    for part in share_of(mine, len(parts) // 2):
        for n in range(0, N, WIDTH):
            lanes = live_lanes(N - n, VECTORS)
            total, product = zero_tile(1, VECTORS), zero_tile(1, VECTORS)
            for d in range(part * _PART, min((part + 1) * _PART, D)):
                if n == 0:
                    gradients[0, d] = gradients[1, d] = 0
                x_hat = _normalized(xs, d * N + n, norms, n, N, lanes)
                slope = read_ahead(ds, d * N + n, lanes)  # 0 in places that are not alive
                gradients[0, d] += tile_sum(multiply(slope, x_hat))
                gradients[1, d] += tile_sum(slope)
                weighted = multiply(slope, weight[d])
                total, product = add(total, weighted), fma(weighted, x_hat, product)
            store_tile(total, found, 2 * part * N + n, 0, 1, lanes)
            store_tile(product, found, (2 * part + 1) * N + n, 0, 1, lanes)


@jit_exact
def _coefficients(parts, D, norm, abc):
    """Write (a, b, c) of ``dx = a·w·dy + b·x̂ + c`` for each image.

    From ``dx = s·(w·dy − mean(w·dy) − x̂·mean(w·dy·x̂))`` it follows that a = s,
    b = −s·mean(w·dy·x̂) and c = −s·mean(w·dy).
    """
    for n in range(norm.shape[1]):
        total, product = 0.0, 0.0
        for part in range(0, len(parts), 2):
            total += parts[part, n]
            product += parts[part + 1, n]
        s = norm[1, n]
        abc[0, n], abc[1, n], abc[2, n] = s, -s * (product / D), -s * (total / D)


@jit
def _before_norm(mine, dy, x, norm, weight, abc, dx):
    """``dx = a·w·dy + b·x̂ + c``."""
    D, N = x.shape
    xs, ds, dxs, norms = x.reshape(-1), dy.reshape(-1), dx.reshape(-1), norm.reshape(-1)
    numbers = abc.reshape(-1)
    for d in share_of(mine, D):
        for n in range(0, N, WIDTH):
            lanes, i = live_lanes(N - n, VECTORS), d * N + n
            fetch_runs_ahead(dxs, i, VECTORS)
            b = load_run(numbers, N + n, VECTORS, lanes)
            c = load_run(numbers, 2 * N + n, VECTORS, lanes)
            rest = fma(_normalized(xs, i, norms, n, N, lanes), b, c)
            a = multiply(load_run(numbers, n, VECTORS, lanes), weight[d])
            store_tile(fma(read_ahead(ds, i, lanes), a, rest), dxs, i, 0, 1, lanes)
