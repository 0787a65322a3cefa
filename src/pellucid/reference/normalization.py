"""Normalisation: shift and scale values to mean 0 and variance 1, then by learned parameters.

Batch, layer, group and instance normalisation differ only in which values share a mean and a
variance. In memory (C, H, W, N) each of these sets is the middle axis of (A, R, B)::

    batch       per channel           (C, H·W·N, 1)
    group       per image and group   (G, C/G·H·W, N)
    instance    per image and channel (C, H·W, N)          group normalisation with G = C
    layer       per image             (1, C·H·W, N)        over the last axes of any shape

so all of them are `standardize` over that axis.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pellucid.reference import memory
from pellucid.types import Array, Shape


class Standardized(NamedTuple):
    """What a normalisation keeps for its backward pass."""

    x_hat: Array
    """The standardised values, (A, R, B)."""
    inv_std: Array
    """``1/√(var + eps)``, (A, 1, B)."""


def standardize(x: Array, eps: float) -> tuple[Standardized, Array, Array]:
    """Return ``x̂ = (x − mean)/√(var + eps)`` over the middle axis of x (A, R, B), mean and var.

    The variance is the biased one, ``Σ(x − mean)²/R``. A second pass removes the rounding error of
    the mean, so values far from zero keep their accuracy: the corrected two-pass algorithm of Chan,
    Golub and LeVeque, "Algorithms for computing the sample variance", 1983.

    >>> (x_hat, _), mean, var = standardize(np.array([[[1.0], [3.0]]]), eps=0.0)
    >>> x_hat.ravel(), mean.item(), var.item()
    (array([-1.,  1.]), 2.0, 1.0)
    """
    mean = _mean(x)
    x_hat = x - mean
    rest = _mean(x_hat)
    x_hat -= rest
    var = _mean_product(x_hat, x_hat)
    inv_std = 1 / np.sqrt(var + eps)
    x_hat *= inv_std
    return Standardized(x_hat, inv_std), mean + rest, var


def standardize_gradient(dy: Array, x_hat: Array, scale: Array) -> tuple[Array, Array, Array]:
    """Return the gradient for x of ``y = w·x̂ + b``, and the means of dy and of dy·x̂.

    x̂ depends on x directly, through the mean and through the variance. With R values,
    s = 1/√(var + eps) and ∂L/∂x̂ = w·dy::

        ∂mean/∂xᵢ = 1/R        ∂s/∂xᵢ = −s³·(xᵢ − mean)/R = −s²·x̂ᵢ/R
        ∂x̂ⱼ/∂xᵢ   = s·([i = j] − 1/R − x̂ᵢ·x̂ⱼ/R)

    and summed over j, with w the same for all R values::

        dx = s·w·(dy − mean(dy) − x̂·mean(dy·x̂))

    In words: shifting or scaling all values changes nothing, so the parts of dy that would only do
    that are removed. Source: Ioffe and Szegedy, "Batch normalization", 2015, sec. 3, simplified.

    Parameters
    ----------
    dy, x_hat
        Arrays (A, R, B). If w differs among the R values, pass w·dy as dy.
    scale
        ``s·w``, (A, 1, B); only s if dy contains w.
    """
    mean_dy, mean_dy_x_hat = _mean(dy), _mean_product(dy, x_hat)
    dx = x_hat * -mean_dy_x_hat
    dx += dy
    dx -= mean_dy
    dx *= scale
    return dx, mean_dy, mean_dy_x_hat


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float
) -> Array:
    """Return ``y = (x − mean)/√(var + eps)·w + b`` per channel, for given mean and var (inference).

    Computed with one factor and one offset per channel, in float64: ``y = x·f + (b − mean·f)``.

    >>> one, four = np.array([1.0]), np.array([4.0])
    >>> batch_norm(np.array([[5.0]]), None, None, one, four, eps=0.0)
    array([[2.]])
    """
    factor = _inference_factor(weight, var, eps)
    offset = -mean * factor if bias is None else bias - mean * factor
    y = x * _per_channel(factor, x)
    y += _per_channel(offset, x)
    return y


def batch_norm_inference_gradient(
    dy: Array, x: Array, weight: Array | None, mean: Array, var: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return dx, dweight and dbias for a given mean and var, which do not depend on x.

    ``dx = dy·w/√(var + eps)``, ``dw = Σ dy·(x − mean)/√(var + eps)``, ``db = Σ dy``.
    """
    dx = dy * _per_channel(_inference_factor(weight, var, eps), x)
    dy_, centred = _channels_first(dy), _channels_first(x) - mean.astype(x.dtype)[:, None, None]
    dweight = _sum_of_products(dy_, centred).ravel() / np.sqrt(var + eps)
    return dx, dweight.astype(dy.dtype), _sum(dy_).ravel()


