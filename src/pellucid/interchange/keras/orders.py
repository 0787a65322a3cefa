"""Convert between Pellucid's order of axes (channels first) and Keras's (channels last)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from pellucid.types import Array, Shape


@dataclass(frozen=True)
class Order:
    """The order of a weight's axes in Keras.

    Attributes
    ----------
    axes
        For each of Keras's axes, the number of the axis in Pellucid's array. It applies to arrays
        with that many axes; others keep their order.
    features
        The axis of Pellucid's array that runs over the values of a flattened image, if any.
    """

    axes: tuple[int, ...] = ()
    features: int | None = None

    def to_keras(self, value: Array, flattened: Shape | None, shape: Shape) -> Array:
        """Return Pellucid's `value` in Keras's order and shape.

        `flattened` is the shape (C, H, W) of the image that was flattened before, if one was.
        """
        if self._follows(flattened, value.shape):
            value = value.take(channels_last(flattened), self.features)
        return value.transpose(self._axes(value.ndim)).reshape(shape)

    def from_keras(self, value: Array, flattened: Shape | None, shape: Shape) -> Array:
        """Return Keras's `value` in Pellucid's order and shape: the inverse of `to_keras`."""
        axes = self._axes(len(shape))
        value = value.reshape([shape[axis] for axis in axes]).transpose(np.argsort(axes))
        if self._follows(flattened, shape):
            value = value.take(np.argsort(channels_last(flattened)), self.features)
        return value

    def _axes(self, ndim: int) -> tuple[int, ...]:
        return self.axes if len(self.axes) == ndim else tuple(range(ndim))

    def _follows(self, flattened: Shape | None, shape: Shape) -> TypeGuard[Shape]:
        own = None if self.features is None else shape[self.features]
        return flattened is not None and own == math.prod(flattened)


OUTPUTS = Order()
"""One number for each output of a layer, such as a bias; what was flattened before is no matter."""
VECTOR = Order(features=0)
MATRIX = Order((1, 0), features=1)
KERNEL = Order((2, 3, 1, 0))
IMAGE = Order((1, 2, 0), features=0)


def channels_last(flattened: Shape) -> Array:
    """Return, for each index into a flattened (H, W, C) image, its index in (C, H, W) order.

    >>> channels_last((2, 1, 3))
    array([0, 3, 1, 4, 2, 5])
    """
    C, H, W = flattened
    return np.arange(C * H * W).reshape(C, H, W).transpose(1, 2, 0).ravel()


def keras_shape(shape: Shape) -> Shape:
    """Convert a shape (N, C, H, W) to Keras's (N, H, W, C); leave all others as they are."""
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else tuple(shape)


def our_shape(shape: Shape) -> Shape:
    """Convert Keras's shape (N, H, W, C) to (N, C, H, W); leave all others as they are."""
    return (shape[0], shape[-1], *shape[1:-1]) if len(shape) == 4 else tuple(shape)


def keras_axis(axis: int, ndim: int) -> int:
    """Convert the number of an axis to Keras's order, counted from the end.

    >>> keras_axis(1, 4), keras_axis(-1, 4), keras_axis(1, 2)
    (-1, -2, -1)
    """
    places = (0, 3, 1, 2) if ndim == 4 else range(ndim)
    return places[axis] - ndim


def our_axis(axis: int, ndim: int) -> int:
    """Convert the number of an axis in Keras's order to Pellucid's.

    >>> our_axis(-1, 4), our_axis(2, 4), our_axis(-1, 2)
    (1, 3, 1)
    """
    places = (0, 2, 3, 1) if ndim == 4 else range(ndim)
    return places[axis]


def channels_last_array(value: Array) -> Array:
    """Convert images (N, C, H, W) to (N, H, W, C); leave all other arrays as they are."""
    return np.ascontiguousarray(value.transpose(0, 2, 3, 1)) if value.ndim == 4 else value


def channels_first_array(value: Array) -> Array:
    """Convert images (N, H, W, C) to (N, C, H, W); leave all other arrays as they are."""
    return value.transpose(0, 3, 1, 2) if value.ndim == 4 else value
