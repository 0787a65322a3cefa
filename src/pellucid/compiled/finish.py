"""What follows a convolution, in one pass: scale and shift, shortcut, ReLU, max-pooling.

::

    y = pool(relu((z − mean[c])·scale[c] + shift[c] + shortcut))

Batch normalisation is this with scale = w/√(var + eps) and shift = b; ReLU and
max-pooling alone are this with mean 0, scale 1 and shift 0. Each step alone would read and write
the whole array once, and that, not the arithmetic, is what it costs.
"""

from typing import Any, NamedTuple

import numpy as np

from pellucid.compiled.conv.taps import forward_taps, gradient_taps
from pellucid.compiled.layout import images, memory
from pellucid.compiled.passes import (
    finish_pass,
    finish_pooled_pass,
    gradient_apart_pass,
    gradient_pass,
    gradient_pooled_pass,
    gradient_sums,
    statistics,
)
from pellucid.geometry import Window
from pellucid.types import Array
from pellucid.workspace import empty

Norm = tuple[Array, Array, Array]
"""Per channel (mean, scale, shift)."""


class Finished(NamedTuple):
    """What the gradient needs, in memory order (H, W, C, N)."""

    z: Array
    y: Array | None
    relu: bool
    shortcut: bool = False
    window: Window | None = None
    winner: Array | None = None
    winning: Array | None = None
    norm: Norm | None = None
    mean: Array | None = None
    inv_std: Array | None = None

    @property
    def own(self) -> bool:
        """Whether y follows from z alone, channel by channel; then it is not kept."""
        return self.norm is not None and self.window is None and not self.shortcut


def finish(
    z: Array,
    norm: Norm | None = None,
    shortcut: Array | None = None,
    relu: bool = True,
    window: Window | None = None,
) -> tuple[Array, Finished]:
    """Return y as above, and what its gradient needs."""
    N, C = z.shape[:2]
    inner, numbers = memory(z), _float32(norm, C)
    if window is None:
        y = empty(inner.shape, np.float32)
        around = inner if shortcut is None else memory(shortcut)
        finish_pass(inner, *numbers, around, shortcut is not None, relu, y)
        own = norm is not None and shortcut is None
        kept = None if own else y
        return images(y), Finished(inner, kept, relu, shortcut is not None, norm=numbers)
    if shortcut is not None:
        inner = memory(finish(z, norm, shortcut, relu=False)[0])
        numbers = _float32(None, C)
    rows, columns = forward_taps(window)
    shape = (*window.output_size, C, N)
    y, winning, winner = empty(shape, np.float32), empty(shape, np.float32), empty(shape, np.uint8)
    finish_pooled_pass(inner, *numbers, relu, y, winner, winning, *window.kernel, *rows, *columns)
    return images(y), Finished(inner, y, relu, shortcut is not None, window, winner, winning)


def can_repeat(cache: Any) -> bool:
    """Return whether `repeat` can work y out again."""
    return isinstance(cache, Finished) and cache.own


def repeat(cache: Finished) -> Array:
    """Return y once more, from z: a pass over near memory, where y would come from far."""
    assert cache.norm is not None
    y = empty(cache.z.shape, np.float32)
    finish_pass(cache.z, *cache.norm, cache.z, False, cache.relu, y)
    return images(y)


def finish_gradient(
    dy: Array, cache: Finished, overwrite_dy: bool = False
) -> tuple[Array, Array | None, Array]:
    """Return the gradients for z, the shortcut (None if there was none) and a bias in z.

    Each dy that the ReLU lets through goes to one pixel, so the bias has their sum.
    """
    norm = cache.norm or _float32(None, dy.shape[1])
    y = _output(cache)  # the pooled y has another shape than z, and here nothing is asked of z
    total, _ = gradient_sums(memory(dy), y, y, norm, cache.relu, cache.own)
    dn, _ = before(dy, cache, overwrite_dy=overwrite_dy)
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
    y, cache = finish(z, affine(weight, bias, mean, inv_std), shortcut, relu, window)
    cache = cache._replace(mean=mean, inv_std=inv_std, z=inner)
    return y, mean.astype(z.dtype), var.astype(z.dtype), cache