def batch_norm_training(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Standardized]:
    """Return ``y = x̂·w + b`` with mean and variance per channel over batch and space (training).

    Source: Ioffe and Szegedy, "Batch normalization", 2015, algorithm 1.

    Parameters
    ----------
    x
        Input (N, C) or (N, C, …).
    weight, bias
        Scale and shift per channel, (C,); None means 1 and 0.

    Returns
    -------
    y
        Output with the shape of x.
    mean, var
        Mean and biased variance, (C,).
    cache
        Cache for `batch_norm_gradient`.

    Examples
    --------
    >>> y, mean, var, _ = batch_norm_training(np.array([[1.0], [3.0]]), None, None, eps=0.0)
    >>> y.ravel(), mean, var
    (array([-1.,  1.]), array([2.]), array([1.]))
    """
    cache, mean, var = standardize(_channels_first(x), eps)
    y = _affine(cache.x_hat, weight, bias, (-1, 1, 1))
    return _as_images(y, x.shape), mean.ravel(), var.ravel(), cache


def batch_norm_gradient(
    dy: Array, cache: object, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Return dx, ``dweight = Σ dy·x̂`` and ``dbias = Σ dy``; for dx see `standardize_gradient`."""
    assert isinstance(cache, Standardized)
    x_hat, inv_std = cache
    scale = inv_std if weight is None else inv_std * weight[:, None, None]
    dx, mean_dy, mean_dy_x_hat = standardize_gradient(_channels_first(dy), x_hat, scale)
    count = x_hat.shape[1]
    return _as_images(dx, dy.shape), count * mean_dy_x_hat.ravel(), count * mean_dy.ravel()


def running_statistics(
    running: tuple[Array, Array], new: tuple[Array, Array], momentum: float, count: int
) -> tuple[Array, Array]:
    """Return ``(1 − momentum)·running + momentum·new`` for the mean and the unbiased variance.

    The sum Σ(x − mean)² of `count` values has count − 1 degrees of freedom, so the unbiased
    estimate of the variance divides by count − 1.
    """
    mean, var = new
    unbiased = var * (count / (count - 1))
    return (
        (1 - momentum) * running[0] + momentum * mean,
        (1 - momentum) * running[1] + momentum * unbiased,
    )


def group_norm(
    x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Standardized]:
    """Return ``y = x̂·w + b`` with mean and variance per image and group of consecutive channels.

    With as many groups as channels it is instance normalisation. Source: Wu and He, "Group
    normalization", 2018, eq. 7.

    Parameters
    ----------
    x
        Input (N, C, …).
    weight, bias
        Scale and shift per channel, (C,); None means 1 and 0.

    Returns
    -------
    y
        Output with the shape of x.
    mean, var
        Mean and biased variance, (N, groups).
    cache
        Cache for `group_norm_gradient`.
    """
    N, C, pixels = *x.shape[:2], math.prod(x.shape[2:])
    values = memory.batch_last(x).reshape(groups, C // groups * pixels, N)
    cache, mean, var = standardize(values, eps)
    y = _affine(cache.x_hat.reshape(C, pixels, N), weight, bias, (-1, 1, 1))
    return _as_images(y, x.shape), mean[:, 0].T, var[:, 0].T, cache


def group_norm_gradient(
    dy: Array, cache: object, weight: Array | None
) -> tuple[Array, Array | None, Array | None]:
    """Return dx, ``dweight = Σ dy·x̂`` and ``dbias = Σ dy`` (None and None without a weight)."""
    assert isinstance(cache, Standardized)
    N, C = dy.shape[:2]
    pixels, (x_hat, inv_std) = math.prod(dy.shape[2:]), cache
    dy_ = memory.batch_last(dy).reshape(C, pixels, N)
    dweight, dbias = None, None
    if weight is not None:
        each = dy_.reshape(C, pixels * N, 1)
        dweight = _sum_of_products(each, x_hat.reshape(each.shape)).ravel()
        dbias = _sum(each).ravel()
        dy_ = dy_ * weight[:, None, None]  # w differs within a group, so it is multiplied into dy
    dx, _, _ = standardize_gradient(dy_.reshape(x_hat.shape), x_hat, inv_std)
    return _as_images(dx, dy.shape), dweight, dbias


def layer_norm(
    x: Array, axes: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Standardized]:
    """Return ``y = x̂·w + b`` with mean and variance over the last `axes` axes of x (N, …).

    Weight and bias have the shape of these axes. Source: Ba, Kiros and Hinton, "Layer
    normalization", 2016, eq. 4.

    >>> y, _ = layer_norm(np.array([[1.0, 3.0]]), 1, np.array([1.0, 2.0]), None, eps=0.0)
    >>> y
    array([[-1.,  2.]])
    """
    outer, inner = math.prod(x.shape[1:-axes]), math.prod(x.shape[-axes:])
    cache, _, _ = standardize(memory.batch_last(x).reshape(outer, inner, len(x)), eps)
    return _as_images(_affine(cache.x_hat, weight, bias, (-1, 1)), x.shape), cache


def layer_norm_gradient(
    dy: Array, cache: object, weight: Array | None
) -> tuple[Array, Array | None, Array | None]:
    """Return dx, ``dweight = Σ dy·x̂`` and ``dbias = Σ dy`` (None and None without a weight)."""
    assert isinstance(cache, Standardized)
    x_hat, inv_std = cache
    dy_ = memory.batch_last(dy).reshape(x_hat.shape)
    dweight, dbias = None, None
    if weight is not None:
        dweight = (dy_ * x_hat).sum(axis=(0, 2)).reshape(weight.shape)
        dbias = dy_.sum(axis=(0, 2)).reshape(weight.shape)
        dy_ = dy_ * weight.reshape(-1, 1)
    dx, _, _ = standardize_gradient(dy_, x_hat, inv_std)
    return _as_images(dx, dy.shape), dweight, dbias


def _affine(x_hat: Array, weight: Array | None, bias: Array | None, shape: Shape) -> Array:
    """Return ``x̂·w + b`` as a new array; w and b are reshaped to `shape` for broadcasting."""
    y = x_hat.copy() if weight is None else x_hat * weight.reshape(shape)
    if bias is not None:
        y += bias.reshape(shape)
    return y


def _mean(x: Array) -> Array:
    """Return the mean over the middle axis."""
    mean = _sum(x)
    mean /= x.shape[1]
    return mean


def _mean_product(a: Array, b: Array) -> Array:
    """Return the mean of a·b over the middle axis."""
    mean = _sum_of_products(a, b)
    mean /= a.shape[1]
    return mean


def _sum(x: Array) -> Array:
    """Return the sum over the middle axis, as a matrix product, which is fastest in NumPy."""
    total: Array = np.ones((1, x.shape[1]), x.dtype) @ x  # (1, R) × (A, R, B) -> (A, 1, B)
    return total


def _sum_of_products(a: Array, b: Array) -> Array:
    """Return the sum of a·b over the middle axis."""
    if a.shape[2] != 1:
        return _sum(a * b)
    total: Array = a.transpose(0, 2, 1) @ b  # (A, 1, R) × (A, R, 1) -> (A, 1, 1)
    return total


def _channels_first(x: Array) -> Array:
    """Return x (N, C, …) as (C, R, 1)."""
    return memory.batch_last(x).reshape(x.shape[1], -1, 1)


def _as_images(values: Array, shape: Shape) -> Array:
    """Return values stored as (…, N) as an array of `shape` (N, …)."""
    return memory.batch_first(values.reshape(*shape[1:], shape[0]))


def _per_channel(values: Array, x: Array) -> Array:
    """Return one value per channel, reshaped to broadcast to x (N, C, …)."""
    return values.astype(x.dtype, copy=False).reshape(-1, *(1,) * (x.ndim - 2))


def _inference_factor(weight: Array | None, var: Array, eps: float) -> Array:
    factor = 1 / np.sqrt(var.astype(np.float64) + eps)
    return factor if weight is None else weight * factor
