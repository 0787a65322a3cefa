"""Layers that make one value from several; they take a tuple, in a `Graph`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, Training
from pellucid.types import Array, Shape


@dataclass(eq=False, repr=False)
class Add(Layer):
    """``y = x₁ + x₂ + …``, all of one shape; each receives dy.

    >>> Add()((np.ones(2), np.ones(2)))
    array([2., 2.])
    """

    inputs = None

    def forward(self, x: tuple[Array, ...], training: Training | None = None) -> tuple[Array, int]:
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
    """The inputs one after the other along `axis`; backward cuts dy where forward joined.

    >>> Cat(axis=0)((np.ones(1), np.zeros(2)))
    array([1., 0., 0.])
    """

    axis: int = 1

    inputs = None

    def forward(self, x: tuple[Array, ...], training: Training | None = None) -> tuple[Array, Any]:
        self.output_shape(tuple(part.shape for part in x))
        return np.concatenate(x, self.axis), np.cumsum([part.shape[self.axis] for part in x])

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> tuple[Array, ...]:
        return tuple(np.split(dy, cache[:-1], self.axis))

    def output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:
        return joined_shape(list(input_shape), self.axis)


def joined_shape(shapes: list[Shape], axis: int) -> Shape:
    """Return the shape of arrays joined along `axis`: the others must agree."""
    first = shapes[0]
    if -len(first) <= axis < len(first):
        axis %= len(first)
        if len({(*shape[:axis], None, *shape[axis + 1 :]) for shape in shapes}) == 1:
            return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])
    raise ShapeError(f"cannot join shapes {shapes} along axis {axis}: the others must be equal")
