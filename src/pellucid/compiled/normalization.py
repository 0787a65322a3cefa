"""Batch normalisation, compiled: per channel one factor and one offset, found in one pass."""

import numpy as np

from pellucid.compiled.channels import move
from pellucid.compiled.finish import (
    Finished,
    finish,
    normalize_finish,
    normalize_finish_gradient,
)
from pellucid.compiled.layout import as_images
from pellucid.compiled.taken_over import reference
from pellucid.types import Array


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float
) -> Array:
    """Return ``y = (x − mean)/√(var + eps)·w + b`` with a given mean and variance."""
    scale = 1 / np.sqrt(var + np.float64(eps))
    norm = mean, scale if weight is None else scale * weight, 0 * mean if bias is None else bias
    return finish(as_images(x), norm, relu=False)[0].reshape(x.shape)


def batch_norm_training(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Finished]:
    """Return y with the batch's own statistics, the mean, the variance, and the cache."""
    y, mean, var, cache = normalize_finish(as_images(x), weight, bias, eps, None, False, None)
    return y.reshape(x.shape), mean, var, cache


def running_statistics(
    running: tuple[Array, Array], new: tuple[Array, Array], momentum: float, count: int
) -> tuple[Array, Array]:
    """Return ``(1 − momentum)·running + momentum·new`` of mean and unbiased variance."""
    if any(array.dtype != np.float32 for array in (*running, *new)):
        return reference.running_statistics(running, new, momentum, count)
    moved = np.empty((2, len(new[0])), np.float32)
    move(*running, *new, momentum, count / (count - 1), moved)
    return moved[0], moved[1]


def batch_norm_gradient(
    dy: Array, cache: Finished, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Return dx, dweight and dbias."""
    if not isinstance(cache, Finished):
        return reference.batch_norm_gradient(dy, cache, weight)
    dx, _, dweight, dbias = normalize_finish_gradient(as_images(dy), cache, weight)
    return dx.reshape(dy.shape), dweight, dbias
