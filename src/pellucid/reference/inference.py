"""Inference with weights that do not change: here, what the plain functions compute."""

from typing import Any

from pellucid.geometry import Window
from pellucid.reference.activation import relu as relu_
from pellucid.reference.conv import conv2d
from pellucid.reference.linear import linear
from pellucid.reference.pooling import max_pool2d
from pellucid.types import Array


def prepare(weight: Array, bias: Array, groups: int) -> Any:
    """Return the weights (F, C/groups, KH, KW) and biases (F,) for `convolve`.

    Another engine lays them out anew here, once instead of at every call.
    """
    return weight, bias, groups


def convolve(x: Array, weights: Any, window: Window, algorithm: str, relu: bool) -> Array:
    """Return the convolution of x with prepared weights, and ReLU if wanted."""
    weight, bias, groups = weights
    y = conv2d(x, weight, bias, window, groups, algorithm)
    return relu_(y) if relu else y


def transform(x: Array, weights: Any, relu: bool) -> Array:
    """Return ``x Wᵀ + b`` for x (N, I) and prepared weights (O, I, 1, 1), and ReLU if wanted."""
    weight, bias, _ = weights
    y = linear(x, weight[:, :, 0, 0], bias)
    return relu_(y) if relu else y


def max_pool_values(x: Array, window: Window) -> Array:
    """Return the maxima alone."""
    return max_pool2d(x, window)[0]
