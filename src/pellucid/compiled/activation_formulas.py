"""Activation functions of tiles, each followed by its derivative.

They are the formulas of `pellucid.reference.activation`; a derivative is found from the same of x
and y as there. a and b are what a layer adds: a slope, a size, a threshold.
"""

import math

from pellucid.compiled.arithmetic import choose, fma
from pellucid.compiled.functions import (
    exponential,
    exponential_minus_1,
    hyperbolic_tangent,
    larger,
    logarithm_of_1_plus,
    logistic,
    normal,
    smaller,
)
from pellucid.compiled.jit import jit_inline

_DENSITY = 1 / math.sqrt(2 * math.pi)
_CUBE = 0.044715
_INNER = math.sqrt(2 / math.pi)
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


@jit_inline
def relu6(x, a, b):
    return smaller(larger(x, 0.0), 6.0)


@jit_inline
def relu6_derivative(y, a, b):
    return choose(y > 0.0, choose(y < 6.0, 1.0, 0.0), 0.0)


@jit_inline
def leaky_relu(x, a, b):
    return choose(x > 0.0, x, a * x)


@jit_inline
def leaky_relu_derivative(y, a, b):
    return choose(y > 0.0, 1.0, choose(y <= 0.0, a, 0.0))


@jit_inline
def elu(x, a, b):
    return choose(x > 0.0, x, a * exponential_minus_1(smaller(x, 0.0)))


@jit_inline
def elu_derivative(y, a, b):
    return choose(y > 0.0, 1.0, y + a)


@jit_inline
def selu(x, a, b):
    return _SELU_SCALE * elu(x, _SELU_ALPHA, b)


@jit_inline
def selu_derivative(y, a, b):
    return choose(y > 0.0, _SELU_SCALE, y + _SELU_SCALE * _SELU_ALPHA)


@jit_inline
def gelu(x, a, b):
    cdf, _ = normal(x)
    return x * cdf


@jit_inline
def gelu_derivative(x, a, b):
    cdf, density = normal(x)
    return fma(_DENSITY * x, density, cdf)


@jit_inline
def gelu_tanh(x, a, b):
    return x * (0.5 + 0.5 * hyperbolic_tangent(_INNER * x * fma(_CUBE * x, x, 1.0)))


@jit_inline
def gelu_tanh_derivative(x, a, b):
    t = hyperbolic_tangent(_INNER * x * fma(_CUBE * x, x, 1.0))
    inner = _INNER * fma(3 * _CUBE * x, x, 1.0)
    return 0.5 + 0.5 * fma(x * (1.0 - t * t), inner, t)


@jit_inline
def silu(x, a, b):
    return x * logistic(x)


@jit_inline
def silu_derivative(x, a, b):
    s = logistic(x)
    return s * fma(x, 1.0 - s, 1.0)


@jit_inline
def hardswish(x, a, b):
    return x * smaller(larger(x + 3.0, 0.0), 6.0) / 6.0


@jit_inline
def hardswish_derivative(x, a, b):
    gate = smaller(larger(x + 3.0, 0.0), 6.0)
    return (gate + choose(abs(x) < 3.0, x, 0.0)) / 6.0


@jit_inline
def softplus(x, a, b):
    bend = logarithm_of_1_plus(exponential(-abs(a * x))) / a
    return choose(a * x > b, x, larger(x, 0.0) + bend)


@jit_inline
def softplus_derivative(x, a, b):
    return choose(a * x > b, 1.0, logistic(a * x))


@jit_inline
def sigmoid(x, a, b):
    return logistic(x)


@jit_inline
def sigmoid_derivative(y, a, b):
    return y * (1.0 - y)


@jit_inline
def tanh(x, a, b):
    return hyperbolic_tangent(x)


@jit_inline
def tanh_derivative(y, a, b):
    return 1.0 - y * y
