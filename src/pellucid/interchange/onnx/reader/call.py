"""A node of the file as the converter of its operator sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from pellucid.interchange.onnx.reader import names
from pellucid.interchange.onnx.reader.builder import Builder
from pellucid.interchange.onnx.reader.model import Node
from pellucid.interchange.onnx.reader.size import Batch, has_batch
from pellucid.interchange.onnx.reader.values import Computed, Constant, Known, UnsupportedError
from pellucid.layers import Layer
from pellucid.types import Array

T = TypeVar("T")

_NO_MEANING = {"consumed_inputs"}
"""Attributes of old versions that told a program where it could save memory; they are ignored."""


_FEW = 4096
"""Limit for the number of sizes or axes: a list in Python takes more memory than an array."""


class Call:
    """A node with its inputs and attributes; it records which attributes were read."""

    def __init__(self, node: Node, given: Sequence[Known | None], builder: Builder) -> None:
        self.op, self.node, self.builder = node.op, node, builder
        self.given = list(given)
        self.opset, self.batch = builder.opset, builder.batch
        self._unread = set(node.attributes) - _NO_MEANING

    # Inputs

    def has(self, i: int) -> bool:
        """Return whether input `i` is given."""
        return i < len(self.given) and self.given[i] is not None

    def value(self, i: int = 0) -> Computed:
        """Return input `i`, which must be computed by a layer."""
        if not self.has(i):
            raise UnsupportedError(f"input {i + 1} is missing")
        found = self.given[i]
        if not isinstance(found, Computed):
            raise UnsupportedError(f"input {i + 1} is a constant, which is not supported")
        return found

    def constant(self, i: int, what: str) -> Array:
        """Return input `i`, which must be known; `what` names it in errors."""
        if not self.has(i):
            raise UnsupportedError(f"the {what} is missing")
        found = self.given[i]
        if not isinstance(found, Constant):
            raise UnsupportedError(f"the {what} is computed by the network, not a constant")
        return found.array

    def numbers(self, i: int, what: str) -> Array:
        """Return input `i`, which must be known and independent of the batch size."""
        found = self.constant(i, what)
        if has_batch(found):
            raise UnsupportedError(f"the {what} depends on the batch size")
        return found

    def few(self, i: int, what: str) -> list[Any]:
        """Return input `i`, which must be known, as a short list of sizes, axes or the like."""
        found = self.constant(i, what)
        if found.size > _FEW:
            raise UnsupportedError(f"the {what} has {found.size} values")
        return list(found.reshape(-1).tolist())

    def constant_or(self, i: int, what: str, default: T) -> Array | T:
        """Return input `i`, or the default if it is not given."""
        return self.numbers(i, what) if self.has(i) else default

    def is_constant(self, i: int) -> bool:
        """Return whether input `i` is given and known."""
        return self.has(i) and isinstance(self.given[i], Constant)

    def values(self) -> list[Computed]:
        """Return all inputs, which must be computed by layers."""
        return [self.value(i) for i in range(len(self.given))]

    # Attributes

    def attribute(self, name: str, default: Any, kind: type[Any] | tuple[type[Any], ...]) -> Any:
        """Return an attribute, checked to be of this kind, or the default if it is not given."""
        self._unread.discard(name)
        found = self.node.attributes.get(name)
        if found is None:
            return default
        if not isinstance(found, kind):
            raise UnsupportedError(f"the attribute {name} has the wrong type: {str(found)[:60]}")
        return found

    def integer(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        found: int = self.attribute(name, default, int)
        return found

    def number(self, name: str, default: float) -> float:
        """Return a numeric attribute."""
        return float(self.attribute(name, default, (int, float)))

    def word(self, name: str, default: str) -> str:
        """Return a string attribute."""
        found: str = self.attribute(name, default, str)
        return found

    def integers(self, name: str, default: Sequence[int] | None = None) -> list[int] | None:
        """Return an attribute that is a list of integers."""
        found = self.attribute(name, default, list)
        if found is None or all(isinstance(item, int) for item in found):
            return None if found is None else list(found)
        raise UnsupportedError(f"the attribute {name} must be a list of integers")

    def ignore(self, *attributes: str) -> None:
        """Mark attributes as read that make no difference here."""
        self._unread.difference_update(attributes)

    def ints_or_input(self, name: str, i: int) -> list[int] | None:
        """Return integers that are an attribute in old versions and an input in new ones."""
        if name in self.node.attributes:
            return self.integers(name)
        if not self.has(i):
            return None
        self.numbers(i, name)
        return [int(item) for item in self.few(i, name)]

    def check_all_was_read(self, outputs: int) -> None:
        """Raise an error if an attribute was not read or an additional output is used."""
        if self._unread:
            raise UnsupportedError(
                f"the attribute {', '.join(sorted(self._unread))[:200]} is not supported "
                f"(opset {self.opset})"
            )
        wanted = [i for i, name in enumerate(self.node.outputs) if name and i >= outputs]
        if any(self.is_read(i) for i in wanted):
            raise UnsupportedError(f"output {wanted[0] + 1} is not supported (opset {self.opset})")

    # Layers

    def add(self, layer: Layer, *read: Computed, name: str = "") -> Computed:
        """Add a layer that reads the given values, or the node's first input if none are given."""
        wish = name or self._weight_name() or names.of_node(self.node.name, self.op)
        return self.builder.add(layer, read or (self.value(),), wish)

    def _weight_name(self) -> str:
        weight = self.given[1] if self.is_constant(1) else None
        return names.layer_of(weight.name) if isinstance(weight, Constant) else ""

    def is_read(self, output: int) -> bool:
        """Return whether another node reads this output, or it is an output of the file."""
        return self.node.outputs[output] in self.builder.read


def axis_of(axis: int, ndim: int) -> int:
    """Return an axis counted from the front, after checking that it exists."""
    if not -ndim <= axis < ndim:
        raise UnsupportedError(f"there is no axis {axis} in an array of {ndim} axes")
    return axis % ndim


def image_sizes(value: Computed) -> tuple[int, int, int]:
    """Return (C, H, W) of a value that holds images."""
    if len(value.sizes) != 4:
        raise UnsupportedError(
            f"only images (N, C, H, W) are supported, not values of {len(value.sizes)} axes"
        )
    if any(isinstance(size, Batch) for size in value.sizes[1:]):
        raise UnsupportedError(f"the batch is not the first axis of {value.sizes}")
    _, C, H, W = value.sizes
    return int(C), int(H), int(W)  # type: ignore[arg-type]  # the batch is not among them


def filled(layer: Layer, **values: Array | None) -> Layer:
    """Return the layer with these values in its parameters and buffers."""
    if any(value is not None and value.dtype == np.float64 for value in values.values()):
        layer.astype(np.float64)
    for name, value in values.items():
        if value is not None:
            getattr(layer, name).value = value
    return layer
