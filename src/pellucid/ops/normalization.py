"""Normalisation: batch, group, layer and local response."""

from __future__ import annotations

from typing import NamedTuple

from pellucid import engine, reference
from pellucid.errors import PellucidError, ShapeError
from pellucid.ops.checks import check_axes, check_floating, check_shape, integer
from pellucid.types import Array, Shape

Gradients = tuple[Array, Array, Array]
"""dx, dweight and dbias."""
MaybeGradients = tuple[Array, Array | None, Array | None]
"""dx, and dweight and dbias if there is a weight."""


class Kept(NamedTuple):
    """What a normalisation keeps for its gradient: its own shapes, and what the engine needs."""

    shape: Shape
    """Shape of x."""
    weight_shape: Shape
    cache: object


def batch_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    mean: Array,
    var: Array,
    eps: float = 1e-5,
) -> Array:
    """Return ``y = (x − mean)/√(var + eps)·w + b`` per channel, for a given mean and variance.

    This is batch normalisation in inference, with running statistics.

    Parameters
    ----------
    x
        Input (N, C) or (N, C, …).
    weight, bias
        Scale w and shift b per channel, (C,); None means 1 and 0.
    mean, var
        Mean and variance per channel, (C,).
    eps
        Added to the variance for numerical stability. Default: 1e-5.

    Examples
    --------
    >>> import numpy as np
    >>> batch_norm(np.array([[5.0]]), None, None, np.array([1.0]), np.array([4.0]), eps=0.0)
    array([[2.]])
    """
    _check_channels("batch_norm", x, weight=weight, bias=bias, mean=mean, var=var)
    return engine.for_floats("batch_norm", x, weight, bias, mean, var).batch_norm(
        x, weight, bias, mean, var, eps
    )


def batch_norm_inference_gradient(
    dy: Array, x: Array, weight: Array | None, mean: Array, var: Array, eps: float = 1e-5
) -> Gradients:
    """Return dx, dweight and dbias of `batch_norm`, where mean and var are constants.

    ``dx = dy·w/√(var + eps)``, ``dweight = Σ dy·(x − mean)/√(var + eps)``, ``dbias = Σ dy``.
    """
    of = "batch_norm_inference_gradient"
    check_floating(of, dy)
    check_shape(of, "dy", dy, x.shape)
    _check_channels(of, x, weight=weight, mean=mean, var=var)
    return reference.batch_norm_inference_gradient(dy, x, weight, mean, var, eps)


