"""Layers that change the shape, or in inference nothing; and those that join several values."""

from collections.abc import Mapping

import numpy as np

from pellucid.interchange.onnx.writer.graph import Graph, Value, Write
from pellucid.layers import Add, Cat, Dropout, Dropout2d, Flatten, Identity, Layer, Multiply


def _flatten(graph: Graph, path: str, layer: Flatten, x: Value) -> str:
    axes = range(len(x.shape))
    start, end = axes[layer.start_dim], axes[layer.end_dim]
    if start == 1 and end == axes[-1]:
        return graph.node("Flatten", path, [x.name], axis=1)
    kept = [0] * start  # 0 stands for the size as it is
    shape = graph.constant(path, "shape", [*kept, -1, *x.shape[end + 1 :]], np.int64)
    return graph.node("Reshape", path, [x.name, shape])


def _nothing(graph: Graph, path: str, layer: Layer, x: Value) -> str:
    """Write no node: in inference it passes what it is given."""
    return x.name


def _add(graph: Graph, path: str, layer: Add, x: tuple[Value, ...]) -> str:
    return graph.node("Add" if len(x) == 2 else "Sum", path, [value.name for value in x])


def _multiply(graph: Graph, path: str, layer: Multiply, x: tuple[Value, ...]) -> str:
    return graph.node("Mul", path, [value.name for value in x])


def _cat(graph: Graph, path: str, layer: Cat, x: tuple[Value, ...]) -> str:
    return graph.node("Concat", path, [value.name for value in x], axis=layer.axis)


WRITERS: Mapping[type[Layer], Write] = {
    Flatten: _flatten,
    Identity: _nothing,
    Dropout: _nothing,
    Dropout2d: _nothing,
    Add: _add,
    Multiply: _multiply,
    Cat: _cat,
}
