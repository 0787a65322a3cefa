"""Functions of single values, without parameters."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from pellucid import ops
from pellucid.arguments import Extended
from pellucid.layers.base import Layer, StepContext
from pellucid.types import Array, Shape


class _Elementwise(Layer):
    """``y = f(x)`` and ``dx = dy · f′(x)`` for each value."""

    @abstractmethod
    def value(self, x: Array) -> Array:
        """Return f(x)."""

    @abstractmethod
    def derivative(self, x: Array) -> Array:
        """Return f′(x)."""

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        return self.value(x), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        return dy * self.derivative(cache) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@dataclass(eq=False, repr=False)
class Affine(_Elementwise):
    """``y = scale · x + shift`` with two constants; ``dx = scale · dy``.

    >>> Affine(scale=2.0, shift=1.0)(np.array([1.0, 2.0]))
    array([3., 5.])
    """

    scale: Extended = 1.0
    shift: Extended = 0.0

    def value(self, x: Array) -> Array:
        return x * self.scale + self.shift

    def derivative(self, x: Array) -> Array:
        return np.full_like(x, self.scale)


@dataclass(eq=False, repr=False)
class Power(_Elementwise):
    """``y = xᵖ`` with a constant p; ``dx = dy · p · xᵖ⁻¹``. p = ½ is the root, p = −1 is 1/x.

    >>> Power(0.5)(np.array([4.0, 9.0]))
    array([2., 3.])
    """

    exponent: float

    def value(self, x: Array) -> Array:
        return np.sqrt(x) if self.exponent == 0.5 else x**self.exponent

    def derivative(self, x: Array) -> Array:
        return self.exponent * x ** (self.exponent - 1)


@dataclass(eq=False, repr=False)
class Exp(_Elementwise):
    """``y = exp(x)``, which is its own derivative.

    >>> Exp()(np.array([0.0, -np.inf]))
    array([1., 0.])
    """

    def value(self, x: Array) -> Array:
        return np.exp(x)

    def derivative(self, x: Array) -> Array:
        return np.exp(x)


@dataclass(eq=False, repr=False)
class Log(_Elementwise):
    """``y = ln x``; ``dx = dy / x``. It is −∞ at 0 and NaN below 0.

    >>> Log()(np.array([1.0, np.inf]))
    array([ 0., inf])
    """

    def value(self, x: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(x))

    def derivative(self, x: Array) -> Array:
        return np.asarray(1 / x)


@dataclass(eq=False, repr=False)
class Heaviside(_Elementwise):
    """``y = 1 if x > 0 else 0``, the unit step; the derivative is 0.

    Comparisons are expressed by it: a > b is the step of a − b.

    >>> Heaviside()(np.array([-1.5, 0.0, 2.0]))
    array([0., 0., 1.])
    """

    def value(self, x: Array) -> Array:
        return np.asarray(x > 0, x.dtype)

    def derivative(self, x: Array) -> Array:
        return np.zeros_like(x)


@dataclass(eq=False, repr=False)
class Erf(_Elementwise):
    """``y = 2/√π · ∫₀ˣ exp(−t²) dt``, the error function; ``dx = dy · 2/√π · exp(−x²)``.

    >>> Erf()(np.array([0.0, np.inf]))
    array([0., 1.])
    """

    def value(self, x: Array) -> Array:
        return ops.erf(x)

    def derivative(self, x: Array) -> Array:
        slope: Array = np.exp(-x * x) * (2 / math.sqrt(math.pi))
        return slope


@dataclass(eq=False, repr=False)
class Abs(_Elementwise):
    """``y = |x|``; the derivative is the sign of x, 0 at 0.

    >>> Abs()(np.array([-1.5, 2.0]))
    array([1.5, 2. ])
    """

    def value(self, x: Array) -> Array:
        return np.abs(x)

    def derivative(self, x: Array) -> Array:
        return np.sign(x)


@dataclass(eq=False, repr=False)
class Clip(_Elementwise):
    """``y = min(max(x, low), high)``; the derivative is 0 outside the limits and at them.

    >>> Clip(0.0, 4.0)(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 4.])
    """

    low: Extended = -math.inf
    high: Extended = math.inf

    def value(self, x: Array) -> Array:
        # if low > high, the result is high, as in NumPy, PyTorch and ONNX
        return np.minimum(np.maximum(x, self.low), self.high)

    def derivative(self, x: Array) -> Array:
        return ((x > self.low) & (x < self.high)).astype(x.dtype)


@dataclass(eq=False, repr=False)
class HardSigmoid(_Elementwise):
    """``y = min(max(alpha · x + beta, 0), 1)``: a piecewise linear sigmoid.

    The defaults are PyTorch's; Keras had alpha = 0.2 in earlier versions. Source: Courbariaux,
    Bengio and David, "BinaryConnect", 2015.

    >>> HardSigmoid()(np.array([-3.0, 0.0, 1.5]))
    array([0.  , 0.5 , 0.75])
    """

    alpha: float = 1 / 6
    beta: float = 0.5

    def value(self, x: Array) -> Array:
        return np.minimum(np.maximum(x * self.alpha + self.beta, 0.0), 1.0)

    def derivative(self, x: Array) -> Array:
        y = self.value(x)
        return ((y > 0) & (y < 1)) * np.full_like(x, self.alpha)


@dataclass(eq=False, repr=False)
class Softsign(_Elementwise):
    """``y = x / (1 + |x|)``; ``dx = dy / (1 + |x|)²``. Source: Bergstra et al. 2009.

    >>> Softsign()(np.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """

    def value(self, x: Array) -> Array:
        return np.asarray(x / (1 + np.abs(x)))

    def derivative(self, x: Array) -> Array:
        root: Array = 1 + np.abs(x)
        return np.asarray(root**-2)


@dataclass(eq=False, repr=False)
class ThresholdedReLU(_Elementwise):
    """``y = x if x > alpha else 0``. Source: Konda, Memisevic and Krueger 2014.

    >>> ThresholdedReLU()(np.array([0.5, 1.5]))
    array([0. , 1.5])
    """

    alpha: float = 1.0

    def value(self, x: Array) -> Array:
        return np.where(x <= self.alpha, 0, x)

    def derivative(self, x: Array) -> Array:
        return (~(x <= self.alpha)).astype(x.dtype)  # what is no number stays none