def batch_norm_training(
    x: Array, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> tuple[Array, Array, Array, object]:
    """Return ``y = (x − mean)/√(var + eps)·w + b`` with the batch's own statistics per channel.

    Parameters
    ----------
    x
        Input (N, C) or (N, C, …) with more than one value per channel.
    weight, bias
        Scale w and shift b per channel, (C,); None means 1 and 0.
    eps
        Added to the variance for numerical stability. Default: 1e-5.

    Returns
    -------
    y
        Output with the shape of x.
    mean, var
        Mean and biased variance per channel, (C,), over the batch and all positions.
    cache
        Cache for `batch_norm_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> y, mean, var, _ = batch_norm_training(np.array([[1.0], [3.0]]), eps=0.0)
    >>> y.ravel(), mean, var
    (array([-1.,  1.]), array([2.]), array([1.]))
    """
    _check_channels("batch_norm", x, weight=weight, bias=bias)
    check_statistics(x)
    by = engine.for_floats("batch_norm", x, weight, bias)
    y, mean, var, cache = by.batch_norm_training(x, weight, bias, eps)
    return y, mean, var, Kept(x.shape, x.shape[1:2], cache)


def batch_norm_gradient(dy: Array, cache: object, weight: Array | None = None) -> Gradients:
    """Return the gradients of `batch_norm_training`.

    With x̂ the standardised values and s = 1/√(var + eps)::

        dx = s·w·(dy − mean(dy) − x̂·mean(dy·x̂))        dweight = Σ dy·x̂        dbias = Σ dy
    """
    kept = _check_gradient("batch_norm_gradient", dy, cache, weight)
    return engine.current(dy, weight).batch_norm_gradient(dy, kept, weight)


def running_statistics(
    running: tuple[Array, Array], new: tuple[Array, Array], momentum: float, count: int
) -> tuple[Array, Array]:
    """Return the next (mean, variance): ``(1 − momentum)·running + momentum·new``.

    The new variance is first made unbiased, by a factor of count/(count − 1).

    Examples
    --------
    >>> import numpy as np
    >>> zero, one = np.zeros(1), np.ones(1)
    >>> running_statistics((zero, one), (one, one), momentum=0.5, count=2)
    (array([0.5]), array([1.5]))
    """
    return engine.current(*running, *new).running_statistics(running, new, momentum, count)


def group_norm(
    x: Array,
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> tuple[Array, Array, Array, object]:
    """Return ``y = (x − mean)/√(var + eps)·w + b``, statistics per image and group of channels.

    Parameters
    ----------
    x
        Input (N, C, …).
    num_groups
        Number of groups, a divisor of C. With C groups it is instance normalisation.
    weight, bias
        Scale w and shift b per channel, (C,); None means 1 and 0.
    eps
        Added to the variance for numerical stability. Default: 1e-5.

    Returns
    -------
    y
        Output with the shape of x.
    mean, var
        Mean and biased variance, (N, num_groups).
    cache
        Cache for `group_norm_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> y, mean, var, _ = group_norm(np.array([[1.0, 3.0, 5.0, 9.0]]), 2, eps=0.0)
    >>> y, mean
    (array([[-1.,  1., -1.,  1.]]), array([[2., 7.]]))
    """
    _check_channels("group_norm", x, weight=weight, bias=bias)
    check_floating("group_norm", x)
    num_groups = integer("group_norm", "num_groups", num_groups)
    if 0 in x.shape[1:]:
        raise ShapeError(f"group_norm: an input of shape {x.shape} has no values to normalise")
    if num_groups < 1 or x.shape[1] % num_groups:
        raise ShapeError(
            f"group_norm: {num_groups} groups do not divide the {x.shape[1]} channels "
            f"of an input of shape {x.shape}"
        )
    by = engine.current(x, weight, bias)
    y, mean, var, cache = by.group_norm(x, num_groups, weight, bias, eps)
    return y, mean, var, Kept(x.shape, x.shape[1:2], cache)


def group_norm_gradient(dy: Array, cache: object, weight: Array | None = None) -> MaybeGradients:
    """Return dx, ``dweight = Σ dy·x̂`` and ``dbias = Σ dy`` of `group_norm`."""
    kept = _check_gradient("group_norm_gradient", dy, cache, weight)
    return engine.current(dy, weight).group_norm_gradient(dy, kept, weight)


def layer_norm(
    x: Array,
    normalized_shape: Shape,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> tuple[Array, object]:
    """Return ``y = (x − mean)/√(var + eps)·w + b``, with statistics over the last axes.

    Parameters
    ----------
    x
        Input (N, …) whose last axes have the shape `normalized_shape`.
    normalized_shape
        Sizes of the last axes, over which mean and variance are computed.
    weight, bias
        Scale w and shift b of that shape; None means 1 and 0.
    eps
        Added to the variance for numerical stability. Default: 1e-5.

    Returns
    -------
    y
        Output with the shape of x.
    cache
        Cache for `layer_norm_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> y, _ = layer_norm(np.array([[1.0, 3.0]]), (2,), eps=0.0)
    >>> y
    array([[-1.,  1.]])
    """
    check_floating("layer_norm", x)
    axes = len(normalized_shape)
    if not 1 <= axes < x.ndim or x.shape[-axes:] != tuple(normalized_shape):
        raise ShapeError(
            f"layer_norm over {tuple(normalized_shape)} expects an input of shape "
            f"(N, …) with these last axes, got {x.shape}"
        )
    check_shape("layer_norm", "weight", weight, tuple(normalized_shape))
    check_shape("layer_norm", "bias", bias, tuple(normalized_shape))
    y, cache = engine.current(x, weight, bias).layer_norm(x, axes, weight, bias, eps)
    return y, Kept(x.shape, x.shape[-axes:], cache)


def layer_norm_gradient(dy: Array, cache: object, weight: Array | None = None) -> MaybeGradients:
    """Return dx, ``dweight = Σ dy·x̂`` and ``dbias = Σ dy`` of `layer_norm`."""
    kept = _check_gradient("layer_norm_gradient", dy, cache, weight)
    return engine.current(dy, weight).layer_norm_gradient(dy, kept, weight)


def local_response_norm(
    x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> tuple[Array, Array]:
    """Return ``y_c = x_c · s_c^−β`` and s, with ``s_c = k + α/size · Σ x_j²``.

    The sum runs over the `size` channels j around c, ``c − ⌊size/2⌋ ≤ j ≤ c + ⌊(size − 1)/2⌋``,
    that exist.

    Examples
    --------
    >>> import numpy as np
    >>> y, s = local_response_norm(np.array([[3.0]]), size=1, alpha=1.0, beta=0.5, k=0.0)
    >>> y
    array([[1.]])
    """
    _check_channels("local_response_norm", x)
    check_floating("local_response_norm", x)
    size = integer("local_response_norm", "size", size)
    if size < 1:
        raise PellucidError(f"local_response_norm: size must be at least 1, not {size}")
    return reference.local_response_norm(x, size, alpha, beta, k)


def local_response_norm_gradient(
    dy: Array, x: Array, s: Array, size: int, alpha: float = 1e-4, beta: float = 0.75
) -> Array:
    """Return ``dx_j = dy_j·s_j^−β − 2αβ/size · x_j · Σ dy_c·x_c·s_c^(−β−1)``."""
    of = "local_response_norm_gradient"
    check_floating(of, dy)
    check_shape(of, "dy", dy, x.shape)
    check_shape(of, "s", s, x.shape)
    size = integer(of, "size", size)
    return reference.local_response_norm_gradient(dy, x, s, size, alpha, beta)


def check_statistics(x: Array) -> None:
    """Raise an error unless x (N, C, …) has enough values for a variance per channel."""
    if x.size // x.shape[1] < 2:
        raise ShapeError(
            "batch normalisation in training needs more than one value per channel, got an input "
            f"of shape {x.shape}; use a larger batch, or drop a last batch of one image"
        )


def _check_channels(of: str, x: Array, **values: Array | None) -> None:
    """Raise an error unless x is (N, C, …), and these have one value per channel."""
    if x.ndim < 2:
        check_axes(of, "an input", x, "N", "C", "…")
    for name, value in values.items():
        if value is not None and value.shape != x.shape[1:2]:
            check_shape(of, name, value, x.shape[1:2])


def _check_gradient(of: str, dy: Array, kept: object, weight: Array | None) -> object:
    """Return what the engine has kept, after checking dy and weight against the forward pass."""
    if not isinstance(kept, Kept):
        raise PellucidError(
            f"{of} expects the cache that the forward pass returned, not {type(kept).__name__}"
        )
    check_floating(of, dy)
    check_shape(of, "dy", dy, kept.shape)
    check_shape(of, "weight", weight, kept.weight_shape)
    return kept.cache
