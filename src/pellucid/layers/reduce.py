"""Sums, means and maxima over axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pellucid.errors import PellucidError, ShapeError
from pellucid.layers.base import Layer, StepContext, may_be_batch
from pellucid.types import Array, Shape


@dataclass(eq=False, repr=False)
class _Reduce(Layer):
    axes: tuple[int, ...]
    keepdims: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.axes:
            raise PellucidError(f"{type(self).__name__} needs at least one axis, not ()")

    @property
    def mixes_images(self) -> bool:
        return any(map(may_be_batch, self.axes))

    def output_shape(self, input_shape: Shape) -> Shape:
        axes = self._axes(input_shape)
        if self.keepdims:
            return tuple(1 if i in axes else size for i, size in enumerate(input_shape))
        return tuple(size for i, size in enumerate(input_shape) if i not in axes)

    def _axes(self, shape: Shape) -> tuple[int, ...]:
        if not all(-len(shape) <= axis < len(shape) for axis in self.axes):
            raise ShapeError(f"{self!r} does not fit an input of shape {shape}")
        return tuple(sorted({axis % len(shape) for axis in self.axes}))

    def _repeated(self, dy: Array, shape: Shape) -> Array:
        """Repeat dy along the reduced axes, with the memory layout of x."""
        dy = dy if self.keepdims else np.expand_dims(dy, self._axes(shape))
        dx = np.moveaxis(np.empty((*shape[1:], shape[0]), dy.dtype), -1, 0)
        dx[...] = dy
        return dx


@dataclass(eq=False, repr=False)
class ReduceSum(_Reduce):
    """``y = Σ x`` over `axes`; each value receives the dy of its sum.

    Parameters
    ----------
    axes
        Axes to sum over.
    keepdims
        Whether to keep these axes with size 1.

    Examples
    --------
    >>> ReduceSum((2, 3)).output_shape((64, 16, 28, 28))
    (64, 16)
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        return x.sum(axis=self._axes(x.shape), keepdims=self.keepdims), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        return self._repeated(dy, cache) if input_gradient else dy


@dataclass(eq=False, repr=False)
class ReduceMean(_Reduce):
    """``y = mean of x`` over `axes`; each value receives the same share of dy.

    Parameters
    ----------
    axes, keepdims
        As in `ReduceSum`.

    Examples
    --------
    >>> ReduceMean((2, 3), keepdims=True).output_shape((64, 16, 28, 28))
    (64, 16, 1, 1)
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        return x.mean(axis=self._axes(x.shape), keepdims=self.keepdims), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        count = math.prod(cache[axis] for axis in self._axes(cache))
        return self._repeated(dy / count, cache) if input_gradient else dy


@dataclass(eq=False, repr=False)
class ReduceMax(_Reduce):
    """``y = max of x`` over `axes`; the maximum receives dy, equal maxima share it equally.

    Parameters
    ----------
    axes, keepdims
        As in `ReduceSum`.

    Examples
    --------
    >>> ReduceMax((2, 3)).output_shape((64, 16, 28, 28))
    (64, 16)
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        return x.max(axis=self._axes(x.shape), keepdims=self.keepdims), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        if not input_gradient:
            return dy
        axes = self._axes(cache.shape)
        won = cache == cache.max(axis=axes, keepdims=True)
        share: Array = won / won.sum(axis=axes, keepdims=True, dtype=dy.dtype)
        return self._repeated(dy, cache.shape) * share
