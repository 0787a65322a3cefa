"""Pooling."""

from pellucid.geometry import Window
from pellucid.interchange.onnx.reader.call import Call, UnsupportedError, Value, image_sizes
from pellucid.interchange.onnx.reader.operators.convolution import (
    Sides,
    Two,
    one_or_two,
    padding,
    plain,
    two,
)
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.layers import AdaptiveMaxPool2d, AvgPool2d, GlobalAvgPool2d, MaxPool2d, Pad2d

_LARGEST_KERNEL = 4096


@converts("MaxPool")
def max_pool(call: Call) -> Value:
    """The maximum of each window; storage_order is about the second output, where they were."""
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
def average_pool(call: Call) -> Value:
    """The mean of each window; padding counts only if count_include_pad is 1."""
    dilation = two(call, "dilations")
    kernel, stride, sides, ceil = _window(call, dilation)
    counted = bool(call.integer("count_include_pad", 0)) or not any(map(any, sides))
    if counted and not ceil and _wide(sides, kernel):
        padded = call.add(Pad2d(sides))
        return call.add(AvgPool2d(kernel, stride, 0, dilation=dilation), padded)
    layer = AvgPool2d(
        one_or_two(kernel),
        one_or_two(stride),
        plain(sides),
        ceil,
        counted,
        one_or_two(dilation),
    )
    return call.add(layer)


@converts("GlobalAveragePool")
def global_average_pool(call: Call) -> Value:
    """The mean over all positions."""
    image_sizes(call.value())
    return call.add(GlobalAvgPool2d())


@converts("GlobalMaxPool")
def global_max_pool(call: Call) -> Value:
    """The maximum over all positions."""
    image_sizes(call.value())
    return call.add(AdaptiveMaxPool2d(1))


def _wide(sides: Sides, kernel: Two) -> bool:
    """Return whether there is more padding than a pooling layer takes."""
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
    if ceil:  # written only where it changes something, so that a summary shows what matters
        floor = Window.of(size, kernel, stride=stride, padding=sides, dilation=dilation)
        full = Window.of(
            size, kernel, stride=stride, padding=sides, dilation=dilation, ceil_mode=True
        )
        ceil = floor.output_size != full.output_size
    return kernel, stride, sides, ceil
