"""Learned scales and shifts with broadcasting."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pellucid.arguments import Size
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.parameter import Parameter
from pellucid.types import Array, Shape


@dataclass(eq=False, repr=False)
class _Learned(Layer):
    """A learned array that is broadcast along the leading axes of x."""

    shape: tuple[Size, ...]

    def output_shape(self, input_shape: Shape) -> Shape:
        fits = len(self.shape) <= len(input_shape) and all(
            own in (1, given)
            for own, given in zip(self.shape[::-1], input_shape[::-1], strict=False)
        )
        if not fits:
            raise ShapeError(
                f"{type(self).__name__} with the shape {self.shape} cannot be broadcast to an "
                f"input of shape {input_shape}"
            )
        return input_shape

    def _gathered(self, dy: Array) -> Array:
        """Sum dy over all positions that share a learned value."""
        before = tuple(range(dy.ndim - len(self.shape)))
        dy = np.asarray(dy.sum(axis=before))
        repeated = tuple(i for i, size in enumerate(self.shape) if size == 1)
        return np.asarray(dy.sum(axis=repeated, keepdims=True))


@dataclass(eq=False, repr=False)
class Scale(_Learned):
    """``y = x · w`` with a learned w; ``dx = dy · w``, ``dw = Σ dy · x`` over repeated axes.

    Parameters
    ----------
    shape
        Shape of w: sizes of the last axes of x, or 1 to repeat; ``(16, 1, 1)`` is one per channel.

    Examples
    --------
    >>> Scale((16, 1, 1)).output_shape((64, 16, 28, 28))
    (64, 16, 28, 28)
    """

    weight: Parameter = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weight = Parameter("weight", self.shape, "ones", kind="norm")

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        self.output_shape(x.shape)
        return x * self.weight.value, x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        self.weight.add_gradient(self._gathered(dy * cache))
        return dy * self.weight.value if input_gradient else dy


@dataclass(eq=False, repr=False)
class Shift(_Learned):
    """``y = x + b`` with a learned b; ``db = Σ dy`` over repeated axes.

    Parameters
    ----------
    shape
        Shape of b: sizes of the last axes of x, or 1 to repeat; ``(16, 1, 1)`` is one per channel.

    Examples
    --------
    >>> Shift((10,)).output_shape((64, 10))
    (64, 10)
    """

    bias: Parameter = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.bias = Parameter("bias", self.shape, "zeros", kind="bias")

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, None]:
        self.output_shape(x.shape)
        return x + self.bias.value, None

    def backward(self, dy: Array, cache: None, *, input_gradient: bool = True) -> Array:
        self.bias.add_gradient(self._gathered(dy))
        return dy
