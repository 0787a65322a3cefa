"""Convert convolution and transposed convolution."""

from __future__ import annotations

import numpy as np

from pellucid.geometry import resolve_padding
from pellucid.interchange.onnx.reader.call import Call, filled, image_sizes
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import Conv2d, ConvTranspose2d
from pellucid.types import Array

Two = tuple[int, int]
Sides = tuple[Two, Two]


def two(call: Call, name: str, default: int = 1) -> Two:
    """Return an attribute with one number for each direction."""
    found = call.integers(name) or [default, default]
    if len(found) != 2:
        raise UnsupportedError(f"the attribute {name} is {found[:8]}; two directions are supported")
    return found[0], found[1]


def padding(call: Call, size: Two, kernel: Two, stride: Two, dilation: Two) -> Sides:
    """Return ((top, bottom), (left, right)) from the attributes auto_pad and pads."""
    pads, auto = call.integers("pads") or [0, 0, 0, 0], call.word("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        (top, bottom), (left, right) = resolve_padding("same", size, kernel, stride, dilation)
        upper = (top, bottom), (left, right)
        return upper if auto == "SAME_UPPER" else ((bottom, top), (right, left))
    if auto == "VALID":
        return (0, 0), (0, 0)
    if auto not in ("NOTSET", ""):
        raise UnsupportedError(f"the attribute auto_pad has the unknown value {auto[:40]}")
    if len(pads) != 4 or min(pads) < 0:
        raise UnsupportedError(f"the attribute pads is {pads[:8]}; four numbers ≥ 0 are supported")
    top, left, bottom, right = pads
    return (top, bottom), (left, right)


def plain(sides: Sides) -> int | Two | Sides:
    """Return padding in its shortest form: one number, (vertical, horizontal), or all sides."""
    (top, bottom), (left, right) = sides
    if top == bottom and left == right:
        return top if top == left else (top, left)
    return sides


def one_or_two(sizes: Two) -> int | Two:
    """Return one number if both are equal."""
    return sizes[0] if sizes[0] == sizes[1] else sizes


def _weight(call: Call) -> tuple[Array, Two]:
    weight = call.numbers(1, "weight")
    if weight.ndim != 4:
        raise UnsupportedError(f"a weight of shape {weight.shape}: two directions are supported")
    kernel = int(weight.shape[2]), int(weight.shape[3])
    if two(call, "kernel_shape", 0) not in (kernel, (0, 0)):
        raise UnsupportedError(f"the attribute kernel_shape does not match the weight's {kernel}")
    return weight, kernel


@converts("Conv")
def conv(call: Call) -> Computed:
    """Convert a convolution (cross-correlation)."""
    weight, kernel = _weight(call)
    channels, height, width = image_sizes(call.value())
    stride, dilation = two(call, "strides"), two(call, "dilations")
    sides = padding(call, (height, width), kernel, stride, dilation)
    bias = call.constant_or(2, "bias", None)
    layer = Conv2d(
        channels,
        weight.shape[0],
        one_or_two(kernel),
        stride=one_or_two(stride),
        padding=plain(sides),
        dilation=one_or_two(dilation),
        groups=call.integer("group", 1),
        bias=bias is not None,
    )
    return call.add(filled(layer, weight=weight, bias=bias))


@converts("ConvTranspose")
def conv_transpose(call: Call) -> Computed:
    """Convert a transposed convolution, whose size is given by pads, output_shape or auto_pad."""
    weight, kernel = _weight(call)
    channels, height, width = image_sizes(call.value())
    stride, dilation = two(call, "strides"), two(call, "dilations")
    groups = call.integer("group", 1)
    sides, spare = _transposed_padding(call, (height, width), kernel, stride, dilation)
    bias = call.constant_or(2, "bias", None)
    layer = ConvTranspose2d(
        channels,
        weight.shape[1] * groups,
        one_or_two(kernel),
        stride=one_or_two(stride),
        padding=plain(sides),
        output_padding=one_or_two(spare),
        groups=groups,
        bias=bias is not None,
        dilation=one_or_two(dilation),
    )
    return call.add(filled(layer, weight=weight, bias=bias))


def _transposed_padding(
    call: Call, size: Two, kernel: Two, stride: Two, dilation: Two
) -> tuple[Sides, Two]:
    """Return the padding and the output padding.

    With output_shape given, the padding is chosen to produce it; the larger half is at the end for
    SAME_UPPER, else at the beginning. Negative padding becomes output padding.
    """
    auto, spare = call.word("auto_pad", "NOTSET"), two(call, "output_padding", 0)
    wanted = call.integers("output_shape")
    if auto.startswith("SAME"):
        wanted = [size[0] * stride[0], size[1] * stride[1]] if wanted is None else wanted
    if wanted is None:
        return padding(call, size, kernel, stride, dilation), spare
    call.ignore("pads")
    sides, more = [], []
    for i in (0, 1):
        full = (size[i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 + spare[i]
        total = full - int(np.array(wanted)[-2:][i])
        small, large = max(total, 0) // 2, max(total, 0) - max(total, 0) // 2
        sides.append((small, large) if auto == "SAME_UPPER" else (large, small))
        more.append(spare[i] + max(-total, 0))
    return (sides[0], sides[1]), (more[0], more[1])
