"""The same numbers in two orders: ours with the channels first, Keras's with the channels last."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from pellucid.types import Array, Shape


@dataclass(frozen=True)
class Order:
    """How the axes of a weight are ordered in Keras.

    Attributes
    ----------
    axes
        Keras's axes, each by its number in our array, where it has so many; else they are the same.
    features
        The axis of our array that runs over an image's values, where an image was flattened before.
    """

    axes: tuple[int, ...] = ()
    features: int | None = None

    def to_keras(self, value: Array, flattened: Shape | None, shape: Shape) -> Array:
        """Return our `value` in Keras's order and shape.

        `flattened` is the (C, H, W) of the image that was flattened before, if one was.
        """
        if self._follows(flattened, value.shape):
            value = value.take(channels_last(flattened), self.features)
        return value.transpose(self._axes(value.ndim)).reshape(shape)

    def from_keras(self, value: Array, flattened: Shape | None, shape: Shape) -> Array:
        """Return Keras's `value` in our order and shape: the inverse of `to_keras`."""
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


VECTOR = Order(features=0)
MATRIX = Order((1, 0), features=1)
KERNEL = Order((2, 3, 1, 0))
IMAGE = Order((1, 2, 0), features=0)


def channels_last(flattened: Shape) -> Array:
    """Return, for each place in a flattened (H, W, C), its place in the flattened (C, H, W).

    >>> channels_last((2, 1, 3))
    array([0, 3, 1, 4, 2, 5])
    """
    C, H, W = flattened
    return np.arange(C * H * W).reshape(C, H, W).transpose(1, 2, 0).ravel()


def keras_shape(shape: Shape) -> Shape:
    """Return our shape (N, C, H, W) as Keras has it, (N, H, W, C); all others are the same."""
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else tuple(shape)


def our_shape(shape: Shape) -> Shape:
    """Return Keras's shape (N, H, W, C) as we have it, (N, C, H, W); all others are the same."""
    return (shape[0], shape[-1], *shape[1:-1]) if len(shape) == 4 else tuple(shape)


def keras_axis(axis: int, ndim: int) -> int:
    """Return Keras's number, from the end, of our axis.

    >>> keras_axis(1, 4), keras_axis(-1, 4), keras_axis(1, 2)
    (-1, -2, -1)
    """
    places = (0, 3, 1, 2) if ndim == 4 else range(ndim)
    return places[axis] - ndim


def our_axis(axis: int, ndim: int) -> int:
    """Return our number of Keras's axis.

    >>> our_axis(-1, 4), our_axis(2, 4), our_axis(-1, 2)
    (1, 3, 1)
    """
    places = (0, 2, 3, 1) if ndim == 4 else range(ndim)
    return places[axis]


def channels_last_array(value: Array) -> Array:
    """Return images (N, C, H, W) as (N, H, W, C); all other arrays as they are."""
    return np.ascontiguousarray(value.transpose(0, 2, 3, 1)) if value.ndim == 4 else value


def channels_first_array(value: Array) -> Array:
    """Return images (N, H, W, C) as (N, C, H, W); all other arrays as they are."""
    return value.transpose(0, 3, 1, 2) if value.ndim == 4 else value
