"""Batch normalisation, compiled: per channel one factor and one offset, found in one pass."""

import numpy as np

from pellucid.compiled.channels import move
from pellucid.compiled.epilogue import (
    EpilogueCache,
    epilogue,
    norm_epilogue,
    norm_epilogue_gradient,
)
from pellucid.compiled.fallback import reference
from pellucid.compiled.layout import as_images
from pellucid.types import Array


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float
) -> Array:
    """Return ``y = (x − mean)/√(var + eps)·w + b`` with a given mean and variance."""
    scale = 1 / np.sqrt(var + np.float64(eps))
    norm = mean, scale if weight is None else scale * weight, 0 * mean if bias is None else bias
    return epilogue(as_images(x), norm, relu=False)[0].reshape(x.shape)


def batch_norm_training(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, EpilogueCache]:
    """Return y with the batch's own statistics, the mean, the variance, and the cache."""
    y, mean, var, cache = norm_epilogue(as_images(x), weight, bias, eps, None, False, None)
    assert isinstance(y, np.ndarray)
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
    dy: Array, cache: object, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Return dx, dweight and dbias."""
    if not isinstance(cache, EpilogueCache):
        return reference.batch_norm_gradient(dy, cache, weight)
    dx, _, dweight, dbias = norm_epilogue_gradient(as_images(dy), cache, weight)
    return dx.reshape(dy.shape), dweight, dbias
