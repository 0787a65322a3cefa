"""Pooling."""

from __future__ import annotations

import numpy as np

from pellucid import ops
from pellucid.geometry import Window
from pellucid.interchange.onnx.reader.call import Call, image_sizes
from pellucid.interchange.onnx.reader.operators.arithmetic import reshaped, scaled
from pellucid.interchange.onnx.reader.operators.convolution import (
    Sides,
    Two,
    one_or_two,
    padding,
    plain,
    two,
)
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.size import product
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import AdaptiveMaxPool2d, AvgPool2d, GlobalAvgPool2d, MaxPool2d, Pad2d

_LARGEST_KERNEL = 4096


@converts("MaxPool")
def max_pool(call: Call) -> Computed:
    """Convert max pooling; storage_order only affects the second output, the indices."""
    call.ignore("storage_order")
    dilation = two(call, "dilations")
    kernel, stride, sides, ceil = _window(call, dilation)
    if _wide(sides, kernel):
        padded = call.add(Pad2d(sides, "constant", float("-inf")))
        layer = MaxPool2d(kernel, stride, 0, dilation, ceil)
        return call.add(layer, padded)
    layer = MaxPool2d(
        one_or_two(kernel), one_or_two(stride), plain(sides), one_or_two(dilation), ceil
    )
    return call.add(layer)


@converts("AveragePool")
def average_pool(call: Call) -> Computed:
    """Convert average pooling; padding counts only if count_include_pad is 1."""
    if len(call.value().sizes) == 5:
        return _over_channels(call)
    dilation = two(call, "dilations")
    kernel, stride, sides, ceil = _window(call, dilation)
    counted = bool(call.integer("count_include_pad", 0)) or not any(map(any, sides))
    if _wide(sides, kernel):
        size = image_sizes(call.value())[1:]
        window = Window.of(
            size, kernel, stride=stride, padding=sides, dilation=dilation, ceil_mode=ceil
        )
        return _wide_average(call, window, counted)
    layer = AvgPool2d(
        one_or_two(kernel),
        one_or_two(stride),
        plain(sides),
        ceil,
        counted,
        one_or_two(dilation),
    )
    return call.add(layer)


def _wide_average(call: Call, window: Window, counted: bool) -> Computed:
    """Convert average pooling whose padding is wider than a layer accepts.

    If it does not count, the padding at the end only says how many windows there are, for which
    there is `ceil_mode` (as in our own files); or the mean over all is divided by the share that
    counts.
    """
    kernel, stride, dilation = window.kernel, window.stride, window.dilation
    (top, bottom), (left, right) = window.padding
    narrow = (top, min(bottom, kernel[0] // 2)), (left, min(right, kernel[1] // 2))
    if not counted and not _wide(narrow, kernel):
        layer = AvgPool2d(kernel, stride, plain(narrow), True, False, dilation)
        if layer.window((1, 1, *window.size)).output_size == window.output_size:
            return call.add(layer)
    if any(window.extra):
        raise UnsupportedError("wide padding together with ceil_mode is not supported")
    padded = call.add(Pad2d(window.padding))
    mean = call.add(AvgPool2d(kernel, stride, 0, dilation=dilation), padded)
    if counted:
        return mean
    inside = np.pad(np.ones((1, 1, *window.size)), [(0, 0), (0, 0), *window.padding])
    share = ops.avg_pool2d(inside, kernel, stride, dilation=dilation)
    return scaled(call, mean, 1 / share[0])


def _over_channels(call: Call) -> Computed:
    """Pool (N, 1, C, H, W) over C alone, as PyTorch exports local response normalisation."""
    sizes, kernel = call.value().sizes, call.integers("kernel_shape") or []
    pads, strides = call.integers("pads", [0] * 6) or [], call.integers("strides", [1] * 3)
    plain_window = strides == [1, 1, 1] and not call.integer("ceil_mode", 0)
    if kernel[1:] != [1, 1] or len(pads) != 6 or any(pads[i] for i in (1, 2, 4, 5)):
        plain_window = False
    if not plain_window or call.word("auto_pad", "NOTSET") != "NOTSET":
        raise UnsupportedError("only images (N, C, H, W) are supported, not values of 5 axes")
    flat = reshaped(call, call.value(), (*sizes[:3], product(sizes[3:])))
    counted = bool(call.integer("count_include_pad", 0))
    layer = AvgPool2d((kernel[0], 1), 1, ((pads[0], pads[3]), (0, 0)), count_include_pad=counted)
    pooled = call.add(layer, flat)
    return reshaped(call, pooled, (*pooled.sizes[:3], *sizes[3:]))


@converts("GlobalAveragePool")
def global_average_pool(call: Call) -> Computed:
    """Convert the mean over all positions."""
    image_sizes(call.value())
    return call.add(GlobalAvgPool2d())


@converts("GlobalMaxPool")
def global_max_pool(call: Call) -> Computed:
    """Convert the maximum over all positions."""
    image_sizes(call.value())
    return call.add(AdaptiveMaxPool2d(1))


def _wide(sides: Sides, kernel: Two) -> bool:
    """Return whether the padding is wider than a pooling layer accepts."""
    return any(2 * max(side) > k for side, k in zip(sides, kernel, strict=True))


def _window(call: Call, dilation: Two) -> tuple[Two, Two, Sides, bool]:
    """Return kernel, stride, padding and whether a last, partial window counts."""
    _, height, width = image_sizes(call.value())
    kernel, stride = two(call, "kernel_shape", 0), two(call, "strides")
    if min(kernel) < 1 or max(kernel) > _LARGEST_KERNEL:
        raise UnsupportedError(f"the attribute kernel_shape is {kernel}")
    sides = padding(call, (height, width), kernel, stride, dilation)
    ceil = bool(call.integer("ceil_mode", 0))
    size = height, width
    if ceil:  # set only if it changes the output, to keep summaries short
        floor = Window.of(size, kernel, stride=stride, padding=sides, dilation=dilation)
        full = Window.of(
            size, kernel, stride=stride, padding=sides, dilation=dilation, ceil_mode=True
        )
        ceil = floor.output_size != full.output_size
    return kernel, stride, sides, ceil
