"""Activation functions, each followed by its derivative.

A function acts on each element of an array of any shape. Its gradient takes dy and either x or y,
whichever gives the simpler derivative, and returns ``dx = dy · f′(x)``. At a kink f′ is PyTorch's.

Piecewise functions are written as sums of a positive and a negative part, such as
``max(x, 0) + a·min(x, 0)``, which NumPy computes several times faster than `np.where`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.reference.erf import erf
from pellucid.types import Array


def _positive(x: Array) -> Array:
    """Return ``max(x, 0)``."""
    return np.clip(x, 0, np.inf)  # a third of the time of np.maximum(x, 0), and NaN stays NaN


def _negative(x: Array) -> Array:
    """Return ``min(x, 0)``."""
    return np.clip(x, -np.inf, 0)


def relu(x: Array) -> Array:
    """Return ``y = max(x, 0)``.

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return _positive(x)


def relu_gradient(dy: Array, y: Array) -> Array:
    """Return ``dx = dy · [y > 0]``."""
    return dy * (y > 0)


def relu6(x: Array) -> Array:
    """Return ``y = min(max(x, 0), 6)``.

    >>> relu6(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 6.])
    """
    return np.clip(x, 0, 6)


def relu6_gradient(dy: Array, y: Array) -> Array:
    """Return ``dx = dy · [0 < y < 6]``."""
    return dy * ((y > 0) & (y < 6))


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Return ``y = max(x, 0) + a·min(x, 0)`` with a = negative_slope ≥ 0.

    >>> leaky_relu(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """
    return _positive(x) + negative_slope * _negative(x)


def leaky_relu_gradient(dy: Array, y: Array, negative_slope: float = 0.01) -> Array:
    """Return ``dx = dy`` where y > 0, ``a·dy`` elsewhere."""
    return dy * (y > 0) + negative_slope * dy * (y <= 0)


def prelu(x: Array, weight: Array) -> Array:
    """Return ``y = max(x, 0) + a·min(x, 0)``, where a is one number or one per channel (axis 1).

    >>> prelu(np.array([[-1.0, -1.0]]), np.array([0.5, 0.25]))
    array([[-0.5 , -0.25]])
    """
    y: Array = _positive(x) + _per_channel(weight, x) * _negative(x)
    return y


def prelu_input_gradient(dy: Array, x: Array, weight: Array) -> Array:
    """Return ``dx = dy`` where x > 0, ``a·dy`` elsewhere."""
    dx: Array = dy * (x > 0) + _per_channel(weight, x) * dy * (x <= 0)
    return dx


def prelu_weight_gradient(dy: Array, x: Array, weight: Array) -> Array:
    """Return ``da = Σ dy·min(x, 0)`` over all values that share a slope."""
    each = dy * _negative(x)
    if weight.size == 1:
        dx: Array = each.sum().reshape(1)
        return dx
    return np.asarray(each.sum(axis=(0, *range(2, x.ndim))))


def _per_channel(weight: Array, x: Array) -> Array:
    return weight.reshape(-1, *(1,) * (x.ndim - 2))


def elu(x: Array, alpha: float = 1.0) -> Array:
    """Return ``y = max(x, 0) + α·(exp(min(x, 0)) − 1)`` with α ≥ 0.

    >>> elu(np.array([-np.inf, 2.0]))
    array([-1.,  2.])
    """
    return _positive(x) + alpha * np.expm1(_negative(x))


def elu_gradient(dy: Array, y: Array, alpha: float = 1.0) -> Array:
    """Return ``dx = dy`` where y > 0, ``dy·(y + α)`` elsewhere, as α·exp(x) = y + α there."""
    return dy * np.where(y > 0, 1, y + alpha)


# Klambauer et al., "Self-normalizing neural networks", 2017, eq. 14: keeps mean 0 and variance 1
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def selu(x: Array) -> Array:
    """Return ``y = λ·elu(x, α)`` with α = 1.6733, λ = 1.0507.

    >>> selu(np.array([-np.inf, 1.0])).round(4)
    array([-1.7581,  1.0507])
    """
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


def selu_gradient(dy: Array, y: Array) -> Array:
    """Return ``dx = λ·dy`` where y > 0, ``dy·(y + λα)`` elsewhere."""
    return dy * np.where(y > 0, _SELU_SCALE, y + _SELU_SCALE * _SELU_ALPHA)


def gelu(x: Array, approximate: str = "none") -> Array:
    """Return ``y = x·Φ(x)``, Φ the standard normal distribution function.

    Exactly, ``Φ(x) = ½·(1 + erf(x/√2))``; with ``approximate="tanh"``,
    ``Φ(x) ≈ ½·(1 + tanh(√(2/π)·(x + 0.044715·x³)))``.

    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    return x * (_normal_cdf(x) if approximate == "none" else 0.5 * (1 + np.tanh(_gelu_inner(x))))


def gelu_gradient(dy: Array, x: Array, approximate: str = "none") -> Array:
    """Return ``dx = dy·(Φ(x) + x·φ(x))`` with ``φ(x) = exp(−x²/2)/√(2π)``.

    For the approximation, with u = √(2/π)·(x + 0.044715·x³) and t = tanh(u):
    ``dx = dy·½·(1 + t + x·(1 − t²)·u′)``.
    """
    if approximate == "none":
        return dy * (_normal_cdf(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))
    t = np.tanh(_gelu_inner(x))
    inner_derivative = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    dx: Array = dy * 0.5 * (1 + t + x * (1 - t * t) * inner_derivative)
    return dx


def _normal_cdf(x: Array) -> Array:
    return 0.5 * (1 + erf(x * math.sqrt(0.5)))


def _gelu_inner(x: Array) -> Array:
    return math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x * x)


