"""Layers of two inputs, which are broadcast against each other."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.types import Array, Shape

Two = tuple[Array, Array]


class _Pairwise(Layer):
    """``y = f(a, b)`` for two inputs with the same number of axes, broadcast to each other."""

    inputs = 2

    @abstractmethod
    def value(self, a: Array, b: Array) -> Array:
        """Return f(a, b)."""

    @abstractmethod
    def gradients(self, dy: Array, a: Array, b: Array) -> Two:
        """Return dy · ∂f/∂a and dy · ∂f/∂b, before the sum over repeated axes."""

    def forward(self, x: Two, training: StepContext | None = None) -> tuple[Array, Two]:
        self.output_shape((x[0].shape, x[1].shape))
        return self.value(*x), x

    def backward(self, dy: Array, cache: Two, *, input_gradient: bool = True) -> Two:
        da, db = self.gradients(dy, *cache)
        return _sum_to(da, cache[0].shape), _sum_to(db, cache[1].shape)

    def output_shape(self, input_shape: tuple[Shape, Shape]) -> Shape:
        try:
            if len(input_shape[0]) == len(input_shape[1]):
                return np.broadcast_shapes(*input_shape)
        except ValueError:
            pass
        raise ShapeError(f"{type(self).__name__} cannot broadcast the shapes {list(input_shape)}")


@dataclass(eq=False, repr=False)
class BroadcastAdd(_Pairwise):
    """``y = a + b`` with broadcasting; each receives dy, summed over repeated axes.

    `Add` is for inputs of the same shape, and raises an error if shapes differ.

    >>> BroadcastAdd()((np.ones((1, 2)), np.ones((1, 1))))
    array([[2., 2.]])
    """

    def value(self, a: Array, b: Array) -> Array:
        return a + b

    def gradients(self, dy: Array, a: Array, b: Array) -> Two:
        return dy, dy


@dataclass(eq=False, repr=False)
class Subtract(_Pairwise):
    """``y = a − b``; ``da = dy``, ``db = −dy``.

    >>> Subtract()((np.full((1, 2), 3.0), np.ones((1, 2))))
    array([[2., 2.]])
    """

    def value(self, a: Array, b: Array) -> Array:
        return a - b

    def gradients(self, dy: Array, a: Array, b: Array) -> Two:
        return dy, -dy


@dataclass(eq=False, repr=False)
class Multiply(_Pairwise):
    """``y = a · b``; ``da = dy · b``, ``db = dy · a``.

    >>> Multiply()((np.full((1, 2), 3.0), np.full((1, 2), 2.0)))
    array([[6., 6.]])
    """

    def value(self, a: Array, b: Array) -> Array:
        return a * b

    def gradients(self, dy: Array, a: Array, b: Array) -> Two:
        return dy * b, dy * a


@dataclass(eq=False, repr=False)
class Divide(_Pairwise):
    """``y = a / b``; ``da = dy / b``, ``db = −dy · a / b²``.

    >>> Divide()((np.full((1, 2), 3.0), np.full((1, 2), 2.0)))
    array([[1.5, 1.5]])
    """

    def value(self, a: Array, b: Array) -> Array:
        return a / b

    def gradients(self, dy: Array, a: Array, b: Array) -> Two:
        return dy / b, -dy * a / b**2


@dataclass(eq=False, repr=False)
class Maximum(_Pairwise):
    """``y = max(a, b)``; the larger receives dy, equal values half of it each.

    >>> Maximum()((np.array([[1.0, 5.0]]), np.array([[3.0, 3.0]])))
    array([[3., 5.]])
    """

    def value(self, a: Array, b: Array) -> Array:
        return np.maximum(a, b)

    def gradients(self, dy: Array, a: Array, b: Array) -> Two:
        first = _share(a, b)
        return dy * first, dy * (1 - first)


@dataclass(eq=False, repr=False)
class Minimum(_Pairwise):
    """``y = min(a, b)``; the smaller receives dy, equal values half of it each.

    >>> Minimum()((np.array([[1.0, 5.0]]), np.array([[3.0, 3.0]])))
    array([[1., 3.]])
    """

    def value(self, a: Array, b: Array) -> Array:
        return np.minimum(a, b)

    def gradients(self, dy: Array, a: Array, b: Array) -> Two:
        first = _share(b, a)
        return dy * first, dy * (1 - first)


@dataclass(eq=False, repr=False)
class MatMul(Layer):
    """``Y = A B``, the matrix product over the last two axes; ``dA = dY Bᵀ``, ``dB = Aᵀ dY``.

    >>> MatMul().output_shape(((64, 5, 4), (64, 4, 3)))
    (64, 5, 3)
    """

    inputs = 2

    @property
    def mixes_images(self) -> bool:
        return True  # for arrays of two axes, the first axis is summed over

    def forward(self, x: Two, training: StepContext | None = None) -> tuple[Array, Two]:
        self.output_shape((x[0].shape, x[1].shape))
        return _batch_last(x[0] @ x[1]), x

    def backward(self, dy: Array, cache: Two, *, input_gradient: bool = True) -> Two:
        a, b = cache
        da, db = dy @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ dy
        return _batch_last(_sum_to(da, a.shape)), _batch_last(_sum_to(db, b.shape))

    def output_shape(self, input_shape: tuple[Shape, Shape]) -> Shape:
        a, b = input_shape
        try:
            if len(a) == len(b) >= 2 and a[-1] == b[-2]:
                return *np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1]
        except ValueError:
            pass
        raise ShapeError(f"MatMul cannot multiply arrays of the shapes {a} and {b}")


def _share(a: Array, b: Array) -> Array:
    """Return 1 where a > b, 0 where a < b, and ½ where they are equal."""
    share: Array = 0.5 * ((a > b).astype(a.dtype) + (a >= b))
    return share


def _batch_last(x: Array) -> Array:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)


def _sum_to(gradient: Array, shape: Shape) -> Array:
    """Undo broadcasting: sum over the axes along which a value was repeated."""
    axes = tuple(i for i, (g, s) in enumerate(zip(gradient.shape, shape, strict=True)) if g != s)
    return gradient.sum(axis=axes, keepdims=True) if axes else gradient
