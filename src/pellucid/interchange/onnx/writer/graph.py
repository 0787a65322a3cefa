"""Collect the nodes, constants and names of an ONNX graph while it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pellucid.layers import Layer
from pellucid.layers.base import join
from pellucid.parameter import Buffer, Parameter
from pellucid.types import Array, DType, Shape


class NamedValue(NamedTuple):
    """The name of a value in the graph, and its shape for a batch of one."""

    name: str
    shape: Shape


Write = Callable[["GraphWriter", str, Any, Any], Any]
"""``write(graph, path, layer, x)`` adds the layer's nodes and returns the name of its output.

x is a `NamedValue`, or a tuple of them for a layer with several inputs.
"""


class GraphWriter:
    """The nodes and constants of a file while it is written.

    Parameters
    ----------
    model
        The model, which gives each parameter and buffer its name in `state_dict`.
    writers
        The function that writes each type of layer.
    dtype
        Type of all numbers.
    """

    def __init__(self, model: Layer, writers: Mapping[type[Layer], Write], dtype: DType) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}
        self._writers = writers
        self._paths = {id(item): name for name, item in model.named_state()}
        self._taken = set(self._paths.values())

    def layer(self, path: str, layer: Layer, x: Any) -> Any:
        """Write a layer and return its output: a `NamedValue`, or a tuple of them."""
        shape = x.shape if isinstance(x, NamedValue) else tuple(value.shape for value in x)
        written = self._writers[type(layer)](self, path, layer, x)
        if not isinstance(written, str):
            return written
        return NamedValue(written, layer.output_shape(shape))

    def node(
        self, operator: str, path: str, inputs: Iterable[str], part: str = "", **attributes: Any
    ) -> str:
        """Add a node and return the name of its output.

        The node is named after the layer's path, and its `part` if the layer takes several nodes.
        Attributes that are None are omitted.
        """
        from onnx import helper

        output = self.fresh(join(path, part) or operator.lower())
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(operator, [*inputs], [output], name=output, **given))
        return output

    def cast(self, path: str, name: str) -> str:
        """Convert truth values or integers to the graph's type."""
        from onnx import helper

        return self.node("Cast", path, [name], to=helper.np_dtype_to_tensor_dtype(self.dtype))

    def parameter(self, item: Parameter | Buffer) -> str:
        """Return the name of a parameter's or buffer's value, which is that in `state_dict`."""
        name = self._paths[id(item)]
        self.constants[name] = item.value
        return name

    def constant(self, path: str, part: str, value: Any, dtype: DType | None = None) -> str:
        """Add an array, by default of the graph's type, and return its name."""
        name = self.fresh(join(path, part))
        self.constants[name] = np.asarray(value, self.dtype if dtype is None else dtype)
        return name

    def fresh(self, name: str) -> str:
        """Return `name`, or the first of name_1, name_2, … that is not taken."""
        found, turn = name, 0
        while found in self._taken:
            turn += 1
            found = f"{name}_{turn}"
        self._taken.add(found)
        return found

    def rename(self, value: NamedValue, wanted: str) -> NamedValue:
        """Give a node's output the name that users see; a value without a node is copied."""
        if not any(value.name in node.output for node in self.nodes):
            return NamedValue(self.node("Identity", wanted, [value.name]), value.shape)
        if value.name == wanted:
            return value
        name = self.fresh(wanted)
        for node in self.nodes:
            for places in (node.input, node.output):
                places[:] = [name if place == value.name else place for place in places]
        return NamedValue(name, value.shape)