def sigmoid(x: Array) -> Array:
    """Return ``y = 1 / (1 + exp(−x))``.

    >>> sigmoid(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    with np.errstate(over="ignore"):  # if exp(−x) overflows, y is 0 to the type's precision
        return 1 / (1 + np.exp(-x))


def sigmoid_gradient(dy: Array, y: Array) -> Array:
    """Return ``dx = dy·y·(1 − y)``."""
    dx: Array = dy * y * (1 - y)
    return dx


def tanh(x: Array) -> Array:
    """Return ``y = tanh(x)``.

    >>> tanh(np.array([0.0, 1e4]))
    array([0., 1.])
    """
    return np.tanh(x)


def tanh_gradient(dy: Array, y: Array) -> Array:
    """Return ``dx = dy·(1 − y²)``."""
    dx: Array = dy * (1 - y * y)
    return dx


def silu(x: Array) -> Array:
    """Return ``y = x·σ(x)``, σ the sigmoid.

    >>> silu(np.array([0.0, 100.0]))
    array([  0., 100.])
    """
    return x * sigmoid(x)


def silu_gradient(dy: Array, x: Array) -> Array:
    """Return ``dx = dy·σ(x)·(1 + x·(1 − σ(x)))``."""
    s = sigmoid(x)
    dx: Array = dy * s * (1 + x * (1 - s))
    return dx


def hardswish(x: Array) -> Array:
    """Return ``y = x·min(max(x + 3, 0), 6)/6``.

    >>> hardswish(np.array([-4.0, 0.0, 4.0]))
    array([-0.,  0.,  4.])
    """
    y: Array = x * np.clip(x + 3, 0, 6) / 6
    return y


def hardswish_gradient(dy: Array, x: Array) -> Array:
    """Return ``dx = dy·(min(max(x + 3, 0), 6) + x·[−3 < x < 3])/6``."""
    dx: Array = dy * (np.clip(x + 3, 0, 6) + np.where(np.abs(x) < 3, x, 0)) / 6
    return dx


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Return ``y = log(1 + exp(βx))/β``, or x itself where βx > threshold.

    Computed as ``max(x, 0) + log(1 + exp(−|βx|))/β``, which does not overflow.

    >>> softplus(np.array([-1e4, 0.0, 100.0])).round(4)
    array([  0.    ,   0.6931, 100.    ])
    """
    bend = np.log1p(np.exp(-np.abs(beta * x))) / beta
    return _positive(x) + bend * (beta * x <= threshold)


def softplus_gradient(dy: Array, x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Return ``dx = dy·σ(βx)``, or dy itself where βx > threshold."""
    return dy * np.maximum(sigmoid(beta * x), beta * x > threshold)


_FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "relu6": (relu6, relu6_gradient),
    "leaky_relu": (leaky_relu, leaky_relu_gradient),
    "elu": (elu, elu_gradient),
    "selu": (selu, selu_gradient),
    "gelu": (gelu, gelu_gradient),
    "sigmoid": (sigmoid, sigmoid_gradient),
    "tanh": (tanh, tanh_gradient),
    "silu": (silu, silu_gradient),
    "hardswish": (hardswish, hardswish_gradient),
    "softplus": (softplus, softplus_gradient),
}
"""By name, the activations that every engine computes."""


def activate(function: str, x: Array, *options: float | str) -> Array:
    """Return the value of an activation by name.

    >>> activate("leaky_relu", np.array([-1.0, 2.0]), 0.1)
    array([-0.1,  2. ])
    """
    y: Array = _FUNCTIONS[function][0](x, *options)
    return y


def activate_gradient(function: str, dy: Array, kept: Array, *options: float | str) -> Array:
    """Return the gradient of an activation by name."""
    dx: Array = _FUNCTIONS[function][1](dy, kept, *options)
    return dx
