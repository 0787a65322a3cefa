"""Write combinators, which connect other layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid import layers as nn
from pellucid.interchange.onnx.writer.graph import GraphWriter, NamedValue, Write
from pellucid.layers import Layer
from pellucid.layers.base import join


def _sequential(graph: GraphWriter, path: str, layer: nn.Sequential, x: Any) -> Any:
    for name, child in layer.layers.items():
        x = graph.layer(join(path, name), child, x)
    return x.name if isinstance(x, NamedValue) else x


def _residual(graph: GraphWriter, path: str, layer: nn.Residual, x: NamedValue) -> str:
    y, around = graph.layer(path, layer.body, x), x
    if layer.shortcut is not None:
        around = graph.layer(join(path, "downsample"), layer.shortcut, x)
    added = graph.node("Add", path, [y.name, around.name], "add")
    if layer.activation is None:
        return added
    activation = join(path, "activation")
    return str(graph.layer(activation, layer.activation, NamedValue(added, y.shape)).name)


def _concat(graph: GraphWriter, path: str, layer: nn.Concat, x: NamedValue) -> str:
    found = [graph.layer(join(path, name), child, x) for name, child in layer.branches.items()]
    return graph.node("Concat", path, [value.name for value in found], "concat", axis=1)


def _graph(graph: GraphWriter, path: str, layer: nn.Graph, x: Any) -> Any:
    """Write the nodes; only the outermost graph may have several outputs."""
    given = (x,) if isinstance(x, NamedValue) else x
    values = dict(zip(layer.graph_inputs, given, strict=True))
    for name, (child, read) in layer.nodes.items():
        sources = tuple(values[source] for source in read)
        values[name] = graph.layer(
            join(path, name), child, sources[0] if child.inputs == 1 else sources
        )
    found = tuple(values[name] for name in layer.outputs)
    return found[0].name if layer.single_output else found


WRITERS: Mapping[type[Layer], Write] = {
    nn.Sequential: _sequential,
    nn.Residual: _residual,
    nn.Concat: _concat,
    nn.Graph: _graph,
}
