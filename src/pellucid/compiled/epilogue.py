"""What follows a convolution, in one pass: scale and shift, shortcut, ReLU, max-pooling.

::

    y = pool(relu((z − mean[c])·scale[c] + shift[c] + shortcut))

Batch normalisation is this with scale = w/√(var + eps) and shift = b; ReLU and
max-pooling alone are this with mean 0, scale 1 and shift 0. Each step alone would read and write
the whole array once, and that, not the arithmetic, is what it costs.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from pellucid.compiled.conv.deferred import DeferredNorm
from pellucid.compiled.conv.taps import forward_taps, gradient_taps
from pellucid.compiled.epilogue_kernels import (
    PART,
    disjoint_pooled_gradient_kernel,
    epilogue_kernel,
    gradient_kernel,
    gradient_sums,
    gradient_sums_of_all,
    pooled_epilogue_kernel,
    pooled_gradient_kernel,
    statistics,
    statistics_of_all,
)
from pellucid.compiled.layout import NO_IMAGES, channels_innermost, in_lanes, new_array
from pellucid.geometry import Window
from pellucid.memoize import memoize
from pellucid.runtime.recording import copy
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

Norm = tuple[Array, Array, Array]
"""Per channel (mean, scale, shift)."""


class EpilogueCache(NamedTuple):
    """What the gradient needs: z, y, winner and winning are images (N, C, H, W)."""

    shape: Shape
    """Of z."""
    z: Array | None
    """None if no normalisation needs it."""
    y: Array | None
    norm: Array
    """(mean, scale, shift), float32."""
    relu: bool
    shortcut: bool = False
    own: bool = False
    """Whether y follows from z alone, channel by channel; then it is not kept."""
    window: Window | None = None
    winner: Array | None = None
    winning: Array | None = None
    moments: Array | None = None
    """The batch's (mean, var, 1/√(var + eps)), float64."""


def epilogue(
    z: Array,
    norm: Norm | None = None,
    shortcut: Array | None = None,
    relu: bool = True,
    window: Window | None = None,
) -> tuple[Array, EpilogueCache]:
    """Return y as above, and what its gradient needs."""
    numbers = identity(z.shape[1]) if norm is None else _float32(norm)
    return _epilogue(z, numbers, None, shortcut, relu, window, own=norm is not None)


def _epilogue(
    z: Array,
    norm: Array,
    moments: Array | None,
    shortcut: Array | None,
    relu: bool,
    window: Window | None,
    own: bool,
) -> tuple[Array, EpilogueCache]:
    (N, C), plain = z.shape[:2], shortcut is None
    numbers, inner, kept = of_lanes(norm, z.shape), in_lanes(z), z if own else None
    if window is not None and plain:
        rows, columns = forward_taps(window)
        shape = (N, C, *window.output_size)
        y, winner = new_array(shape), new_array(shape, np.uint8)
        winning = new_array(shape) if own else None
        pooled_epilogue_kernel(
            inner, numbers, relu, in_lanes(y), in_lanes(winner), _or_none(winning),
            *window.kernel, *rows, *columns,
        )  # fmt: skip
        return y, EpilogueCache(
            z.shape, kept, y, norm, relu, False, False, window, winner, winning, moments
        )
    y = new_array(z.shape)
    around = inner if shortcut is None else in_lanes(shortcut)
    if window is None:
        epilogue_kernel(inner, numbers, around, not plain, relu, in_lanes(y))
        own = own and plain
        y_kept = None if own else y
        return y, EpilogueCache(z.shape, kept, y_kept, norm, relu, not plain, own, moments=moments)
    epilogue_kernel(inner, numbers, around, True, False, in_lanes(y))  # rare: pool in a second pass
    pooled, cache = _epilogue(y, identity(C), None, None, relu, window, own=False)
    return pooled, cache._replace(z=kept, norm=norm, shortcut=True, moments=moments)


def relu_cache(y: Array) -> EpilogueCache:
    """Return what the gradient of a ReLU needs that was computed with the convolution."""
    return EpilogueCache(y.shape, None, y, identity(y.shape[1]), relu=True)


