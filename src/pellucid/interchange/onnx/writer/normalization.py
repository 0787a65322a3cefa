"""Normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pellucid.interchange.onnx.writer.graph import GraphWriter, NamedValue, Write
from pellucid.layers import (
    BatchNorm1d,
    BatchNorm2d,
    GroupNorm,
    InstanceNorm2d,
    Layer,
    LayerNorm,
    LocalResponseNorm,
)
from pellucid.parameter import Parameter


def _channel_norm(
    graph: GraphWriter, path: str, layer: BatchNorm1d | BatchNorm2d | InstanceNorm2d, x: NamedValue
) -> str:
    """Write the normalisation of inference, with running statistics if there are any."""
    if layer.running_mean is not None and layer.running_var is not None:
        statistics = [graph.parameter(item) for item in (layer.running_mean, layer.running_var)]
        inputs = [x.name, *_channel_affine(graph, path, layer), *statistics]
        return graph.node("BatchNormalization", path, inputs, epsilon=layer.eps)
    if isinstance(layer, InstanceNorm2d):
        inputs = [x.name, *_channel_affine(graph, path, layer)]
        return graph.node("InstanceNormalization", path, inputs, epsilon=layer.eps)
    axes = [axis for axis in range(len(x.shape)) if axis != 1]
    standard = _standardized(graph, path, x, axes, layer.eps)
    if layer.weight is None or layer.bias is None:
        return standard
    after = graph.constant(path, "axes_after", range(1, len(x.shape) - 1), np.int64)
    scale, shift = (
        graph.node("Unsqueeze", path, [graph.parameter(item), after], "column")
        for item in (layer.weight, layer.bias)
    )
    scaled = graph.node("Mul", path, [standard, scale], "scaled")
    return graph.node("Add", path, [scaled, shift])


def _standardized(
    graph: GraphWriter, path: str, x: NamedValue, axes: Sequence[int], eps: float
) -> str:
    """Write ``(x − mean)/√(var + eps)`` with the mean and variance over `axes`."""
    over = graph.constant(path, "axes", axes, np.int64)
    mean = graph.node("ReduceMean", path, [x.name, over], "mean")
    centred = graph.node("Sub", path, [x.name, mean], "centred")
    squares = graph.node("Mul", path, [centred, centred], "squares")
    var = graph.node("ReduceMean", path, [squares, over], "var")
    safe = graph.node("Add", path, [var, graph.constant(path, "eps", eps)], "var_plus_eps")
    root = graph.node("Sqrt", path, [safe], "std")
    return graph.node("Div", path, [centred, root])


def _layer_norm(graph: GraphWriter, path: str, layer: LayerNorm, x: NamedValue) -> str:
    shape = layer.normalized_shape
    axes = (shape,) if isinstance(shape, int) else tuple(shape)
    scale = (
        graph.constant(path, "weight", np.ones(axes))
        if layer.weight is None
        else graph.parameter(layer.weight)
    )
    shift = [graph.parameter(layer.bias)] if isinstance(layer.bias, Parameter) else []
    inputs = [x.name, scale, *shift]
    return graph.node("LayerNormalization", path, inputs, axis=-len(axes), epsilon=layer.eps)


def _group_norm(graph: GraphWriter, path: str, layer: GroupNorm, x: NamedValue) -> str:
    inputs = [x.name, *_channel_affine(graph, path, layer)]
    groups, eps = layer.num_groups, layer.eps
    return graph.node("GroupNormalization", path, inputs, num_groups=groups, epsilon=eps)


def _channel_affine(
    graph: GraphWriter, path: str, layer: BatchNorm1d | BatchNorm2d | InstanceNorm2d | GroupNorm
) -> list[str]:
    """Return the names of scale and shift, which ONNX requires even if they are neutral."""
    channels = layer.num_channels if isinstance(layer, GroupNorm) else layer.num_features
    return [
        graph.constant(path, name, np.full(channels, neutral))
        if item is None
        else graph.parameter(item)
        for name, item, neutral in (("weight", layer.weight, 1.0), ("bias", layer.bias, 0.0))
    ]


def _local_response_norm(
    graph: GraphWriter, path: str, layer: LocalResponseNorm, x: NamedValue
) -> str:
    """Write LRN; for an even size, ONNX has one more channel after the centre, Pellucid before.

    In that case ``Σ x_j²`` is written as a 1×1 convolution with a banded matrix of ones.
    """
    if layer.size % 2:
        names = ("alpha", "beta", "size")
        given = {name: getattr(layer, name) for name in names}
        return graph.node("LRN", path, [x.name], bias=float(layer.k), **given)
    C, rank = x.shape[1], len(x.shape)
    apart = np.subtract.outer(np.arange(C), np.arange(C))  # c − j
    band = (-((layer.size - 1) // 2) <= apart) & (apart <= layer.size // 2)
    around = graph.constant(path, "band", band.reshape(C, C, *[1] * (rank - 2)))
    squares = graph.node("Mul", path, [x.name, x.name], "squares")
    sums = graph.node("Conv", path, [squares, around], "sums")
    share = graph.constant(path, "alpha_over_size", layer.alpha / layer.size)
    weighted = graph.node("Mul", path, [sums, share], "weighted")
    bracket = graph.node("Add", path, [weighted, graph.constant(path, "k", layer.k)], "bracket")
    power = graph.node("Pow", path, [bracket, graph.constant(path, "beta", layer.beta)], "power")
    return graph.node("Div", path, [x.name, power])


WRITERS: Mapping[type[Layer], Write] = {
    BatchNorm1d: _channel_norm,
    BatchNorm2d: _channel_norm,
    InstanceNorm2d: _channel_norm,
    LayerNorm: _layer_norm,
    GroupNorm: _group_norm,
    LocalResponseNorm: _local_response_norm,
}
