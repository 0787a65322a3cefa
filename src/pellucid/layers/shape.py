"""Flatten and Identity."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pellucid import ops
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext, may_be_batch
from pellucid.types import Array, Shape


@dataclass(eq=False, repr=False)
class Flatten(Layer):
    """Join the axes from `start_dim` to `end_dim` into one.

    >>> Flatten().output_shape((64, 16, 5, 5))
    (64, 400)
    """

    start_dim: int = 1
    end_dim: int = -1

    @property
    def mixes_images(self) -> bool:
        return may_be_batch(self.start_dim)

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        shape = self.output_shape(x.shape)
        return (ops.flatten(x) if self._whole(x.ndim) else x.reshape(shape)), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        return ops.unflatten(dy, cache) if self._whole(len(cache)) else dy.reshape(cache)

    def output_shape(self, input_shape: Shape) -> Shape:
        axes = range(len(input_shape))
        try:
            start, end = axes[self.start_dim], axes[self.end_dim]
        except IndexError:
            start, end = 1, 0
        if start > end:
            raise ShapeError(
                f"Flatten cannot join the axes {self.start_dim} to {self.end_dim} "
                f"of an input of shape {input_shape}"
            )
        joined = math.prod(input_shape[start : end + 1])
        return *input_shape[:start], joined, *input_shape[end + 1 :]

    def _whole(self, ndim: int) -> bool:
        """Return whether each image is flattened to one vector."""
        return range(ndim)[self.start_dim] == 1 and range(ndim)[self.end_dim] == ndim - 1


@dataclass(eq=False, repr=False)
class Identity(Layer):
    """``y = x``: a placeholder for a layer, or a branch that changes nothing.

    >>> Identity().output_shape((64, 3, 8, 8))
    (64, 3, 8, 8)
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, None]:
        return x, None

    def backward(self, dy: Array, cache: None, *, input_gradient: bool = True) -> Array:
        return dy

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
