"""Activation functions, compiled; their formulas are those of `pellucid.reference.activation`."""

from functools import cache
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from pellucid.compiled import activation_formulas
from pellucid.compiled.epilogue import before_epilogue, epilogue, relu_cache
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_sized
from pellucid.compiled.layout import as_images, contiguous, in_lanes, new_array
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import LANES, fetch_runs_ahead, live_lanes, load_run, store_tile
from pellucid.runtime.workspace import empty
from pellucid.types import Array


def relu(x: Array) -> Array:
    """Return ``y = max(x, 0)``."""
    if not 2 <= x.ndim <= 4:
        return reference.relu(x)
    return epilogue(as_images(x))[0].reshape(x.shape)


def relu_gradient(dy: Array, y: Array) -> Array:
    """Return ``dx = dy · [y > 0]``."""
    if not 2 <= dy.ndim <= 4:
        return reference.relu_gradient(dy, y)
    return before_epilogue(as_images(dy), relu_cache(as_images(y)))[0].reshape(dy.shape)


def activate(function: str, x: Array, *options: float | str) -> Array:
    """Return ``y = f(x)``."""
    y, (formula, a, b) = _new_like(x), _formula(function, options)
    _value_kernel(formula)(x.size, _flat(x), a, b, _flat(y))
    return y


def activate_gradient(function: str, dy: Array, kept: Array, *options: float | str) -> Array:
    """Return ``dx = dy · f′``, found from x or y."""
    dx, (formula, a, b) = _new_like(dy), _formula(function, options)
    _gradient_kernel(formula)(dy.size, _flat(dy), _flat(kept), a, b, _flat(dx))
    return dx


def _formula(function: str, options: tuple[float | str, ...]) -> tuple[str, Any, Any]:
    """Return the name of the formula and its numbers a and b."""
    if options == ("tanh",):
        function += "_tanh"
    a, b, *_ = *(np.float32(each) for each in options if not isinstance(each, str)), _NONE, _NONE
    return function, a, b


_NONE = np.float32(0)


def _new_like(x: Array) -> Array:
    """Return an array, not yet written, that lies as this engine's arrays of this shape lie."""
    if not 2 <= x.ndim <= 4:
        return empty(x.shape, np.float32)
    return new_array(as_images(x).shape).reshape(x.shape)


def _flat(x: Array) -> Array:
    """Return the numbers of x one after the other, in this engine's order."""
    return (in_lanes(as_images(x)) if 2 <= x.ndim <= 4 else contiguous(x)).reshape(-1)


_VECTORS = 2
_WIDTH = _VECTORS * LANES
_RUN = 32 * _WIDTH  # numbers that a thread works on before it asks for more


@cache
def _value_kernel(FUNCTION: str) -> Any:
    @jit_sized
    def kernel(mine, x, a, b, y):
        """``y = f(x)``, with the function's own numbers a and b."""
        for run in share_of(mine, -(-len(x) // _RUN)):
            for i in range(run * _RUN, min((run + 1) * _RUN, len(x)), _WIDTH):
                fetch_runs_ahead(x, i, _VECTORS)
                fetch_runs_ahead(y, i, _VECTORS)
                lanes = live_lanes(len(x) - i, _VECTORS)
                value = _value(FUNCTION, load_run(x, i, _VECTORS, lanes), a, b)
                store_tile(value, y, i, 1, 1, lanes)

    return kernel


@cache
def _gradient_kernel(FUNCTION: str) -> Any:
    @jit_sized
    def kernel(mine, dy, kept, a, b, dx):
        """``dx = dy · f′``, found from x or y, whichever was kept."""
        for run in share_of(mine, -(-len(dy) // _RUN)):
            for i in range(run * _RUN, min((run + 1) * _RUN, len(dy)), _WIDTH):
                fetch_runs_ahead(dy, i, _VECTORS)
                fetch_runs_ahead(kept, i, _VECTORS)
                fetch_runs_ahead(dx, i, _VECTORS)
                lanes = live_lanes(len(dy) - i, _VECTORS)
                slope = _derivative(FUNCTION, load_run(kept, i, _VECTORS, lanes), a, b)
                store_tile(load_run(dy, i, _VECTORS, lanes) * slope, dx, i, 1, 1, lanes)

    return kernel


def _value(function: str, x: Any, a: Any, b: Any) -> Any:
    """``f(x)``."""


def _derivative(function: str, kept: Any, a: Any, b: Any) -> Any:
    """``f′``."""


@overload(_value, inline="always", prefer_literal=True)
def _inlined_value(function, x, a, b):
    if not isinstance(function, types.StringLiteral):
        return None
    formula = getattr(activation_formulas, function.literal_value)
    return lambda function, x, a, b: formula(x, a, b)


@overload(_derivative, inline="always", prefer_literal=True)
def _inlined_derivative(function, kept, a, b):
    if not isinstance(function, types.StringLiteral):
        return None
    formula = getattr(activation_formulas, f"{function.literal_value}_derivative")
    return lambda function, kept, a, b: formula(kept, a, b)
