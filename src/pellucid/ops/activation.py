"""Activation functions and softmax: the engine's functions with checked arguments.

Each has a function for the value and one for the gradient, which takes dy and either x or y,
whichever the derivative needs. `pellucid.reference` gives the formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec

from pellucid import engine, reference
from pellucid.errors import ShapeError
from pellucid.ops.checks import check_floating
from pellucid.types import Array

P = ParamSpec("P")
Value = Callable[Concatenate[Array, P], Array]
Gradient = Callable[Concatenate[Array, Array, P], Array]


def _value(function: Value[P]) -> Value[P]:
    """Return the function with a check of x."""

    @wraps(function)
    def checked(x: Array, /, *args: P.args, **kwargs: P.kwargs) -> Array:
        check_floating(function.__name__, x)
        return function(x, *args, **kwargs)

    return checked


def _gradient(function: Gradient[P]) -> Gradient[P]:
    """Return the function of a gradient with a check that both arrays have the same shape."""

    @wraps(function)
    def checked(dy: Array, kept: Array, /, *args: P.args, **kwargs: P.kwargs) -> Array:
        _check_gradient(function.__name__, dy, kept)
        return function(dy, kept, *args, **kwargs)

    return checked


def _check_gradient(name: str, dy: Array, kept: Array) -> None:
    check_floating(name, dy)
    if dy.shape != kept.shape:
        raise ShapeError(f"{name}: dy has shape {dy.shape}, the forward pass had {kept.shape}")


def _activation(value: Value[P], gradient: Gradient[P]) -> tuple[Value[P], Gradient[P]]:
    """Return both functions with checks; the engine in use computes them."""
    name = value.__name__
    defaults = {p.name: p.default for p in list(signature(value).parameters.values())[1:]}

    def options(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterable[Any]:
        return {**defaults, **dict(zip(defaults, args, strict=False)), **kwargs}.values()

    @wraps(value)
    def checked(x: Array, /, *args: P.args, **kwargs: P.kwargs) -> Array:
        return engine.for_floats(name, x).activate(name, x, *options(args, kwargs))

    @wraps(gradient)
    def checked_gradient(dy: Array, kept: Array, /, *args: P.args, **kwargs: P.kwargs) -> Array:
        _check_gradient(gradient.__name__, dy, kept)
        engine_in_use = engine.current(dy, kept)
        return engine_in_use.activate_gradient(name, dy, kept, *options(args, kwargs))

    return checked, checked_gradient


def relu(x: Array) -> Array:
    """Return ``max(x, 0)``."""
    return engine.for_floats("relu", x).relu(x)


@_gradient
def relu_gradient(dy: Array, y: Array) -> Array:
    """Return ``dy · [y > 0]``."""
    return engine.current(dy, y).relu_gradient(dy, y)


relu6, relu6_gradient = _activation(reference.relu6, reference.relu6_gradient)
leaky_relu, leaky_relu_gradient = _activation(reference.leaky_relu, reference.leaky_relu_gradient)
elu, elu_gradient = _activation(reference.elu, reference.elu_gradient)
selu, selu_gradient = _activation(reference.selu, reference.selu_gradient)
gelu, gelu_gradient = _activation(reference.gelu, reference.gelu_gradient)
sigmoid, sigmoid_gradient = _activation(reference.sigmoid, reference.sigmoid_gradient)
tanh, tanh_gradient = _activation(reference.tanh, reference.tanh_gradient)
silu, silu_gradient = _activation(reference.silu, reference.silu_gradient)
hardswish, hardswish_gradient = _activation(reference.hardswish, reference.hardswish_gradient)
softplus, softplus_gradient = _activation(reference.softplus, reference.softplus_gradient)

prelu = _value(reference.prelu)
prelu_input_gradient = _gradient(reference.prelu_input_gradient)
prelu_weight_gradient = _gradient(reference.prelu_weight_gradient)
erf = _value(reference.erf)
softmax, softmax_gradient = _value(reference.softmax), _gradient(reference.softmax_gradient)
log_softmax = _value(reference.log_softmax)
log_softmax_gradient = _gradient(reference.log_softmax_gradient)
