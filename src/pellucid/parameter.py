"""What a layer keeps: parameters, which are learned, and buffers, such as a running mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from pellucid import initializers
from pellucid.errors import ShapeError
from pellucid.randomness import generator
from pellucid.runtime.recording import recorded
from pellucid.types import Array, DType, Shape

Kind = Literal["weight", "bias", "norm"]


class Parameter:
    """A named value and its gradient.

    The value is drawn when it is first needed, from the generator that belongs to (seed, name), so
    that one parameter's initial value does not depend on how many others there are.

    Parameters
    ----------
    name
        Its attribute in the layer. The model in which it is first used gives it its path as a name,
        see `Layer.name_parameters`.
    shape, initializer
        What to draw; see `pellucid.initializers`.
    kind
        ``weight``, ``bias`` or ``norm`` (the scale and shift of a normalisation), by which an
        optimiser can leave some out of weight decay.
    fan
        (fan in, fan out) where the shape does not tell them.

    Examples
    --------
    >>> bias = Parameter("bias", (2,), "zeros", kind="bias")
    >>> bias.value
    array([0., 0.], dtype=float32)
    >>> bias.add_gradient(np.ones(2, np.float32))
    >>> bias.grad
    array([1., 1.], dtype=float32)
    """

    __slots__ = (
        "_grad",
        "_is_zero",
        "_value",
        "dtype",
        "fan",
        "initializer",
        "is_named",
        "kind",
        "name",
        "shape",
    )

    def __init__(
        self,
        name: str,
        shape: Shape,
        initializer: str,
        kind: Kind = "weight",
        fan: initializers.Fans | None = None,
    ) -> None:
        initializers.check(initializer)
        self.name = name
        self.is_named = False
        self.shape = shape
        self.initializer = initializer
        self.kind = kind
        self.fan = fan
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._value: Array | None = None
        self._grad: Array | None = None
        self._is_zero = True  # whatever is in `_grad`: to write zeros there and then add takes time

    @property
    def value(self) -> Array:
        """The array itself: assign into it (`parameter.value[...] = `) or assign an array."""
        if self._value is None:
            self.initialize(seed=0)
            assert self._value is not None
        return self._value

    @value.setter
    def value(self, value: Array) -> None:
        array = checked(self.name, value, self.shape)
        if self._value is None:
            self._value = np.empty(self.shape, self.dtype)
        self._value[...] = array

    @property
    def grad(self) -> Array:
        """The gradient, zero until something is added."""
        if self._is_zero:
            self.add_gradient(np.zeros_like(self.value))
        assert self._grad is not None
        return self._grad

    @recorded
    def add_gradient(self, gradient: Array) -> None:
        """Add `gradient` to `grad`."""
        if self._grad is None:
            self._grad = np.empty_like(self.value)
        if self._is_zero:
            self._grad[...] = gradient
            self._is_zero = False
        else:
            self._grad += gradient

    def zero_grad(self) -> None:
        """Set the gradient to zero: `grad` shows it, an array taken from there before does not."""
        self._is_zero = True

    def initialize(self, seed: int) -> None:
        """Draw the value anew and forget the gradient."""
        source = generator(seed, f"initialize {self.name}")
        drawn = initializers.draw(self.initializer, self.shape, source, self.fan)
        self._value = np.ascontiguousarray(drawn, dtype=self.dtype)
        self._grad, self._is_zero = None, True

    def astype(self, dtype: DType) -> None:
        """Change the type of value and gradient."""
        self.dtype = np.dtype(dtype)
        self._value = None if self._value is None else self._value.astype(dtype)
        self._grad = None if self._grad is None else self._grad.astype(dtype)

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.shape}, {self.dtype}, {self.kind})"


class Buffer:
    """A named value that a layer updates rather than learns, such as a running mean.

    Only a training step changes it, and only after its loss was finite.

    Parameters
    ----------
    name
        As a parameter's.
    shape, initial
        Every value begins as `initial`.
    dtype
        The type that it begins with.

    Examples
    --------
    >>> Buffer("running_var", (2,), 1.0).value
    array([1., 1.], dtype=float32)
    """

    __slots__ = ("_value", "dtype", "initial", "is_named", "name", "shape")

    def __init__(self, name: str, shape: Shape, initial: float, dtype: DType = np.float32) -> None:
        self.name = name
        self.is_named = False
        self.shape = shape
        self.initial = initial
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._value: Array | None = None

    @property
    def value(self) -> Array:
        """The array; an array that is assigned is copied."""
        if self._value is None:
            self._value = np.full(self.shape, self.initial, self.dtype)
        return self._value

    @value.setter
    def value(self, value: Array) -> None:
        array = checked(self.name, value, self.shape)
        if self._value is None:
            self._value = np.empty(self.shape, self.dtype)
        self._value[...] = array

    def initialize(self) -> None:
        """Go back to the first value."""
        self._value = None

    def astype(self, dtype: DType) -> None:
        """Change the type of a floating value; counts stay counts."""
        if np.issubdtype(self.dtype, np.floating):
            self.dtype = np.dtype(dtype)
            self._value = None if self._value is None else self._value.astype(dtype)

    def __repr__(self) -> str:
        return f"Buffer({self.name!r}, {self.shape}, {self.dtype})"


def checked(name: str, value: Array, shape: Shape) -> Array:
    """Return `value` as an array if it has `shape`."""
    array = np.asarray(value)
    if array.shape != shape:
        raise ShapeError(f"{name} has shape {shape}, was given {array.shape}")
    return array


def common_length(paths: Iterable[str]) -> int:
    """Return the length of the beginning that all paths have in common, in whole names.

    >>> common_length(["0.conv.weight", "0.conv.bias"]), common_length(["conv.w", "fc.w"])
    (7, 0)
    """
    shared = 0
    for names in zip(*(path.split(".")[:-1] for path in paths), strict=False):
        if len(set(names)) > 1:
            break
        shared += len(names[0]) + 1
    return shared
