"""Parameters, which are learned, and buffers, such as running means."""

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
    """A named array and its gradient.

    The value is drawn when it is first needed, from a generator seeded by (seed, name), so it does
    not depend on other parameters.

    Parameters
    ----------
    name
        Name of the attribute in the layer. The first model that uses the parameter renames it to
        its path, see `Layer.name_parameters`.
    shape, initializer
        Shape and initialisation of the value; see `pellucid.initializers`.
    kind
        ``weight``, ``bias`` or ``norm`` (scale and shift of a normalisation), so that optimisers
        can exclude some from weight decay.
    fan
        (fan-in, fan-out), if they do not follow from the shape.

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
        self._is_zero = True  # `_grad` may hold anything then: writing zeros first takes time

    @property
    def value(self) -> Array:
        """The array. Change it in place (`parameter.value[...] = …`) or assign a new array."""
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
        """The gradient, 0 until something is added."""
        if self._is_zero:
            self.add_gradient(np.zeros_like(self.value))
        assert self._grad is not None
        return self._grad

    @recorded
    def add_gradient(self, gradient: Array) -> None:
        """Add `gradient` to the parameter's gradient."""
        if self._grad is None:
            self._grad = np.empty_like(self.value)
        if self._is_zero:
            self._grad[...] = gradient
            self._is_zero = False
        else:
            self._grad += gradient

    @property
    def has_gradient(self) -> bool:
        """Whether something was added to the gradient since it was 0."""
        return not self._is_zero

    def zero_grad(self) -> None:
        """Reset the gradient to 0. An array that `grad` returned before is not changed."""
        self._is_zero = True

    def initialize(self, seed: int) -> None:
        """Draw a new value and discard the gradient."""
        source = generator(seed, f"initialize {self.name}")
        drawn = initializers.draw(self.initializer, self.shape, source, self.fan)
        self._value = np.ascontiguousarray(drawn, dtype=self.dtype)
        self._grad, self._is_zero = None, True

    def astype(self, dtype: DType) -> None:
        """Convert value and gradient to another type."""
        self.dtype = np.dtype(dtype)
        self._value = None if self._value is None else self._value.astype(dtype)
        self._grad = None if self._grad is None else self._grad.astype(dtype)

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.shape}, {self.dtype}, {self.kind})"


class Buffer:
    """A named array that a layer updates rather than learns, such as a running mean.

    It changes only in training steps, and only after the loss is known to be finite.

    Parameters
    ----------
    name
        Name of the attribute in the layer, later the path.
    shape, initial
        Shape of the array, and initial value of all its elements.
    dtype
        Initial type.

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
        """The array; an assigned array is copied."""
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
        """Reset to the initial value."""
        self._value = None

    def astype(self, dtype: DType) -> None:
        """Convert floating-point values to another type; counts keep theirs."""
        if np.issubdtype(self.dtype, np.floating):
            self.dtype = np.dtype(dtype)
            self._value = None if self._value is None else self._value.astype(dtype)

    def __repr__(self) -> str:
        return f"Buffer({self.name!r}, {self.shape}, {self.dtype})"


def checked(name: str, value: Array, shape: Shape) -> Array:
    """Return `value` as an array, after checking its shape."""
    array = np.asarray(value)
    if array.shape != shape:
        raise ShapeError(f"{name} has shape {shape}, but was given {array.shape}")
    return array


def common_length(paths: Iterable[str]) -> int:
    """Return the length of the prefix, in whole names, that all paths share.

    >>> common_length(["0.conv.weight", "0.conv.bias"]), common_length(["conv.w", "fc.w"])
    (7, 0)
    """
    shared = 0
    for names in zip(*(path.split(".")[:-1] for path in paths), strict=False):
        if len(set(names)) > 1:
            break
        shared += len(names[0]) + 1
    return shared
