"""The parts of a frozen model: layers with constant values.

Weights are converted once to the layout of the kernels, with the following normalisation folded
in::

    norm(w ∗ x + b) = (scale·w) ∗ x + scale·(b − mean) + shift

Nothing is kept for a backward pass.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from pellucid import engine, ops
from pellucid.errors import PellucidError
from pellucid.execution.contract import FusedKernels, fused_kernels
from pellucid.execution.part import Part
from pellucid.layers import BatchNorm2d, Conv2d, Linear, MaxPool2d, StepContext
from pellucid.parameter import Parameter
from pellucid.runtime.recording import recorded
from pellucid.types import Array, Shape

FOR_INFERENCE = "a frozen model cannot be trained; train the model from which it was made"


class InferencePart(ABC):
    """A part of a frozen model, with one input, one output and no gradient."""

    inputs = 1

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, None]:
        return self.compute(x), None

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        raise PellucidError(FOR_INFERENCE)

    def children(self) -> Mapping[str, Part]:
        return {}

    @abstractmethod
    def compute(self, x: Array) -> Array:
        """Return the output."""


class _Weights:
    """A weight and a bias, converted for the fused kernels when they are first needed."""

    def __init__(self, weight: Array, bias: Array, groups: int = 1) -> None:
        self.weight, self.bias, self.groups = weight, bias, groups

    @cached_property
    def prepared(self) -> object:
        kernels = fused_kernels(self.weight)
        assert kernels is not None
        return kernels.prepare(self.weight, self.bias, self.groups)

    def kernels(self, x: Array) -> FusedKernels | None:
        return fused_kernels(x, self.weight)


class FrozenConvolution(InferencePart):
    """``y = pool(relu(norm(conv(x))))``."""

    def __init__(
        self, conv: Conv2d, norm: BatchNorm2d | None, relu: bool, pool: MaxPool2d | None
    ) -> None:
        self.conv, self.relu, self.pool = conv, relu, pool
        weight, bias = conv.kernel(), _bias(conv)
        if norm is not None:
            mean, scale, shift = (np.asarray(v, np.float64) for v in norm.inference_affine())
            weight = (weight * scale[:, None, None, None]).astype(weight.dtype)
            bias = ((bias - mean) * scale + shift).astype(weight.dtype)
        self.weights = _Weights(weight, bias, conv.groups)

    def compute(self, x: Array, shortcut: Array | None = None, relu: bool = False) -> Array:
        """Return the output; a shortcut is added before ReLU."""
        plan, weights, relu = self.conv.plan(x.shape), self.weights, self.relu or relu
        kernels = weights.kernels(x)
        if kernels is None:
            by = engine.current(x, weights.weight)
            y = by.conv2d(x, weights.weight, weights.bias, plan.resolved(by))
            y = y if shortcut is None else y + shortcut
            y = by.relu(y) if relu else y
        else:
            y = kernels.convolve(x, weights.prepared, plan.requested(), relu, shortcut)
        return y if self.pool is None else max_pool(y, self.pool)

    @property
    def can_add_shortcut(self) -> bool:
        """Return whether nothing follows the convolution."""
        return not self.relu and self.pool is None


class FrozenPooling(InferencePart):
    """Max pooling without the positions of the maxima."""

    def __init__(self, pool: MaxPool2d) -> None:
        self.pool = pool

    def compute(self, x: Array) -> Array:
        return max_pool(x, self.pool)


class FrozenLinear(InferencePart):
    """``y = relu(x Wᵀ + b)``; images are flattened if `flattens`."""

    def __init__(self, linear: Linear, relu: bool, flattens: bool = False) -> None:
        self.linear, self.relu, self.flattens = linear, relu, flattens
        self.weight, self.bias = linear.weight.value.copy(), _bias(linear)
        self._of_shape: dict[Shape, _Weights] = {}

    def compute(self, x: Array) -> Array:
        if self.flattens and x.ndim != 4:
            x = ops.flatten(x)
        self.linear.output_shape((len(x), math.prod(x.shape[1:])) if self.flattens else x.shape)
        kernels = fused_kernels(x, self.weight)
        if kernels is None or x.ndim not in (2, 4) or not x.size:
            y = ops.linear(ops.flatten(x) if self.flattens else x, self.weight, self.bias)
            return np.maximum(y, 0) if self.relu else y
        return kernels.transform(x, self._weights(x.shape[1:]).prepared, self.relu)

    def _weights(self, shape: Shape) -> _Weights:
        """Return the weights as kernels of the size of an image of `shape`, or of one pixel."""
        if shape not in self._of_shape:
            kernels = (len(self.weight), *shape, *(1,) * (3 - len(shape)))
            self._of_shape[shape] = _Weights(self.weight.reshape(kernels), self.bias)
        return self._of_shape[shape]


class FrozenResidual(InferencePart):
    """``y = relu(last(body(x)) + shortcut(x))``: a last convolution adds the shortcut itself."""

    def __init__(
        self, body: Part, last: FrozenConvolution | None, shortcut: Part | None, relu: bool
    ) -> None:
        self.body, self.last, self.shortcut, self.relu = body, last, shortcut, relu

    def children(self) -> Mapping[str, Part]:
        parts = {"body": self.body, "last": self.last, "shortcut": self.shortcut}
        return {name: part for name, part in parts.items() if part is not None}

    def compute(self, x: Array) -> Array:
        shortcut = x if self.shortcut is None else self.shortcut.forward(x)[0]
        y: Array = self.body.forward(x)[0]
        if self.last is not None:
            return self.last.compute(y, shortcut, self.relu)
        if len(y) and y.ndim == 4 and (kernels := fused_kernels(y, shortcut)) is not None:
            return kernels.epilogue(y, None, shortcut, self.relu, None)[0]
        total = np.empty_like(y)
        _add(y, shortcut, self.relu, total)
        return total


def max_pool(x: Array, pool: MaxPool2d) -> Array:
    """Return the maximum of each window."""
    kernels, window = fused_kernels(x), pool.window(x.shape)
    if kernels is None or not len(x):
        return engine.current(x).max_pool2d(x, window)[0]
    return kernels.max_pool_values(x, window)


@recorded
def _add(y: Array, shortcut: Array, relu: bool, total: Array) -> None:
    np.add(y, shortcut, out=total)
    if relu:
        np.maximum(total, 0, out=total)


def _bias(layer: Conv2d | Linear) -> Array:
    if isinstance(layer.bias, Parameter):
        return layer.bias.value.copy()
    return np.zeros(len(layer.weight.value), layer.weight.dtype)
