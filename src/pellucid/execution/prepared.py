"""What a frozen model computes with: weights prepared once, for layers that check their shapes."""

from typing import Any

from pellucid import engine
from pellucid.geometry import Window
from pellucid.types import Array


def prepare(weight: Array, bias: Array, groups: int = 1) -> Any:
    """Return weights (F, C/groups, KH, KW) and biases (F,) as the engine in force likes them.

    They are for `convolve` and, as (O, I, 1, 1), for `transform`.
    """
    return engine.current().prepare(weight, bias, groups)


def convolve(x: Array, weights: Any, window: Window, relu: bool, algorithm: str = "auto") -> Array:
    """Return the convolution of x (N, C, H, W) with prepared weights, and ReLU if wanted."""
    asked = engine.algorithm(algorithm)
    y: Array = engine.current().convolve(x, weights, window, asked, relu)
    return y


def transform(x: Array, weights: Any, relu: bool) -> Array:
    """Return ``x Wᵀ + b`` for x (N, I) with prepared weights, and ReLU if wanted.

    Examples
    --------
    >>> import numpy as np
    >>> weights = prepare(np.ones((1, 2, 1, 1)), np.array([-1.0]))
    >>> transform(np.array([[2.0, 3.0]]), weights, relu=False)
    array([[4.]])
    """
    y: Array = engine.current().transform(x, weights, relu)
    return y


def max_pool_values(x: Array, window: Window) -> Array:
    """Return the maximum of each window, without where it was."""
    y: Array = engine.current().max_pool_values(x, window)
    return y
