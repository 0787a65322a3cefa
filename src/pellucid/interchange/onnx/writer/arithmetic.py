"""Write arithmetic: of single values, along axes, and of several inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pellucid import layers as nn
from pellucid.interchange.onnx.writer.activation import operator
from pellucid.interchange.onnx.writer.graph import GraphWriter, NamedValue, Write
from pellucid.layers import Layer


def _affine(graph: GraphWriter, path: str, layer: nn.Affine, x: NamedValue) -> str:
    scaled = graph.node("Mul", path, [x.name, graph.constant(path, "scale", layer.scale)], "scaled")
    return graph.node("Add", path, [scaled, graph.constant(path, "shift", layer.shift)])


def _power(graph: GraphWriter, path: str, layer: nn.Power, x: NamedValue) -> str:
    exponent = graph.constant(path, "exponent", layer.exponent)
    return graph.node("Pow", path, [x.name, exponent])


def _clip(graph: GraphWriter, path: str, layer: nn.Clip, x: NamedValue) -> str:
    limits = [
        graph.constant(path, name, limit) if math.isfinite(limit) else ""
        for name, limit in (("low", layer.low), ("high", layer.high))
    ]
    return graph.node("Clip", path, [x.name, *limits])


def _scale(graph: GraphWriter, path: str, layer: nn.Scale, x: NamedValue) -> str:
    return graph.node("Mul", path, [x.name, graph.parameter(layer.weight)])


def _shift(graph: GraphWriter, path: str, layer: nn.Shift, x: NamedValue) -> str:
    return graph.node("Add", path, [x.name, graph.parameter(layer.bias)])


def _reduction(name: str) -> Write:
    def write(
        graph: GraphWriter,
        path: str,
        layer: nn.ReduceSum | nn.ReduceMean | nn.ReduceMax,
        x: NamedValue,
    ) -> str:
        axes = graph.constant(path, "axes", layer.axes, np.int64)
        return graph.node(name, path, [x.name, axes], keepdims=int(layer.keepdims))

    return write


def _of_several(name: str) -> Write:
    def write(graph: GraphWriter, path: str, layer: Layer, x: tuple[NamedValue, ...]) -> str:
        return graph.node(name, path, [value.name for value in x])

    return write


def _add(graph: GraphWriter, path: str, layer: nn.Add, x: tuple[NamedValue, ...]) -> str:
    return graph.node("Add" if len(x) == 2 else "Sum", path, [value.name for value in x])


def _cat(graph: GraphWriter, path: str, layer: nn.Cat, x: tuple[NamedValue, ...]) -> str:
    return graph.node("Concat", path, [value.name for value in x], axis=layer.axis)


def _heaviside(graph: GraphWriter, path: str, layer: nn.Heaviside, x: NamedValue) -> str:
    above = graph.node("Greater", path, [x.name, graph.constant(path, "zero", 0)], "above")
    return graph.cast(path, above)


def _where(graph: GraphWriter, path: str, layer: nn.Where, x: tuple[NamedValue, ...]) -> str:
    condition, *both = (value.name for value in x)
    chosen = graph.node("Greater", path, [condition, graph.constant(path, "zero", 0)], "chosen")
    return graph.node("Where", path, [chosen, *both])


def _arg_max(graph: GraphWriter, path: str, layer: nn.ArgMax, x: NamedValue) -> str:
    keep = int(layer.keepdims)
    return graph.cast(
        path, graph.node("ArgMax", path, [x.name], "whole", axis=layer.axis, keepdims=keep)
    )


WRITERS: Mapping[type[Layer], Write] = {
    nn.Affine: _affine,
    nn.Power: _power,
    nn.Exp: operator("Exp"),
    nn.Log: operator("Log"),
    nn.Heaviside: _heaviside,
    nn.Where: _where,
    nn.ArgMax: _arg_max,
    nn.Erf: operator("Erf"),
    nn.Abs: operator("Abs"),
    nn.Clip: _clip,
    nn.Scale: _scale,
    nn.Shift: _shift,
    nn.ReduceSum: _reduction("ReduceSum"),
    nn.ReduceMean: _reduction("ReduceMean"),
    nn.ReduceMax: _reduction("ReduceMax"),
    nn.Add: _add,
    nn.Cat: _cat,
    nn.Multiply: _of_several("Mul"),
    nn.BroadcastAdd: _of_several("Add"),
    nn.Subtract: _of_several("Sub"),
    nn.Divide: _of_several("Div"),
    nn.Maximum: _of_several("Max"),
    nn.Minimum: _of_several("Min"),
    nn.MatMul: _of_several("MatMul"),
}
