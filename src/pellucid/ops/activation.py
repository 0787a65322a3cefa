"""Activation functions and softmax: the engine's functions with checked arguments.

Each has a function for the value and one for the gradient, which takes dy and either x or y,
whichever the derivative needs. `pellucid.reference` gives the formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from pellucid import engine, reference
from pellucid.errors import ShapeError
from pellucid.ops.checks import check_floating
from pellucid.types import Array

P = ParamSpec("P")
Value = Callable[Concatenate[Array, P], Array]
Gradient = Callable[Concatenate[Array, Array, P], Array]


def _value(function: Value[P]) -> Value[P]:
    """Return the function with a check of x; the engine in use computes it."""

    @wraps(function)
    def checked(x: Array, /, *args: P.args, **kwargs: P.kwargs) -> Array:
        check_floating(function.__name__, x)
        return function(x, *args, **kwargs)

    return checked


def _gradient(function: Gradient[P]) -> Gradient[P]:
    """Return the function of a gradient with a check that both arrays have the same shape."""

    @wraps(function)
    def checked(dy: Array, kept: Array, /, *args: P.args, **kwargs: P.kwargs) -> Array:
        check_floating(function.__name__, dy)
        if dy.shape != kept.shape:
            raise ShapeError(
                f"{function.__name__}: dy has shape {dy.shape}, the forward pass had {kept.shape}"
            )
        return function(dy, kept, *args, **kwargs)

    return checked


def relu(x: Array) -> Array:
    """Return ``max(x, 0)``."""
    return engine.for_floats("relu", x).relu(x)


@_gradient
def relu_gradient(dy: Array, y: Array) -> Array:
    """Return ``dy · [y > 0]``."""
    return engine.current(dy, y).relu_gradient(dy, y)


relu6, relu6_gradient = _value(reference.relu6), _gradient(reference.relu6_gradient)
leaky_relu = _value(reference.leaky_relu)
leaky_relu_gradient = _gradient(reference.leaky_relu_gradient)
prelu = _value(reference.prelu)
prelu_input_gradient = _gradient(reference.prelu_input_gradient)
prelu_weight_gradient = _gradient(reference.prelu_weight_gradient)
elu, elu_gradient = _value(reference.elu), _gradient(reference.elu_gradient)
selu, selu_gradient = _value(reference.selu), _gradient(reference.selu_gradient)
erf = _value(reference.erf)
gelu, gelu_gradient = _value(reference.gelu), _gradient(reference.gelu_gradient)
sigmoid, sigmoid_gradient = _value(reference.sigmoid), _gradient(reference.sigmoid_gradient)
tanh, tanh_gradient = _value(reference.tanh), _gradient(reference.tanh_gradient)
silu, silu_gradient = _value(reference.silu), _gradient(reference.silu_gradient)
hardswish = _value(reference.hardswish)
hardswish_gradient = _gradient(reference.hardswish_gradient)
softplus, softplus_gradient = _value(reference.softplus), _gradient(reference.softplus_gradient)

softmax, softmax_gradient = _value(reference.softmax), _gradient(reference.softmax_gradient)
log_softmax = _value(reference.log_softmax)
log_softmax_gradient = _gradient(reference.log_softmax_gradient)
