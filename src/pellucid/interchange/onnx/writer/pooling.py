"""Write pooling and resizing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pellucid import ops
from pellucid.geometry import Sides, Window
from pellucid.interchange.onnx.writer.convolution import pads
from pellucid.interchange.onnx.writer.graph import GraphWriter, NamedValue, Write
from pellucid.layers import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    Layer,
    MaxPool2d,
    Resize,
    Upsample,
)
from pellucid.types import Array


def _max_pool2d(graph: GraphWriter, path: str, layer: MaxPool2d, x: NamedValue) -> str:
    window = layer.window(x.shape)
    name, sides = _padded(graph, path, x.name, window, float("-inf"))
    return graph.node(
        "MaxPool",
        path,
        [name],
        kernel_shape=window.kernel,
        strides=window.stride,
        pads=pads(sides),
        dilations=window.dilation,
    )


def _avg_pool2d(graph: GraphWriter, path: str, layer: AvgPool2d, x: NamedValue) -> str:
    """Write the mean; what `ceil_mode` adds at the end is padding that never counts."""
    window = layer.window(x.shape)
    name, sides = _padded(graph, path, x.name, window, 0.0)
    counts_all = layer.count_include_pad or name != x.name
    corrected = any(window.extra) if layer.count_include_pad else name != x.name
    mean = graph.node(
        "AveragePool",
        path,
        [name],
        "mean" if corrected else "",
        kernel_shape=window.kernel,
        strides=window.stride,
        pads=pads(sides),
        dilations=window.dilation,
        count_include_pad=int(counts_all),
    )
    if not corrected:
        return mean
    share = _share_that_counts(window, layer.count_include_pad)
    return graph.node("Mul", path, [mean, graph.constant(path, "correction", 1 / share)])


def _padded(
    graph: GraphWriter, path: str, x: str, window: Window, value: float
) -> tuple[str, Sides]:
    """Return a pool's input and padding; padding too wide for a pool becomes a node of its own."""
    sides = _with_extra(window)
    if all(max(side) < size for side, size in zip(sides, window.kernel, strict=True)):
        return x, sides
    (top, bottom), (left, right) = sides
    amounts = graph.constant(path, "sides", [0, 0, top, left, 0, 0, bottom, right], np.int64)
    filler = graph.constant(path, "filler", value)
    return graph.node("Pad", path, [x, amounts, filler], "padded"), ((0, 0), (0, 0))


def _with_extra(window: Window) -> Sides:
    (top, bottom), (left, right) = window.padding
    return (top, bottom + window.extra[0]), (left, right + window.extra[1])


def _share_that_counts(window: Window, pad_counts: bool) -> Array:
    """Return, for each output, the share of the window whose values count."""
    (top, bottom), (left, right) = _with_extra(window)
    height, width = window.padded_size
    counted = np.zeros((1, 1, height, width))
    counted[..., top : height - bottom, left : width - right] = 1
    if pad_counts:
        counted[..., : height - window.extra[0], : width - window.extra[1]] = 1
    return ops.avg_pool2d(counted, window.kernel, window.stride, dilation=window.dilation)


def _adaptive_avg_pool2d(
    graph: GraphWriter, path: str, layer: AdaptiveAvgPool2d | GlobalAvgPool2d, x: NamedValue
) -> str:
    """Write ``V X Uᵀ``, where each row of V and U averages one cell, or a simpler operator."""
    (H, W), (OH, OW) = x.shape[2:], layer.output_shape(x.shape)[2:]
    if H % OH == 0 and W % OW == 0:
        return _equal_cells(graph, path, "AveragePool", x, (OH, OW))
    V = graph.constant(path, "rows", _averaging(H, OH))
    U = graph.constant(path, "columns", _averaging(W, OW).T)
    rows = graph.node("MatMul", path, [V, x.name], "mean_of_rows")
    return graph.node("MatMul", path, [rows, U])


