"""Check hand-written gradients by finite differences.

For a fixed random weighting r of the outputs, L = ⟨r, forward(x)⟩ is one number, and backward(r)
must return its derivative. Along any direction v, for each input and parameter w::

    ⟨∂L/∂w, v⟩ ≈ (L(w + h·v) − L(w − h·v)) / 2h        with an error of order h²

Small arrays are checked entry by entry, large ones along random directions, which involve every
entry.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import PellucidError
from pellucid.layers.base import Layer, StepContext
from pellucid.parameter import Parameter
from pellucid.types import Array, Generator, Shape

_STEP = 1e-5
_ENTRIES = 200  # an array up to this size is checked entry by entry
_DIRECTIONS = 20


class GradientError(AssertionError):
    """`backward` does not return the gradient of `forward`."""


def check_gradients(
    layer: Layer, x: Any, *, training: bool = True, tolerance: float = 1e-7, seed: int = 0
) -> None:
    """Raise `GradientError` unless `layer.backward` is the gradient of `layer.forward`.

    The gradients for all inputs and parameters are compared with finite differences. In addition, a
    parameter's gradient must be added to the present one and must not depend on whether the input's
    gradient is requested, and x and dy must not be changed.

    Parameters
    ----------
    layer
        Layer in float64 (``layer.astype("float64")``), because finite differences in float32 are
        too inaccurate.
    x
        Input in float64, or a tuple of inputs. It must not be near kinks of the layer, such as 0
        for ReLU or ties for max pooling; see `away_from_kinks`.
    training
        Whether to check the layer in training (default), each pass with the same random numbers, or
        in inference.
    tolerance
        Largest error, relative to the largest entry of the gradient. Default: 1e-7.
    seed
        Seed of the weighting of the outputs, of the directions, and of the training step.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> x = np.random.default_rng(0).normal(size=(2, 3))
    >>> check_gradients(nn.Multiply(), (x, x + 1))
    """
    inputs = {_input_name(i, x): np.array(part) for i, part in enumerate(_tuple(x))}
    values = inputs | {name: p.value for name, p in _parameters(layer).items()}
    for name, value in values.items():
        if value.dtype != np.float64:
            raise PellucidError(
                f"gradients are checked in float64, but {name} is {value.dtype}; "
                'call layer.astype("float64") and give it float64 inputs'
            )
    generator = np.random.default_rng(seed)
    given = tuple(inputs.values()) if isinstance(x, tuple) else inputs["the input"]
    loss = _Loss(layer, given, seed if training else None, generator)
    dx, added = loss.gradients()
    gradients = dict(zip(inputs, dx, strict=True)) | added
    for name, value in values.items():
        _Comparison(name, value, gradients[name], loss).hold(tolerance, generator)


def away_from_kinks(shape: Shape, generator: Generator, reach: int = 3) -> Array:
    """Return random values between −reach and reach, all distinct and none near an integer.

    Piecewise functions have their kinks at integers (ReLU at 0, ReLU6 at 0 and 6, Hardswish at ±3)
    and where values are equal (max pooling); finite differences across a kink are not derivatives.
    >>> sorted(away_from_kinks((4,), np.random.default_rng(0), reach=1).tolist())
    [-0.75, -0.25, 0.25, 0.75]
    """
    count = int(np.prod(shape))
    per_unit = -(-count // (2 * reach))
    grid = (np.arange(2 * reach * per_unit) + 0.5) / per_unit - reach
    return np.asarray(generator.permutation(grid)[:count].reshape(shape))


class _Loss:
    """L as a function of the arrays that the layer reads, and its gradients by `backward`."""

    def __init__(self, layer: Layer, x: Any, seed: int | None, generator: Generator) -> None:
        self.layer, self.x, self.seed, self.generator = layer, x, seed, generator
        outputs = _tuple(self._forward()[0])
        self.weighting = tuple(generator.normal(size=y.shape) for y in outputs)
        size = sum(float(abs(r * y).sum()) for r, y in zip(self.weighting, outputs, strict=True))
        self.noise = 10 * np.finfo(np.float64).eps * size / _STEP
        """The part of a difference that rounding alone may explain."""

    def __call__(self) -> float:
        outputs = _tuple(self._forward()[0])
        return sum(float((r * y).sum()) for r, y in zip(self.weighting, outputs, strict=True))

    def gradients(self) -> tuple[tuple[Array, ...], dict[str, Array]]:
        """Return the gradients for the inputs and, by name, for the parameters."""
        inputs = _tuple(self.x)
        x_before = [x.copy() for x in inputs]
        dy = tuple(r.copy() for r in self.weighting)
        dx, alone = self._backward(dy, {})
        for name, parts, before in ("x", inputs, x_before), ("dy", dy, self.weighting):
            if not all(map(np.array_equal, parts, before)):
                raise GradientError(f"the layer modifies {name}, which belongs to the caller")
        if len(dx) != len(inputs):
            raise GradientError(f"backward returns {len(dx)} gradients for {len(inputs)} inputs")
        beginning = {name: self.generator.normal(size=g.shape) for name, g in alone.items()}
        _, on_top = self._backward(dy, beginning)
        _, without_dx = self._backward(dy, {}, input_gradient=False)
        for name, gradient in alone.items():
            if not _close(on_top[name], gradient):
                raise GradientError(f"backward overwrites the gradient of {name}: it must add")
            if not _close(without_dx[name], gradient):
                raise GradientError(f"input_gradient=False changes the gradient of {name}")
        return dx, alone

    def _forward(self) -> tuple[Any, Any]:
        return self.layer.forward(self.x, None if self.seed is None else StepContext(self.seed))

    def _backward(
        self, dy: tuple[Array, ...], beginning: dict[str, Array], *, input_gradient: bool = True
    ) -> tuple[tuple[Array, ...], dict[str, Array]]:
        """Return dx, and what is added to each parameter's gradient, which is then restored."""
        parameters = _parameters(self.layer)
        kept = {name: parameter.grad.copy() for name, parameter in parameters.items()}
        for name, parameter in parameters.items():
            parameter.grad[...] = beginning.get(name, 0.0)
        y, cache = self._forward()
        dx = self.layer.backward(
            dy if isinstance(y, tuple) else dy[0], cache, input_gradient=input_gradient
        )
        added = {name: p.grad - beginning.get(name, 0.0) for name, p in parameters.items()}
        for name, parameter in parameters.items():
            parameter.grad[...] = kept[name]
        return tuple(map(np.asarray, _tuple(dx))) if input_gradient else (), added


