"""Write activation functions, most of which have an ONNX operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pellucid import layers as nn
from pellucid.interchange.onnx.writer.graph import GraphWriter, NamedValue, Write
from pellucid.layers import Layer


def operator(name: str, **attributes: Callable[[Any], Any]) -> Write:
    """Return a function that writes one node, with attributes computed from the layer."""

    def write(graph: GraphWriter, path: str, layer: Layer, x: NamedValue) -> str:
        given = {key: read(layer) for key, read in attributes.items()}
        return graph.node(name, path, [x.name], **given)

    return write


def _relu6(graph: GraphWriter, path: str, layer: nn.ReLU6, x: NamedValue) -> str:
    limits = [graph.constant(path, "min", 0), graph.constant(path, "max", 6)]
    return graph.node("Clip", path, [x.name, *limits])


def _silu(graph: GraphWriter, path: str, layer: nn.SiLU, x: NamedValue) -> str:
    sigmoid = graph.node("Sigmoid", path, [x.name], "sigmoid")
    return graph.node("Mul", path, [x.name, sigmoid])


def _softplus(graph: GraphWriter, path: str, layer: nn.Softplus, x: NamedValue) -> str:
    """Write ``log(1 + exp(βx))/β``, and x itself where βx is above the threshold."""
    beta = graph.constant(path, "beta", layer.beta)
    scaled = graph.node("Mul", path, [x.name, beta], "scaled")
    soft = graph.node("Softplus", path, [scaled], "softplus")
    curve = graph.node("Div", path, [soft, beta], "curve")
    threshold = graph.constant(path, "threshold", layer.threshold)
    above = graph.node("Greater", path, [scaled, threshold], "above")
    return graph.node("Where", path, [above, x.name, curve])


def _prelu(graph: GraphWriter, path: str, layer: nn.PReLU, x: NamedValue) -> str:
    slope = graph.parameter(layer.weight)
    after = len(x.shape) - 2
    if layer.num_parameters > 1 and after:  # ONNX aligns the last axes
        axes = graph.constant(path, "axes", range(1, 1 + after), "int64")
        slope = graph.node("Unsqueeze", path, [slope, axes], "slope")
    return graph.node("PRelu", path, [x.name, slope])


WRITERS: Mapping[type[Layer], Write] = {
    nn.ReLU: operator("Relu"),
    nn.ReLU6: _relu6,
    nn.LeakyReLU: operator("LeakyRelu", alpha=lambda layer: float(layer.negative_slope)),
    nn.PReLU: _prelu,
    nn.ELU: operator("Elu", alpha=lambda layer: float(layer.alpha)),
    nn.SELU: operator("Selu"),
    nn.GELU: operator("Gelu", approximate=lambda layer: layer.approximate),
    nn.SiLU: _silu,
    nn.Hardswish: operator("HardSwish"),
    nn.Softplus: _softplus,
    nn.Sigmoid: operator("Sigmoid"),
    nn.Tanh: operator("Tanh"),
    nn.Softmax: operator("Softmax", axis=lambda layer: layer.dim),
    nn.LogSoftmax: operator("LogSoftmax", axis=lambda layer: layer.dim),
    nn.HardSigmoid: operator(
        "HardSigmoid", alpha=lambda layer: float(layer.alpha), beta=lambda layer: float(layer.beta)
    ),
    nn.Softsign: operator("Softsign"),
    nn.ThresholdedReLU: operator("ThresholdedRelu", alpha=lambda layer: float(layer.alpha)),
}