def normalize_finish_gradient(
    dy: Array, cache: Finished, weight: Array | None, overwrite_dy: bool = False
) -> tuple[Array, Array | None, Array, Array]:
    """Return the gradients for z, the shortcut, weight and bias.

    From ``dz = s·w·(dn − mean(dn) − x̂·mean(dn·x̂))`` with ``x̂ = (z − mean)·s`` it follows that
    ``dz = a·dn + b·(z − mean) + c`` with a = s·w, b = −a·s·mean(dn·x̂) and c = −a·mean(dn): two
    sums over all positions, then one pass.
    """
    if cache.window is not None and cache.shortcut:  # rare: pool first, then as without
        dy, _ = before(dy, cache)
        cache = cache._replace(y=memory(dy), relu=False, window=None, winning=None)
    norm = cache.norm or _float32(None, dy.shape[1])
    s, mean = cache.inv_std, cache.mean
    assert s is not None
    assert mean is not None
    z = cache.z if cache.winning is None else cache.winning
    rounded = mean.astype(np.float32)
    rest = mean - rounded  # what rounding took from the mean comes back in these sums
    norm = (rounded, *norm[1:])
    total, product = gradient_sums(memory(dy), _output(cache), z, norm, cache.relu, cache.own)
    dweight = (product - rest * total) * s  # Σ dn·x̂
    count = cache.z.size // cache.z.shape[2]
    a = s if weight is None else s * weight
    b = -a * s * dweight / count
    dz, dn = before(dy, cache, (rounded, a, b, -a * total / count - b * rest), overwrite_dy)
    return dz, dn, dweight.astype(np.float32), total.astype(np.float32)


def affine(weight: Array | None, bias: Array | None, mean: Array, inv_std: Array) -> Norm:
    """Return (mean, scale, shift) of a normalisation."""
    scale = inv_std if weight is None else inv_std * weight
    return mean, scale, np.zeros_like(mean) if bias is None else bias


def before(
    dy: Array,
    cache: Finished,
    coefficients: tuple[Array, Array, Array, Array] | None = None,
    overwrite_dy: bool = False,
) -> tuple[Array, Array | None]:
    """Return ``dz = a·dn + b·(z − mean) + c``, or dn without coefficients; and dn if it is needed.

    The coefficients are (mean, a, b, c). With them, dn is returned for a shortcut.
    Where dy may be overwritten, dz takes its place: no memory is fetched only to be overwritten.
    """
    inner, C = memory(dy), dy.shape[1]
    in_place = overwrite_dy and cache.window is None
    dz = inner if in_place else empty(cache.z.shape, np.float32)
    scaled = coefficients is not None
    mean, a, b, c = (v.astype(np.float32) for v in coefficients or (np.zeros(C, np.float32),) * 4)
    if cache.window is None:
        keep = scaled and cache.shortcut
        dn = empty(cache.z.shape, np.float32) if keep else dz
        own_mean, scale, shift = cache.norm or _float32(None, C)
        if cache.own:
            mean = own_mean
        gradient_pass(
            inner, _output(cache), cache.z, mean, scale, shift, cache.relu, cache.own,
            scaled, a, b, c, dz, dn, keep,
        )  # fmt: skip
        return images(dz), images(dn) if keep else None
    given = inner, _output(cache), cache.winner, cache.z, mean, cache.relu, scaled, a, b, c, dz
    if _cover(cache.window):
        gradient_apart_pass(*given, *cache.window.kernel)
    else:
        rows, columns = gradient_taps(cache.window)
        gradient_pooled_pass(*given, *cache.window.kernel, *rows, *columns)
    return images(dz), None


def _output(cache: Finished) -> Array:
    """Return y, or z where y follows from it."""
    return cache.z if cache.y is None else cache.y


def _float32(norm: Norm | None, channels: int) -> Norm:
    """Return (mean, scale, shift) in float32; what rounding takes from one goes to the next."""
    if norm is None:
        zeros = np.zeros(channels, np.float32)
        return zeros, np.ones(channels, np.float32), zeros
    mean, scale, shift = norm
    rounded = mean.astype(np.float32)
    shift = shift + (rounded.astype(np.float64) - mean) * scale
    return rounded, scale.astype(np.float32), shift.astype(np.float32)


def _cover(window: Window) -> bool:
    """Return whether the windows lie side by side and leave nothing out."""
    size = tuple(o * k for o, k in zip(window.output_size, window.kernel, strict=True))
    return window.kernel == window.stride and window.dilation == (1, 1) and size == window.size