def _averaging(size: int, cells: int) -> Array:
    """Return the matrix (cells, size) that averages the cells of an axis."""
    averaging: Array = ops.adaptive_avg_pool2d(np.eye(size)[None, None], (cells, None))[0, 0]
    return averaging


def _adaptive_max_pool2d(
    graph: GraphWriter, path: str, layer: AdaptiveMaxPool2d, x: NamedValue
) -> str:
    """Write the maxima of the cells: first over their rows, then over their columns."""
    (H, W), (OH, OW) = x.shape[2:], layer.output_shape(x.shape)[2:]
    if H % OH == 0 and W % OW == 0:
        return _equal_cells(graph, path, "MaxPool", x, (OH, OW))
    rows = _maxima(graph, path, x.name, 2, H, OH, "max_of_rows")
    return _maxima(graph, path, rows, 3, W, OW, "")


def _equal_cells(
    graph: GraphWriter, path: str, kind: str, x: NamedValue, cells: tuple[int, int]
) -> str:
    if cells == (1, 1):
        return graph.node(f"Global{kind}", path, [x.name])
    cell = [size // count for size, count in zip(x.shape[2:], cells, strict=True)]
    return graph.node(kind, path, [x.name], kernel_shape=cell, strides=cell)


def _maxima(
    graph: GraphWriter, path: str, x: str, axis: int, size: int, cells: int, part: str
) -> str:
    """Write the maximum of each cell ``⌊o·size/cells⌋ ≤ i < ⌈(o + 1)·size/cells⌉`` of an axis."""

    def numbers(*values: int) -> str:
        return graph.constant(path, "numbers", values, np.int64)

    axes, found = numbers(axis), []
    for o in range(cells):
        edges = o * size // cells, -(-(o + 1) * size // cells)
        bounds = [numbers(edge) for edge in edges]
        cell = graph.node("Slice", path, [x, *bounds, axes], "cell")
        found.append(graph.node("ReduceMax", path, [cell, axes], "max"))
    return graph.node("Concat", path, found, part, axis=axis)


def _upsample(graph: GraphWriter, path: str, layer: Upsample, x: NamedValue) -> str:
    """Write `Resize`, with ONNX's names for the modes."""
    factor = layer.scale_factor
    if factor is None:
        size = layer.output_shape(x.shape)[2:]
        target = ["", graph.constant(path, "size", size, np.int64)]
    else:
        factors = factor if isinstance(factor, tuple) else (factor, factor)
        target = [graph.constant(path, "scales", factors, np.float32)]
    positions = "align_corners" if layer.align_corners else "half_pixel"
    nearest = layer.mode == "nearest"
    return graph.node(
        "Resize",
        path,
        [x.name, "", *target],
        axes=[2, 3],
        mode="nearest" if nearest else "linear",
        nearest_mode="floor" if nearest else None,
        coordinate_transformation_mode="asymmetric" if nearest else positions,
    )


def _resize(graph: GraphWriter, path: str, layer: Resize, x: NamedValue) -> str:
    size = layer.output_shape(x.shape)[2:]
    if layer.scale is None:
        target = ["", graph.constant(path, "size", size, np.int64)]
    else:
        target = [graph.constant(path, "scales", layer.scale, np.float32)]
    nearest = layer.mode == "nearest"
    return graph.node(
        "Resize",
        path,
        [x.name, "", *target],
        axes=[2, 3],
        mode=layer.mode,
        coordinate_transformation_mode=layer.coordinates,
        nearest_mode=layer.rounding if nearest else None,
        cubic_coeff_a=layer.cubic if layer.mode == "cubic" else None,
        exclude_outside=int(layer.exclude_outside),
        antialias=int(layer.antialias),
    )


WRITERS: Mapping[type[Layer], Write] = {
    Resize: _resize,
    MaxPool2d: _max_pool2d,
    AvgPool2d: _avg_pool2d,
    AdaptiveAvgPool2d: _adaptive_avg_pool2d,
    AdaptiveMaxPool2d: _adaptive_max_pool2d,
    GlobalAvgPool2d: _adaptive_avg_pool2d,
    Upsample: _upsample,
}
