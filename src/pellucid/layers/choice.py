"""Layers that choose between two values, or return the index of the largest value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.arguments import Axis
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.types import Array, Shape

Three = tuple[Array, Array, Array]


@dataclass(eq=False, repr=False)
class Where(Layer):
    """``y = a if c > 0 else b``, for inputs (c, a, b) that are broadcast against each other.

    The condition c is 0 or 1, for example from `Heaviside`. dy passes to a where it was chosen, to
    b elsewhere; ``dc`` is 0.

    >>> Where()((np.array([[1.0, 0.0]]), np.array([[3.0, 3.0]]), np.array([[-np.inf, 5.0]])))
    array([[3., 5.]])
    """

    inputs = 3

    def forward(self, x: Three, training: StepContext | None = None) -> tuple[Array, Three]:
        self.output_shape(tuple(value.shape for value in x))
        c, a, b = x
        return np.where(c > 0, a, b), x

    def backward(self, dy: Array, cache: Three, *, input_gradient: bool = True) -> Three:
        c, a, b = cache
        chosen = c > 0
        zero = np.zeros((), dy.dtype)
        da, db = np.where(chosen, dy, zero), np.where(chosen, zero, dy)
        return np.zeros_like(c), _sum_to(da, a.shape), _sum_to(db, b.shape)

    def output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:
        try:
            if len(input_shape) == 3 and len(set(map(len, input_shape))) == 1:
                return np.broadcast_shapes(*input_shape)
        except ValueError:
            pass
        raise ShapeError(f"Where cannot broadcast the shapes {list(input_shape)}")


@dataclass(eq=False, repr=False)
class ArgMax(Layer):
    """The index of the largest value along an axis, the first of equal ones; the gradient is 0.

    The indices have the type of x, like all values in a network.

    Parameters
    ----------
    axis
        Axis to search, counted from 0 for the batch.
    keepdims
        Whether to keep the axis with size 1.

    Examples
    --------
    >>> ArgMax(1, keepdims=False)(np.array([[0.1, 0.7, 0.2]]))
    array([1.])
    """

    axis: Axis = 1
    keepdims: bool = True

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        self.output_shape(x.shape)
        places = x.argmax(self.axis, keepdims=self.keepdims).astype(x.dtype)
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(places, 0, -1)), -1, 0), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        return np.zeros_like(cache)

    def output_shape(self, input_shape: Shape) -> Shape:
        if self.axis >= len(input_shape) or input_shape[self.axis] == 0:
            raise ShapeError(f"ArgMax needs a value along axis {self.axis}, got {input_shape}")
        kept = (1,) if self.keepdims else ()
        return *input_shape[: self.axis], *kept, *input_shape[self.axis + 1 :]


def _sum_to(gradient: Array, shape: Shape) -> Array:
    """Undo broadcasting: sum over the axes along which a value was repeated."""
    axes = tuple(i for i, (g, s) in enumerate(zip(gradient.shape, shape, strict=True)) if g != s)
    return gradient.sum(axis=axes, keepdims=True) if axes else gradient
