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
from pellucid.ops.checks import check_floating, check_shape
from pellucid.types import Array

P = ParamSpec("P")
Value = Callable[Concatenate[Array, P], Array]
Gradient = Callable[Concatenate[Array, Array, P], Array]


def _check_gradient(name: str, dy: Array, kept: Array) -> None:
    check_floating(name, dy)
    check_shape(name, "dy", dy, kept.shape)


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


def relu_gradient(dy: Array, y: Array) -> Array:
    """Return ``dy · [y > 0]``."""
    _check_gradient("relu_gradient", dy, y)
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


def erf(x: Array) -> Array:
    """Return the error function ``2/√π · ∫₀ˣ exp(−t²) dt``.

    >>> import numpy as np
    >>> erf(np.array([0.0, 6.0]))
    array([0., 1.])
    """
    check_floating("erf", x)
    return reference.erf(x)


def softmax(x: Array, dim: int = 1) -> Array:
    """Return ``yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)`` along `dim`.

    >>> import numpy as np
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    check_floating("softmax", x)
    _check_dim("softmax", x, dim)
    return reference.softmax(x, dim)


def softmax_gradient(dy: Array, y: Array, dim: int = 1) -> Array:
    """Return ``dxᵢ = yᵢ·(dyᵢ − Σⱼ dyⱼ·yⱼ)``."""
    _check_gradient("softmax_gradient", dy, y)
    _check_dim("softmax_gradient", y, dim)
    return reference.softmax_gradient(dy, y, dim)


def log_softmax(x: Array, dim: int = 1) -> Array:
    """Return ``yᵢ = xᵢ − log Σⱼ exp(xⱼ)`` along `dim`.

    >>> import numpy as np
    >>> log_softmax(np.array([[1000.0, 0.0]]))
    array([[    0., -1000.]])
    """
    check_floating("log_softmax", x)
    _check_dim("log_softmax", x, dim)
    return reference.log_softmax(x, dim)


def log_softmax_gradient(dy: Array, y: Array, dim: int = 1) -> Array:
    """Return ``dxᵢ = dyᵢ − exp(yᵢ)·Σⱼ dyⱼ``."""
    _check_gradient("log_softmax_gradient", dy, y)
    _check_dim("log_softmax_gradient", y, dim)
    return reference.log_softmax_gradient(dy, y, dim)


def _check_dim(of: str, x: Array, dim: int) -> None:
    if not -x.ndim <= dim < x.ndim or not x.shape[dim]:
        raise ShapeError(f"{of}: an array of shape {x.shape} has no values along axis {dim}")


def prelu(x: Array, weight: Array) -> Array:
    """Return ``y = max(x, 0) + a·min(x, 0)``, where a is one number or one per channel (axis 1).

    >>> import numpy as np
    >>> prelu(np.array([[-1.0, -1.0]]), np.array([0.5, 0.25]))
    array([[-0.5 , -0.25]])
    """
    check_floating("prelu", x)
    _check_slopes("prelu", x, weight)
    return reference.prelu(x, weight)


def prelu_input_gradient(dy: Array, x: Array, weight: Array) -> Array:
    """Return ``dx = dy`` where x > 0, ``a·dy`` elsewhere."""
    _check_gradient("prelu_input_gradient", dy, x)
    _check_slopes("prelu_input_gradient", x, weight)
    return reference.prelu_input_gradient(dy, x, weight)


def prelu_weight_gradient(dy: Array, x: Array, weight: Array) -> Array:
    """Return ``da = Σ dy·min(x, 0)`` over all values that share a slope."""
    _check_gradient("prelu_weight_gradient", dy, x)
    _check_slopes("prelu_weight_gradient", x, weight)
    return reference.prelu_weight_gradient(dy, x, weight)


def _check_slopes(of: str, x: Array, weight: Array) -> None:
    if weight.shape != (1,):
        check_shape(of, "one slope, or one per channel,", weight, x.shape[1:2])
