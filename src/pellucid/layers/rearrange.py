"""Layers that rearrange, select or repeat values, without parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from pellucid.arguments import LARGEST_SIZE, Extended, Range, SizeOrRest, shown
from pellucid.errors import PellucidError, ShapeError
from pellucid.layers.base import Layer, StepContext, may_be_batch
from pellucid.types import Array, Shape

_Side = Annotated[int, Range(0, LARGEST_SIZE)]


@dataclass(eq=False, repr=False)
class Reshape(Layer):
    """Change the shape; the backward pass restores the shape of x.

    Parameters
    ----------
    shape
        Shape of the output, batch included. 0 keeps the input's size of that axis; one size may be
        −1, which is inferred.

    Examples
    --------
    >>> Reshape((0, 4, -1)).output_shape((64, 16, 7, 7))
    (64, 4, 196)
    """

    shape: tuple[SizeOrRest, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape.count(-1) > 1:
            raise PellucidError(f"Reshape accepts at most one −1, not {shown(self.shape)}")

    @property
    def mixes_images(self) -> bool:
        return self.shape[:1] != (0,)

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        return _reshaped(x, self.output_shape(x.shape)), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        return _reshaped(dy, cache)

    def output_shape(self, input_shape: Shape) -> Shape:
        total, axes = math.prod(input_shape), len(input_shape)
        sizes = [
            input_shape[i] if size == 0 and i < axes else size for i, size in enumerate(self.shape)
        ]
        if -1 in sizes:
            rest = -math.prod(sizes)
            sizes[sizes.index(-1)] = total // rest if rest else 0
        if math.prod(sizes) != total:
            raise ShapeError(f"Reshape: {input_shape} cannot become {self.shape}")
        return tuple(sizes)


@dataclass(eq=False, repr=False)
class Permute(Layer):
    """Permute the axes: axis i of y is axis ``dims[i]`` of x.

    >>> Permute((0, 2, 1)).output_shape((64, 16, 49))
    (64, 49, 16)
    """

    dims: Shape

    def __post_init__(self) -> None:
        super().__post_init__()
        if sorted(self.dims) != list(range(len(self.dims))):
            raise PellucidError(f"Permute needs each axis from 0 on once, not {shown(self.dims)}")

    @property
    def mixes_images(self) -> bool:
        return self.dims[0] != 0

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, None]:
        self.output_shape(x.shape)
        return _new(x.transpose(self.dims)), None

    def backward(self, dy: Array, cache: None, *, input_gradient: bool = True) -> Array:
        return _new(dy.transpose(np.argsort(self.dims))) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.dims):
            raise ShapeError(f"Permute{self.dims} does not fit an input of shape {input_shape}")
        return tuple(input_shape[axis] for axis in self.dims)


@dataclass(eq=False, repr=False)
class Slice(Layer):
    """Select a range along one axis, ``x[start:stop:step]``; other values receive the gradient 0.

    >>> Slice(axis=1, stop=8).output_shape((64, 16, 28, 28))
    (64, 8, 28, 28)
    """

    axis: int = 1
    start: int | None = None
    stop: int | None = None
    step: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step == 0:
            raise PellucidError("Slice: step must not be 0")

    @property
    def mixes_images(self) -> bool:
        return may_be_batch(self.axis)

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        self.output_shape(x.shape)
        return _new(x[self._index(x.ndim)]), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        if not input_gradient:
            return dy
        dx = _zeros(cache, dy)
        dx[self._index(len(cache))] = dy
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        axis = _axis(self, self.axis, input_shape)
        size = len(range(*slice(self.start, self.stop, self.step).indices(input_shape[axis])))
        if size == 0:
            raise ShapeError(f"{self!r} leaves nothing of an input of shape {input_shape}")
        return *input_shape[:axis], size, *input_shape[axis + 1 :]

    def _index(self, ndim: int) -> tuple[slice, ...]:
        before = (slice(None),) * (self.axis % ndim)
        return *before, slice(self.start, self.stop, self.step)


@dataclass(eq=False, repr=False)
class Take(Layer):
    """Select entries by index along one axis, for example to reorder channels.

    Each entry receives its dy; the gradients of an entry that is selected several times add.

    >>> Take((2, 1, 0), axis=1)(np.array([[1.0, 2.0, 3.0]]))
    array([[3., 2., 1.]])
    """

    indices: tuple[int, ...]
    axis: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.indices:
            raise PellucidError("Take needs at least one index, not ()")

    @property
    def mixes_images(self) -> bool:
        return may_be_batch(self.axis)

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        self.output_shape(x.shape)
        return _new(np.take(x, self.indices, self.axis)), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        if not input_gradient:
            return dy
        dx = _zeros(cache, dy)
        along, values = np.moveaxis(dx, self.axis, 0), np.moveaxis(dy, self.axis, 0)
        np.add.at(along, np.array(self.indices), values)
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        axis = _axis(self, self.axis, input_shape)
        size = input_shape[axis]
        if not all(-size <= index < size for index in self.indices):
            raise ShapeError(
                f"Take{self.indices[:8]}: the indices exceed an input of shape {input_shape}"
            )
        return *input_shape[:axis], len(self.indices), *input_shape[axis + 1 :]


@dataclass(eq=False, repr=False)
class Expand(Layer):
    """Repeat values along axes of size 1; they receive the sum of their gradients.

    Parameters
    ----------
    shape
        Shape of the output, batch included; −1 keeps the input's size.

    Examples
    --------
    >>> Expand((-1, -1, 7, 7)).output_shape((64, 16, 1, 1))
    (64, 16, 7, 7)
    """

    shape: tuple[SizeOrRest, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 in self.shape:
            raise PellucidError(f"Expand: sizes must be at least 1, or −1, not {shown(self.shape)}")

    @property
    def mixes_images(self) -> bool:
        return self.shape[:1] != (-1,)

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        shape = self.output_shape(x.shape)
        return _new(np.array(np.broadcast_to(x, shape), order="K")), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        axes = tuple(i for i, size in enumerate(cache) if size != dy.shape[i])
        return dy.sum(axis=axes, keepdims=True) if axes else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.shape) or not all(
            new in (-1, old) or old == 1 for new, old in zip(self.shape, input_shape, strict=True)
        ):
            raise ShapeError(f"Expand: {input_shape} cannot become {self.shape}")
        pairs = zip(self.shape, input_shape, strict=True)
        return tuple(old if new == -1 else new for new, old in pairs)


@dataclass(eq=False, repr=False)
class Pad(Layer):
    """Pad any axes with a constant; the backward pass removes the padding.

    For the height and width of images, see `Pad2d`; this layer can also add channels.

    Parameters
    ----------
    padding
        Padding (before, after) of each axis, batch included.
    value
        Value of the padding. Default: 0.

    Examples
    --------
    >>> Pad(((0, 0), (4, 4), (0, 0), (0, 0))).output_shape((64, 16, 28, 28))
    (64, 24, 28, 28)
    """

    padding: tuple[tuple[_Side, _Side], ...]
    value: Extended = 0.0

    @property
    def mixes_images(self) -> bool:
        return self.padding[0] != (0, 0)

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        y = _zeros(self.output_shape(x.shape), x)
        y += float(self.value)
        y[self._inner(x.shape)] = x
        return y, x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        return _new(dy[self._inner(cache)]) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.padding):
            raise ShapeError(f"Pad{self.padding} does not fit an input of shape {input_shape}")
        return tuple(
            size + sum(sides) for size, sides in zip(input_shape, self.padding, strict=True)
        )

    def _inner(self, shape: Shape) -> tuple[slice, ...]:
        pairs = zip(shape, self.padding, strict=True)
        return tuple(slice(before, before + size) for size, (before, _) in pairs)


def _reshaped(x: Array, shape: Shape) -> Array:
    """Reshape, keeping the batch last in memory if its size does not change."""
    if len(shape) == 0 or x.ndim == 0 or shape[0] != x.shape[0]:
        return _new(x.reshape(shape))
    batch_last = x.transpose(*range(1, x.ndim), 0).reshape(*shape[1:], shape[0])
    return batch_last.transpose(-1, *range(len(shape) - 1))


def _new(x: Array) -> Array:
    """Return x with the batch last in memory, copied if necessary."""
    if x.ndim == 0:
        return x
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)


def _zeros(shape: Shape, like: Array) -> Array:
    return np.moveaxis(np.zeros((*shape[1:], shape[0]), like.dtype), -1, 0)


def _axis(layer: Layer, axis: int, shape: Shape) -> int:
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"{type(layer).__name__}: an input of shape {shape} has no axis {axis}")
    return axis % len(shape)
