"""The linear layer and its gradients."""

from __future__ import annotations

from pellucid import engine
from pellucid.errors import ShapeError
from pellucid.ops.checks import check_axes, check_shape
from pellucid.types import Array, Shape


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return ``y = x Wᵀ + b``.

    Parameters
    ----------
    x
        Input (N, …, I).
    weight
        Weight (O, I).
    bias
        Bias (O,), or None.

    Returns
    -------
    ndarray of shape (N, …, O)
        The output, with the batch last in memory.

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.ones((2, 3)), np.eye(3), np.full(3, 0.5))
    array([[1.5, 1.5, 1.5],
           [1.5, 1.5, 1.5]])
    """
    if weight.ndim != 2:
        check_axes("linear", "weight", weight, "O", "I")
    check_features("linear", x.shape, weight.shape[1])
    if bias is not None and bias.shape != weight.shape[:1]:
        check_shape("linear", "bias", bias, weight.shape[:1])
    return engine.current(x, weight, bias).linear(x, weight, bias)


def linear_input_gradient(dy: Array, weight: Array) -> Array:
    """Return ``dx = dy W``, shape (N, …, I)."""
    check_axes("linear_input_gradient", "weight", weight, "O", "I")
    check_features("linear_input_gradient", dy.shape, weight.shape[0])
    return engine.current(dy, weight).linear_input_gradient(dy, weight)


def linear_weight_gradient(dy: Array, x: Array) -> Array:
    """Return ``dW = Σ dyᵀ x`` over all but the last axis, shape (O, I)."""
    check_axes("linear_weight_gradient", "dy", dy, "N", "…", "O")
    check_shape("linear_weight_gradient", "dy", dy, (*x.shape[:-1], dy.shape[-1]))
    return engine.current(dy, x).linear_weight_gradient(dy, x)


def linear_bias_gradient(dy: Array) -> Array:
    """Return ``db = Σ dy`` over all but the last axis, shape (O,)."""
    check_axes("linear_bias_gradient", "dy", dy, "N", "…", "O")
    return engine.current(dy).linear_bias_gradient(dy)


def check_features(name: str, shape: Shape, features: int) -> None:
    """Raise an error unless `shape` is (N, …, features)."""
    if len(shape) < 2 or shape[-1] != features:
        raise ShapeError(f"{name} expects an input of shape (N, …, {features}), got {shape}")
