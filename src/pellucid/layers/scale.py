"""Learned scales and shifts, one for each value or repeated."""

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
    """A learned array that is repeated along x, from the last axes on."""

    shape: tuple[Size, ...]

    def output_shape(self, input_shape: Shape) -> Shape:
        fits = len(self.shape) <= len(input_shape) and all(
            own in (1, given)
            for own, given in zip(self.shape[::-1], input_shape[::-1], strict=False)
        )
        if not fits:
            raise ShapeError(
                f"{type(self).__name__} with the shape {self.shape} cannot be repeated along an "
                f"input of shape {input_shape}"
            )
        return input_shape

    def _gathered(self, dy: Array) -> Array:
        """Return the sum of dy over all places at which one learned value stands."""
        before = tuple(range(dy.ndim - len(self.shape)))
        dy = np.asarray(dy.sum(axis=before))
        repeated = tuple(i for i, size in enumerate(self.shape) if size == 1)
        return np.asarray(dy.sum(axis=repeated, keepdims=True))


@dataclass(eq=False, repr=False)
class Scale(_Learned):
    """``y = x · w`` with a learned w; ``dx = dy · w``, ``dw = Σ dy · x`` where w was repeated.

    Parameters
    ----------
    shape
        Of w: the last axes of x, or 1 where w is repeated; ``(16, 1, 1)`` is one for each channel.

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
    """``y = x + b`` with a learned b; ``db = Σ dy`` where b was repeated.

    Parameters
    ----------
    shape
        Of b: the last axes of x, or 1 where b is repeated; ``(16, 1, 1)`` is one for each channel.

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
