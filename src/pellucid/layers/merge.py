"""Layers that merge several inputs into one output; they take a tuple, in a `Graph`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext, may_be_batch
from pellucid.ops.shape import joined_shape
from pellucid.types import Array, Shape


@dataclass(eq=False, repr=False)
class Add(Layer):
    """``y = x₁ + x₂ + …`` for inputs of the same shape; each receives dy.

    >>> Add()((np.ones(2), np.ones(2)))
    array([2., 2.])
    """

    inputs = None

    def forward(
        self, x: tuple[Array, ...], training: StepContext | None = None
    ) -> tuple[Array, int]:
        self.output_shape(tuple(part.shape for part in x))
        return sum(x[1:], start=x[0]), len(x)

    def backward(self, dy: Array, cache: int, *, input_gradient: bool = True) -> tuple[Array, ...]:
        return (dy,) * cache

    def output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:
        if len(set(input_shape)) != 1:
            raise ShapeError(f"{type(self).__name__} needs equal shapes, got {list(input_shape)}")
        return input_shape[0]


@dataclass(eq=False, repr=False)
class Cat(Layer):
    """Concatenate the inputs along `axis`; the backward pass splits dy accordingly.

    >>> Cat(axis=0)((np.ones(1), np.zeros(2)))
    array([1., 0., 0.])
    """

    axis: int = 1

    inputs = None

    @property
    def mixes_images(self) -> bool:
        return may_be_batch(self.axis)

    def forward(
        self, x: tuple[Array, ...], training: StepContext | None = None
    ) -> tuple[Array, Any]:
        return ops.concatenate(x, self.axis), np.cumsum([part.shape[self.axis] for part in x])

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> tuple[Array, ...]:
        return tuple(ops.split(dy, cache, self.axis))

    def output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:
        return joined_shape(list(input_shape), self.axis)
