"""Write convolutions, linear layers and padding."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pellucid.geometry import Sides, Window, pair, resolve_padding
from pellucid.interchange.onnx.writer.graph import GraphWriter, NamedValue, Write
from pellucid.layers import Conv2d, ConvTranspose2d, Layer, Linear, Pad2d
from pellucid.parameter import Parameter

_MODES = {
    "constant": "constant",
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


def pads(sides: Sides) -> list[int]:
    """Convert ((top, bottom), (left, right)) to ONNX's order: all beginnings, then all ends."""
    (top, bottom), (left, right) = sides
    return [top, left, bottom, right]


def _conv2d(graph: GraphWriter, path: str, layer: Conv2d, x: NamedValue) -> str:
    kernel = pair(layer.kernel_size, "kernel_size")
    window = Window.of(
        (x.shape[2], x.shape[3]),
        kernel,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
    )
    image, sides = x.name, window.padding
    if layer.padding_mode != "zeros":
        image, sides = _padded(graph, path, x, sides, layer.padding_mode), ((0, 0), (0, 0))
    return graph.node(
        "Conv",
        path,
        [image, *_weight_and_bias(graph, path, layer)],
        kernel_shape=kernel,
        strides=window.stride,
        pads=pads(sides),
        dilations=window.dilation,
        group=layer.groups,
    )


def _conv_transpose2d(graph: GraphWriter, path: str, layer: ConvTranspose2d, x: NamedValue) -> str:
    kernel, stride = pair(layer.kernel_size, "kernel_size"), pair(layer.stride, "stride")
    dilation = pair(layer.dilation, "dilation")
    spare = pair(layer.output_padding, "output_padding", minimum=0)
    # ONNX Runtime accepts output padding below the stride; whole strides are zeros after the input
    down, right = (more // step for more, step in zip(spare, stride, strict=True))
    image = _padded(graph, path, x, ((0, down), (0, right)), "zeros") if down + right else x.name
    return graph.node(
        "ConvTranspose",
        path,
        [image, *_weight_and_bias(graph, path, layer)],
        kernel_shape=kernel,
        strides=stride,
        pads=pads(resolve_padding(layer.padding, (1, 1), kernel, stride, dilation)),
        output_padding=[more % step for more, step in zip(spare, stride, strict=True)],
        dilations=dilation,
        group=layer.groups,
    )


def _weight_and_bias(graph: GraphWriter, path: str, layer: Conv2d | ConvTranspose2d) -> list[str]:
    if layer.flip_kernel:
        turned = np.ascontiguousarray(layer.weight.value[:, :, ::-1, ::-1])
        names = [graph.constant(path, "weight_flipped", turned)]
    else:
        names = [graph.parameter(layer.weight)]
    if isinstance(layer.bias, Parameter):
        names.append(graph.parameter(layer.bias))
    return names


def _linear(graph: GraphWriter, path: str, layer: Linear, x: NamedValue) -> str:
    weight = graph.parameter(layer.weight)
    bias = [graph.parameter(layer.bias)] if isinstance(layer.bias, Parameter) else []
    if len(x.shape) == 2:
        return graph.node("Gemm", path, [x.name, weight, *bias], transB=1)
    transposed = graph.node("Transpose", path, [weight], "transpose", perm=[1, 0])
    if not bias:
        return graph.node("MatMul", path, [x.name, transposed])
    product = graph.node("MatMul", path, [x.name, transposed], "matmul")
    return graph.node("Add", path, [product, *bias])


def _pad2d(graph: GraphWriter, path: str, layer: Pad2d, x: NamedValue) -> str:
    size = (x.shape[2], x.shape[3])
    sides = resolve_padding(layer.padding, size, (1, 1), (1, 1), (1, 1))
    return _padded(graph, path, x, sides, layer.mode, layer.value, part="")


def _padded(
    graph: GraphWriter,
    path: str,
    x: NamedValue,
    sides: Sides,
    mode: str,
    value: float = 0.0,
    part: str = "pad",
) -> str:
    (top, bottom), (left, right) = sides
    amounts = [0, 0, top, left, 0, 0, bottom, right]
    inputs = [x.name, graph.constant(path, "pads", amounts, np.int64)]
    if value:
        inputs.append(graph.constant(path, "value", value))
    return graph.node("Pad", path, inputs, part, mode=_MODES[mode])


WRITERS: Mapping[type[Layer], Write] = {
    Conv2d: _conv2d,
    ConvTranspose2d: _conv_transpose2d,
    Linear: _linear,
    Pad2d: _pad2d,
}