def add_bias(x: Array, bias: Array) -> Array:
    """Return x with a number added to each channel; x may be overwritten."""
    norm, inner = identity(len(bias)).copy(), in_lanes(x)
    copy(norm[2], bias)
    y = x if np.shares_memory(x, inner) else new_array(x.shape)
    epilogue_kernel(inner, of_lanes(norm, x.shape), inner, False, False, in_lanes(y))
    return y


def deferred(cache: object) -> DeferredNorm | None:
    """Return y as it is read through the normalisation, if it follows from z alone."""
    if not isinstance(cache, EpilogueCache) or not cache.own or cache.z is None:
        return None
    return DeferredNorm(cache.z, cache.norm, cache.relu)


def epilogue_gradient(
    dy: Array, cache: object, overwrite_dy: bool = False
) -> tuple[Array, Array | None, Array]:
    """Return the gradients for z, the shortcut (None if there was none) and a bias in z.

    Each dy that the ReLU lets through goes to one pixel, or none, so the bias has their sum.
    """
    assert isinstance(cache, EpilogueCache)
    y = _output(cache)  # the pooled y has another shape than z, and here nothing is asked of z
    _, (_, total) = _sums(dy, cache, y, None)
    dn, _ = before_epilogue(dy, cache, overwrite_dy=overwrite_dy)
    return dn, dn if cache.shortcut else None, total


def norm_epilogue(
    z: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    shortcut: Array | None,
    relu: bool,
    window: Window | None,
    write: bool = True,
) -> tuple[Array | DeferredNorm, Array, Array, EpilogueCache]:
    """Return y with batch normalisation in training first, its mean and variance, and the cache.

    Where nothing else follows and y need not be written, it is a `DeferredNorm`.
    The normalisation is one factor and one offset a channel, found before the pass.
    """
    C = z.shape[1]
    moments, norm = np.empty((3, C)), np.empty((3, C), np.float32)
    zeros, ones, _ = identity(C)
    weight, bias = ones if weight is None else weight, zeros if bias is None else bias
    mean, var = found = np.empty((2, C), np.float32)
    parts = room_for_sums(3, z.shape)
    statistics(in_lanes(z), parts)
    statistics_of_all(parts, in_lanes(z), eps, weight, bias, moments, norm, found)
    if write or shortcut is not None or window is not None:
        y, cache = _epilogue(z, norm, moments, shortcut, relu, window, own=True)
        return y, mean, var, cache
    cache = EpilogueCache(z.shape, z, None, norm, relu, own=True, moments=moments)
    return DeferredNorm(z, norm, relu), mean, var, cache


def norm_epilogue_gradient(
    dy: Array, cache: object, weight: Array | None, overwrite_dy: bool = False
) -> tuple[Array, Array | None, Array, Array]:
    """Return the gradients for z, the shortcut, weight and bias.

    Two sums over all positions, from which `channels` finds three numbers for each channel, and
    then one pass.
    """
    assert isinstance(cache, EpilogueCache)
    if cache.window is not None and cache.shortcut:  # rare: pool first, then as without
        dy, _ = before_epilogue(dy, cache)
        cache = cache._replace(y=dy, relu=False, window=None, winning=None)
    z = cache.z if cache.winning is None else cache.winning
    assert z is not None
    abc, (dweight, dbias) = _sums(dy, cache, z, weight)
    dz, dn = before_epilogue(dy, cache, abc, overwrite_dy)
    return dz, dn, dweight, dbias