@dataclass
class _Comparison:
    """An array on which L depends, and its gradient according to `backward`."""

    name: str
    value: Array
    gradient: Array
    loss: _Loss

    def hold(self, tolerance: float, generator: Generator) -> None:
        if self.gradient.shape != self.value.shape:
            raise GradientError(
                f"the gradient for {self.name} has shape {self.gradient.shape}, "
                f"expected {self.value.shape}"
            )
        if not np.isfinite(self.gradient).all():
            raise GradientError(f"the gradient for {self.name} is not finite")
        size = self.value.size
        each = size <= _ENTRIES
        directions = np.eye(size) if each else generator.normal(size=(_DIRECTIONS, size))
        numeric = np.array([self._slope(v.reshape(self.value.shape)) for v in directions])
        given = directions @ self.gradient.ravel()
        largest = max(abs(numeric).max(initial=0.0), abs(given).max(initial=0.0))
        worst = int(abs(numeric - given).argmax())
        if abs(numeric - given)[worst] > tolerance * largest + self.loss.noise:
            at = tuple(map(int, np.unravel_index(worst, self.value.shape))) if each else worst
            raise GradientError(
                f"the gradient for {self.name}, shape {self.value.shape}, is wrong: "
                f"at {'entry' if each else 'direction'} {at} backward gives {given[worst]:.8g}, "
                f"but finite differences give {numeric[worst]:.8g}{_explanation(given, numeric)}"
            )

    def _slope(self, direction: Array) -> float:
        before = self.value.copy()
        try:
            self.value[...] = before + _STEP * direction
            above = self.loss()
            self.value[...] = before - _STEP * direction
            return (above - self.loss()) / (2 * _STEP)
        finally:
            self.value[...] = before


def _explanation(given: Array, numeric: Array) -> str:
    if not given.any():
        return "; backward adds nothing"
    factor = float(given @ numeric) / max(float(numeric @ numeric), np.finfo(float).tiny)
    return f"; all of it is {factor:.6g} times too large" if _close(given, factor * numeric) else ""


def _close(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-8, atol=1e-8 * abs(b).max(initial=0.0) + 1e-12))


def _parameters(layer: Layer) -> dict[str, Parameter]:
    return {f"parameter '{name}'": p for name, p in layer.named_parameters().items()}


def _input_name(i: int, x: Any) -> str:
    return f"input {i}" if isinstance(x, tuple) else "the input"


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
