"""Softmax and its logarithm."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.errors import ShapeError
from pellucid.layers.activation import Activation
from pellucid.layers.base import Layer, StepContext, may_be_batch
from pellucid.reference.softmax import (
    log_softmax,
    log_softmax_gradient,
    softmax,
    softmax_gradient,
)
from pellucid.types import Array, Shape


@dataclass(eq=False, repr=False)
class Softmax(Activation):
    """``yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)`` along the axis `dim`.

    To train a classifier, apply `losses.CrossEntropy` to the values before the softmax.

    >>> import numpy as np
    >>> Softmax()(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """

    dim: int = 1

    @property
    def mixes_images(self) -> bool:
        return may_be_batch(self.dim)

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        self.check(x)
        y = softmax(x, self.dim)
        return y, y

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        y = cache
        return softmax_gradient(dy, y, self.dim)

    def output_shape(self, input_shape: Shape) -> Shape:
        return _checked_dim(self, self.dim, input_shape)


@dataclass(eq=False, repr=False)
class LogSoftmax(Activation):
    """``yᵢ = xᵢ − log Σⱼ exp(xⱼ)`` along the axis `dim`.

    >>> import numpy as np
    >>> LogSoftmax()(np.array([[1000.0, 0.0]]))
    array([[    0., -1000.]])
    """

    dim: int = 1

    @property
    def mixes_images(self) -> bool:
        return may_be_batch(self.dim)

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        self.check(x)
        y = log_softmax(x, self.dim)
        return y, y

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        y = cache
        return log_softmax_gradient(dy, y, self.dim)

    def output_shape(self, input_shape: Shape) -> Shape:
        return _checked_dim(self, self.dim, input_shape)


def _checked_dim(layer: Layer, dim: int, shape: Shape) -> Shape:
    if not -len(shape) <= dim < len(shape):
        raise ShapeError(f"{type(layer).__name__}: an input of shape {shape} has no axis {dim}")
    return shape