def _sums(dy: Array, cache: EpilogueCache, z: Array, weight: Array | None) -> tuple[Array, Array]:
    """Return the (a, b, c) of a normalisation's gradient, and the gradients (dweight, dbias)."""
    C = dy.shape[1]
    if cache.window is not None and (empty_windows := _empty_windows(cache.window)) is not None:
        dy, z = (np.where(empty_windows, np.float32(0), part) for part in (dy, z))
    moments = np.zeros((3, C)) if cache.moments is None else cache.moments
    abc, gradients = np.empty((3, C), np.float32), np.empty((2, C), np.float32)
    parts, scale = room_for_sums(2, dy.shape), identity(C)[1] if weight is None else weight
    mean = of_lanes(cache.norm, z.shape)
    gradient_sums(
        in_lanes(dy), in_lanes(_output(cache)), in_lanes(z), mean, cache.relu, cache.own, parts
    )
    gradient_sums_of_all(parts, moments, mean, scale, math.prod(cache.shape) // C, gradients, abc)
    return abc, gradients


def before_epilogue(
    dy: Array, cache: EpilogueCache, abc: Array | None = None, overwrite_dy: bool = False
) -> tuple[Array, Array | None]:
    """Return ``dz = a·dn + b·(z − mean) + c``, or dn without these; and dn if it is needed.

    With (a, b, c), dn is returned for a shortcut.
    Where dy may be overwritten, dz takes its place: no memory is fetched only to be overwritten.
    """
    shape, window, scaled = cache.shape, cache.window, abc is not None
    inner = in_lanes(dy)
    own = overwrite_dy and window is None and np.shares_memory(dy, inner)
    dz = dy if own else new_array(shape)
    norm = of_lanes(cache.norm, shape)
    numbers = norm if abc is None else of_lanes(abc, shape)
    if window is None:
        keep = scaled and cache.shortcut
        dn = new_array(shape) if keep else dz
        gradient_kernel(
            inner, in_lanes(_output(cache)), _or_none(cache.z), norm, cache.relu, cache.own, scaled,
            numbers, in_lanes(dz), in_lanes(dn), keep,
        )  # fmt: skip
        return dz, dn if keep else None
    assert cache.winner is not None
    given = (
        inner, in_lanes(_output(cache)), in_lanes(cache.winner), _or_none(cache.z), norm,
        cache.relu, scaled, numbers, in_lanes(dz),
    )  # fmt: skip
    if _cover(window):
        disjoint_pooled_gradient_kernel(*given, *window.kernel)
    else:
        rows, columns = gradient_taps(window)
        pooled_gradient_kernel(*given, *window.kernel, *rows, *columns)
    return dz, None


def _output(cache: EpilogueCache) -> Array:
    """Return y, or z where y follows from it."""
    output = cache.z if cache.y is None else cache.y
    assert output is not None
    return output


def _or_none(images: Array | None) -> Array:
    """Return images as kernels take them, which may be none."""
    return NO_IMAGES if images is None else in_lanes(images)


def of_lanes(numbers: Array, shape: Shape) -> Array:
    """Return numbers (…, C) in the form that `epilogue_kernels` take for images of `shape`."""
    return numbers[:, None] if channels_innermost(shape) else numbers


def room_for_sums(rows: int, shape: Shape) -> Array:
    """Return an array for `rows` rows of sums over each part of images of `shape`."""
    N, C, H, W = shape
    if channels_innermost(shape):
        return empty((rows * -(-N * H * W // (4 * PART)), 1, C), np.float32)
    return empty((rows * -(-H * W // PART), C), np.float32)


@memoize
def _empty_windows(window: Window) -> Array | None:
    """Return which windows (OH, OW) hold padding alone, so that their dy goes nowhere.

    None if none does: padding is at most half a kernel, so the image has to lie between two taps.
    """
    if all(size >= step for size, step in zip(window.size, window.dilation, strict=True)):
        return None
    found = np.ones(window.output_size, bool)
    for _, _, outputs, _ in window.inner_taps():
        found[outputs] = False
    return found


@cache
def identity(channels: int) -> Array:
    """Return the (mean, scale, shift) that change nothing."""
    return np.repeat(np.array([[0], [1], [0]], np.float32), channels, axis=1)


def _float32(norm: Norm) -> Array:
    """Return (mean, scale, shift) in float32; what rounding takes from one goes to the next."""
    mean, scale, shift = norm
    rounded = mean.astype(np.float32)
    shift = shift + (rounded.astype(np.float64) - mean) * scale
    return np.stack([rounded, scale, shift]).astype(np.float32)


@memoize
def _cover(window: Window) -> bool:
    """Return whether the windows lie side by side, begin at the first pixel and end at the last."""
    (OH, OW), (KH, KW) = window.output_size, window.kernel
    return window == Window((OH * KH, OW * KW), window.kernel, stride=window.kernel)
