"""Collect the layers of a `Graph` while a file is read."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from pellucid.errors import FileError
from pellucid.interchange.onnx.reader.names import Names
from pellucid.interchange.onnx.reader.size import Sizes, at, between
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import Layer

_MOST_VALUES = 2**28
"""Limit for the values of one array for one image (1 GiB), far above any image network's."""
_MOST_WEIGHTS = 2**28
"""Number of weights that layers may have beyond the values in the file."""


class Builder:
    """The layers by name, with the names of their inputs and the sizes of their outputs.

    Parameters
    ----------
    opset
        Version of the operators.
    batch
        Batch size that the exporter fixed, or None.
    producer
        Program that wrote the file.
    """

    def __init__(self, opset: int, batch: int | None, producer: str = "") -> None:
        self.opset, self.batch, self.producer = opset, batch, producer
        self.nodes: dict[str, tuple[Layer, tuple[str, ...]]] = {}
        self.names = Names()
        self.read: set[str] = set()
        """The names of the file's values that are inputs of nodes or outputs of the file."""
        self._values: dict[str, Computed] = {}
        self._weights = _MOST_WEIGHTS

    def input(self, name: str, sizes: Sizes) -> Computed:
        """Add an input of the graph and return its value."""
        found = Computed(self.names.new(name), sizes)
        self._values[found.name] = found
        return found

    def add(self, layer: Layer, read: tuple[Computed, ...], name: str) -> Computed:
        """Add a layer that reads these values, and return its output."""
        shapes = [
            tuple(at(value.sizes, batch) for value in read)
            if layer.inputs != 1
            else at(read[0].sizes, batch)
            for batch in (1, 2)
        ]
        one, two = (layer.output_shape(shape) for shape in shapes)
        if prod(one) > _MOST_VALUES:
            raise UnsupportedError(f"its output would have the shape {one} for one image")
        self._weights -= sum(prod(parameter.shape) for parameter in layer.parameters())
        if self._weights < 0:
            raise FileError("this network would have far more weights than the file holds values")
        name = self.names.new(name)
        self.nodes[name] = layer, tuple(value.name for value in read)
        self._values[name] = Computed(name, between(one, two))
        return self._values[name]

    def allow_weights(self, count: int) -> None:
        """Allow layers to have this many more weights than the file holds values."""
        self._weights += count

    def source(self, value: Computed) -> tuple[Layer, Computed] | None:
        """Return the layer that computes a value, and its input, if it has exactly one."""
        if value.name not in self.nodes:
            return None
        layer, read = self.nodes[value.name]
        return (layer, self._values[read[0]]) if len(read) == 1 else None

    def needed(self, outputs: Iterable[str]) -> dict[str, tuple[Layer, tuple[str, ...]]]:
        """Return the layers on which the outputs depend."""
        wanted = set(outputs)
        for name, (_, read) in reversed(self.nodes.items()):
            if name in wanted:
                wanted.update(read)
        return {name: node for name, node in self.nodes.items() if name in wanted}
