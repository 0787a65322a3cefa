"""Write layers that rearrange values, and those that do nothing in inference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pellucid import layers as nn
from pellucid.interchange.onnx.writer.activation import operator
from pellucid.interchange.onnx.writer.graph import GraphWriter, NamedValue, Write
from pellucid.layers import Layer


def _flatten(graph: GraphWriter, path: str, layer: nn.Flatten, x: NamedValue) -> str:
    axes = range(len(x.shape))
    start, end = axes[layer.start_dim], axes[layer.end_dim]
    if start == 1 and end == axes[-1]:
        return graph.node("Flatten", path, [x.name], axis=1)
    kept = [0] * start  # 0 keeps the size
    shape = graph.constant(path, "shape", [*kept, -1, *x.shape[end + 1 :]], np.int64)
    return graph.node("Reshape", path, [x.name, shape])


def _nothing(graph: GraphWriter, path: str, layer: Layer, x: NamedValue) -> str:
    """Write no node, for a layer that is the identity in inference."""
    return x.name


def _reshape(graph: GraphWriter, path: str, layer: nn.Reshape, x: NamedValue) -> str:
    shape = graph.constant(path, "shape", layer.shape, np.int64)
    return graph.node("Reshape", path, [x.name, shape])


def _slice(graph: GraphWriter, path: str, layer: nn.Slice, x: NamedValue) -> str:
    """Write `Slice`; an open end becomes the largest number, because ONNX has no open end."""
    forward = layer.step > 0
    start = (0 if forward else _FAR) if layer.start is None else layer.start
    stop = (_FAR if forward else -_FAR) if layer.stop is None else layer.stop
    numbers = {"start": start, "stop": stop, "axis": layer.axis, "step": layer.step}
    names = [graph.constant(path, part, [number], np.int64) for part, number in numbers.items()]
    return graph.node("Slice", path, [x.name, *names])


_FAR = 2**31 - 1


def _take(graph: GraphWriter, path: str, layer: nn.Take, x: NamedValue) -> str:
    indices = graph.constant(path, "indices", layer.indices, np.int64)
    return graph.node("Gather", path, [x.name, indices], axis=layer.axis)


def _expand(graph: GraphWriter, path: str, layer: nn.Expand, x: NamedValue) -> str:
    sizes = [1 if size == -1 else size for size in layer.shape]  # 1 keeps the size
    return graph.node("Expand", path, [x.name, graph.constant(path, "shape", sizes, np.int64)])


def _pad(graph: GraphWriter, path: str, layer: nn.Pad, x: NamedValue) -> str:
    before, behind = zip(*layer.padding, strict=True)
    amounts = graph.constant(path, "pads", [*before, *behind], np.int64)
    return graph.node("Pad", path, [x.name, amounts, graph.constant(path, "value", layer.value)])


def _pixel_unshuffle(graph: GraphWriter, path: str, layer: nn.PixelUnshuffle, x: NamedValue) -> str:
    """Write two reshapes and a transpose, because SpaceToDepth orders the channels differently."""
    r, (_, C, H, W) = layer.downscale_factor, x.shape
    split = graph.constant(path, "parts", [0, C, H // r, r, W // r, r], np.int64)
    parts = graph.node("Reshape", path, [x.name, split], "split")
    turned = graph.node("Transpose", path, [parts], "turned", perm=[0, 1, 3, 5, 2, 4])
    shape = graph.constant(path, "shape", [0, C * r**2, H // r, W // r], np.int64)
    return graph.node("Reshape", path, [turned, shape])


WRITERS: Mapping[type[Layer], Write] = {
    nn.Flatten: _flatten,
    nn.Identity: _nothing,
    nn.Dropout: _nothing,
    nn.Dropout2d: _nothing,
    nn.Reshape: _reshape,
    nn.Permute: operator("Transpose", perm=lambda layer: layer.dims),
    nn.Slice: _slice,
    nn.Take: _take,
    nn.Expand: _expand,
    nn.Pad: _pad,
    nn.PixelShuffle: operator(
        "DepthToSpace", blocksize=lambda layer: layer.upscale_factor, mode=lambda layer: "CRD"
    ),
    nn.PixelUnshuffle: _pixel_unshuffle,
}
