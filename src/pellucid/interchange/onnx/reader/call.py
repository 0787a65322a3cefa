"""One node as its operator's converter sees it."""

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
"""Attributes of the first versions that told a program where it could save memory."""


_FEW = 4096
"""Values of what stands for axes: a list in Python takes more memory than an array."""


class Call:
    """A node, its inputs and its attributes; what was read of these is noted."""

    def __init__(self, node: Node, given: Sequence[Known | None], builder: Builder) -> None:
        self.op, self.node, self.builder = node.op, node, builder
        self.given = list(given)
        self.opset, self.batch = builder.opset, builder.batch
        self._unread = set(node.attributes) - _NO_MEANING

    # Inputs

    def has(self, i: int) -> bool:
        """Return whether input i is given."""
        return i < len(self.given) and self.given[i] is not None

    def value(self, i: int = 0) -> Computed:
        """Return input i, which a layer computes."""
        if not self.has(i):
            raise UnsupportedError(f"input {i + 1} is missing")
        found = self.given[i]
        if not isinstance(found, Computed):
            raise UnsupportedError(f"input {i + 1} is a constant, which is not supported")
        return found

    def constant(self, i: int, what: str) -> Array:
        """Return input i, which is known; `what` names it."""
        if not self.has(i):
            raise UnsupportedError(f"the {what} is missing")
        found = self.given[i]
        if not isinstance(found, Constant):
            raise UnsupportedError(f"the {what} is computed by the network, not a constant")
        return found.array

    def numbers(self, i: int, what: str) -> Array:
        """Return input i, which is known and does not contain the batch size."""
        found = self.constant(i, what)
        if has_batch(found):
            raise UnsupportedError(f"the {what} depends on the batch size")
        return found

    def few(self, i: int, what: str) -> list[Any]:
        """Return input i, which is known, as a list: of sizes, axes or the like, never many."""
        found = self.constant(i, what)
        if found.size > _FEW:
            raise UnsupportedError(f"the {what} has {found.size} values")
        return list(found.reshape(-1).tolist())

    def constant_or(self, i: int, what: str, default: T) -> Array | T:
        """Return input i, or the default where it is not given."""
        return self.numbers(i, what) if self.has(i) else default

    def is_constant(self, i: int) -> bool:
        """Return whether input i is known."""
        return self.has(i) and isinstance(self.given[i], Constant)

    def values(self) -> list[Computed]:
        """Return all inputs, which layers compute."""
        return [self.value(i) for i in range(len(self.given))]

    # Attributes

    def attribute(self, name: str, default: Any, kind: type[Any] | tuple[type[Any], ...]) -> Any:
        """Return an attribute of the kind that the operator has, or the default."""
        self._unread.discard(name)
        found = self.node.attributes.get(name)
        if found is None:
            return default
        if not isinstance(found, kind):
            raise UnsupportedError(f"the attribute {name} is {str(found)[:60]}, of the wrong kind")
        return found

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number."""
        found: int = self.attribute(name, default, int)
        return found

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number."""
        return float(self.attribute(name, default, (int, float)))

    def word(self, name: str, default: str) -> str:
        """Return an attribute that is a text."""
        found: str = self.attribute(name, default, str)
        return found

    def integers(self, name: str, default: Sequence[int] | None = None) -> list[int] | None:
        """Return an attribute that is a list of whole numbers."""
        found = self.attribute(name, default, list)
        if found is None or all(isinstance(item, int) for item in found):
            return None if found is None else list(found)
        raise UnsupportedError(f"the attribute {name} holds other things than whole numbers")

    def ignore(self, *attributes: str) -> None:
        """Note attributes that change nothing here."""
        self._unread.difference_update(attributes)

    def ints_or_input(self, name: str, i: int) -> list[int] | None:
        """Return what is an attribute in old versions and an input in new ones."""
        if name in self.node.attributes:
            return self.integers(name)
        if not self.has(i):
            return None
        self.numbers(i, name)
        return [int(item) for item in self.few(i, name)]

    def check_all_was_read(self, outputs: int) -> None:
        """Raise an error where the node asks for more than was done."""
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
        """Put a layer into the graph; it reads what is given, or the node's first input."""
        wish = name or self._weight_name() or names.of_node(self.node.name, self.op)
        return self.builder.add(layer, read or (self.value(),), wish)

    def _weight_name(self) -> str:
        weight = self.given[1] if self.is_constant(1) else None
        return names.layer_of(weight.name) if isinstance(weight, Constant) else ""

    def is_read(self, output: int) -> bool:
        """Return whether another node reads this output, or the file gives it."""
        return self.node.outputs[output] in self.builder.read


def axis_of(axis: int, ndim: int) -> int:
    """Return an axis counted from the front."""
    if not -ndim <= axis < ndim:
        raise UnsupportedError(f"there is no axis {axis} in {ndim} axes")
    return axis % ndim


def image_sizes(value: Computed) -> tuple[int, int, int]:
    """Return (C, H, W) of images."""
    if len(value.sizes) != 4:
        raise UnsupportedError(
            f"is supported for images (N, C, H, W) alone, not for {len(value.sizes)} axes"
        )
    if any(isinstance(size, Batch) for size in value.sizes[1:]):
        raise UnsupportedError(f"the batch is not the first axis of {value.sizes}")
    _, C, H, W = value.sizes
    return int(C), int(H), int(W)  # type: ignore[arg-type]  # none is the batch


def filled(layer: Layer, **values: Array | None) -> Layer:
    """Return the layer with these values, in its parameters and buffers of these names."""
    if any(value is not None and value.dtype == np.float64 for value in values.values()):
        layer.astype(np.float64)
    for name, value in values.items():
        if value is not None:
            getattr(layer, name).value = value
    return layer
