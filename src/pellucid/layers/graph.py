"""Networks of any acyclic structure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from pellucid.errors import PellucidError
from pellucid.layers.base import Layer, StepContext
from pellucid.layers.combinator import Build, Combinator, Describe
from pellucid.layers.observers import run_backward, run_forward
from pellucid.layers.wiring import Wire, Wiring

Node = tuple[Layer, str | Sequence[str]]


class Graph(Combinator):
    """A network given by named layers, each with the names of its inputs.

    "x" is the name of the graph's input. Nodes run in the given order, so each may read only the
    ones before it. If a value is read several times, its gradients add. A layer with several inputs
    gets a tuple.

    Parameters
    ----------
    nodes
        ``{name: (layer, input or inputs)}``. The same layer may be at several nodes.
    output
        Name or names of the nodes whose values are returned; by default the last node.
    inputs
        Names of the graph's inputs. With more than one, the graph takes a tuple. Default: ("x",).

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> graph = nn.Graph({
    ...     "left": (nn.Conv2d(3, 4, 1), "x"),
    ...     "right": (nn.Conv2d(3, 4, 3, padding=1), "x"),
    ...     "sum": (nn.Add(), ("left", "right")),
    ... })
    >>> graph.output_shape((1, 3, 8, 8))
    (1, 4, 8, 8)
    """

    entries = ("nodes", "output", "inputs")

    def __init__(
        self,
        nodes: Mapping[str, Node],
        output: str | Sequence[str] | None = None,
        inputs: str | Sequence[str] = ("x",),
    ) -> None:
        self.graph_inputs = (inputs,) if isinstance(inputs, str) else tuple(inputs)
        self.inputs = len(self.graph_inputs)
        self.nodes = {
            name: (layer, (read,) if isinstance(read, str) else tuple(read))
            for name, (layer, read) in nodes.items()
        }
        chosen = list(nodes)[-1:] if output is None else output
        self.single_output = output is None or isinstance(output, str)
        self.outputs = (chosen,) if isinstance(chosen, str) else tuple(chosen)
        self._check()
        self._paths()
        self._learned = self._depend_on_parameters()

    def _check(self) -> None:
        known = set(self.graph_inputs)
        if not known or len(known) < len(self.graph_inputs):
            raise PellucidError(
                f"graph: inputs must be one name or several, not {self.graph_inputs}"
            )
        for name, (layer, read) in self.nodes.items():
            if name in known:
                raise PellucidError(f"graph: the name '{name}' is given twice")
            self._check_node(name, layer)
            self._check_edges(name, layer, read, known)
            known.add(name)
        if not self.outputs or not set(self.outputs) <= known:
            raise PellucidError(f"graph: no node computes the output {self.outputs}")

    def _check_node(self, name: str, layer: Layer) -> None:
        if "." in name:
            raise PellucidError(f"graph: the name '{name}' has a dot")
        if not isinstance(layer, Layer):
            raise PellucidError(f"graph: '{name}' must be a layer, not {layer!r}")
        if isinstance(layer, Graph) and not layer.single_output:
            raise PellucidError(f"graph: '{name}' is a graph with several outputs")

    def _check_edges(self, name: str, layer: Layer, read: tuple[str, ...], known: set[str]) -> None:
        for source in read:
            if source not in known:
                where = "comes later" if source in self.nodes else "does not exist"
                raise PellucidError(f"graph: '{name}' reads '{source}', which {where}")
        if not read or layer.inputs not in (None, len(read)):
            raise PellucidError(
                f"graph: {type(layer).__name__} '{name}' takes {layer.inputs or 'several'} "
                f"inputs, but reads {len(read)}"
            )

    def _depend_on_parameters(self) -> set[str]:
        """Return the nodes whose values depend on a parameter."""
        learned: set[str] = set()
        for name, (layer, read) in self.nodes.items():
            if layer.learns() or learned & set(read):
                learned.add(name)
        return learned

    def children(self) -> dict[str, Layer]:
        return {name: layer for name, (layer, _) in self.nodes.items()}

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, tuple[Any, Any]]:
        self.name_parameters()
        given = dict(zip(self.graph_inputs, self._as_tuple(x), strict=True))
        values, caches = dict(given), {}
        for name, (layer, read) in self.nodes.items():
            values[name], caches[name] = run_forward(layer, _gather(values, layer, read), training)
        return self._result(values), (given, caches)

    def backward(self, dy: Any, cache: tuple[Any, Any], *, input_gradient: bool = True) -> Any:
        given, caches = cache
        gradients: dict[str, Any] = {}
        for name, gradient in zip(self.outputs, (dy,) if self.single_output else dy, strict=True):
            _add(gradients, name, gradient)
        for name, (layer, read) in reversed(self.nodes.items()):
            if name not in gradients or not (input_gradient or name in self._learned):
                continue  # no output depends on this node, or its gradient is not needed
            needed = input_gradient or any(source in self._learned for source in read)
            dx = run_backward(layer, gradients.pop(name), caches.pop(name), needed)
            if needed:
                for source, part in zip(read, dx if layer.inputs != 1 else (dx,), strict=True):
                    _add(gradients, source, part)
        if not input_gradient:
            return None
        found = tuple(
            gradients[name] if name in gradients else np.zeros_like(x) for name, x in given.items()
        )
        return found if len(found) > 1 else found[0]

    def output_shape(self, input_shape: Any) -> Any:
        return self._result(self._shapes(input_shape))

    def child_inputs(self, input_shape: Any) -> Iterator[tuple[str, Layer, Any]]:
        shapes = self._shapes(input_shape)
        for name, (layer, read) in self.nodes.items():
            yield name, layer, _gather(shapes, layer, read)

    def _shapes(self, input_shape: Any) -> dict[str, Any]:
        shapes = dict(zip(self.graph_inputs, self._as_tuple(input_shape), strict=True))
        for name, (layer, read) in self.nodes.items():
            shapes[name] = self.child_shape(name, layer, _gather(shapes, layer, read))
        return shapes

    def _as_tuple(self, x: Any) -> tuple[Any, ...]:
        if len(self.graph_inputs) == 1:
            return (x,)
        if not isinstance(x, tuple | list) or len(x) != len(self.graph_inputs):
            raise PellucidError(f"the graph takes a tuple of {', '.join(self.graph_inputs)}")
        return tuple(x)

    def _result(self, values: Mapping[str, Any]) -> Any:
        found = tuple(values[name] for name in self.outputs)
        return found[0] if self.single_output else found

    def wiring(self) -> Wiring:
        number = {name: i for i, name in enumerate((*self.graph_inputs, *self.nodes))}
        wires = [
            Wire(name, layer, tuple(number[source] for source in read))
            for name, (layer, read) in self.nodes.items()
        ]
        outputs = tuple(number[name] for name in self.outputs)
        return Wiring(len(self.graph_inputs), tuple(wires), outputs)

    def parts(self, describe: Describe) -> dict[str, Any]:
        nodes = [
            {"name": name, "read": list(read), "layer": describe(name, layer)}
            for name, (layer, read) in self.nodes.items()
        ]
        output = self.outputs[0] if self.single_output else list(self.outputs)
        return {"nodes": nodes, "output": output, "inputs": list(self.graph_inputs)}

    @classmethod
    def from_parts(cls, parts: dict[str, Any], build: Build, input_shape: Any) -> Self:
        inputs = parts.get("inputs", ["x"])
        inputs = [inputs] if isinstance(inputs, str) else inputs
        shapes: dict[str, Any] = dict.fromkeys(inputs)
        if input_shape:
            shapes = dict(
                zip(inputs, input_shape if len(inputs) > 1 else (input_shape,), strict=True)
            )
        nodes: dict[str, Node] = {}
        for part in parts["nodes"]:
            name, read = part["name"], part["read"]
            if name in nodes:
                raise PellucidError(f"two nodes have the name '{name}'")
            sources = [read] if isinstance(read, str) else read
            known = all(shapes.get(source) for source in sources)
            shape = tuple(shapes[source] for source in sources) if known else None
            layer = build(name, part["layer"], shape[0] if shape and len(shape) == 1 else shape)
            nodes[name] = (layer, read)
            shapes[name] = layer.output_shape(_gather(shapes, layer, sources)) if known else None
        return cls(nodes, parts.get("output"), inputs)


def _gather(values: Mapping[str, Any], layer: Layer, read: Sequence[str]) -> Any:
    """Return the input of a layer: one value, or a tuple."""
    return values[read[0]] if layer.inputs == 1 else tuple(values[name] for name in read)


def _add(gradients: dict[str, Any], name: str, gradient: Any) -> None:
    gradients[name] = gradients[name] + gradient if name in gradients else gradient
