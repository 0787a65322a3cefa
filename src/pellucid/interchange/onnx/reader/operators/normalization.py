"""Normalisation."""

from __future__ import annotations

import numpy as np

from pellucid.interchange.onnx.reader.call import Call, axis_of, filled
from pellucid.interchange.onnx.reader.operators.arithmetic import scaled, shifted
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.size import Batch, Sizes
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import (
    Abs,
    Affine,
    BatchNorm1d,
    BatchNorm2d,
    Clip,
    Divide,
    GroupNorm,
    LayerNorm,
    LocalResponseNorm,
    Power,
    ReduceMean,
    ReduceSum,
    Slice,
    Subtract,
)


@converts("BatchNormalization")
def batch_normalization(call: Call) -> Computed:
    """Convert batch normalisation with running statistics, which training updates further.

    ONNX's momentum weights the old statistics, Pellucid's the new ones.
    """
    call.ignore("is_test")
    x = call.value()
    names = ("scale", "bias", "mean", "variance")
    weight, bias, mean, variance = (call.numbers(i + 1, names[i]) for i in range(4))
    if call.integer("training_mode", 0):
        raise UnsupportedError("the attribute training_mode is 1: it was exported for training")
    if not call.integer("spatial", 1) and any(size != 1 for size in x.sizes[2:]):
        raise UnsupportedError("the attribute spatial is 0: statistics for each pixel")
    axes = len(x.sizes)
    if axes not in (2, 3, 4):
        raise UnsupportedError(f"only images and vectors are supported, not values of {axes} axes")
    kind = BatchNorm2d if axes == 4 else BatchNorm1d
    momentum = min(max(round(1 - call.number("momentum", 0.9), 7), 0.0), 1.0)
    layer = kind(weight.size, eps=call.number("epsilon", 1e-5), momentum=momentum)
    values = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    return call.add(filled(layer, **{k: v.reshape(-1) for k, v in values.items()}))


@converts("InstanceNormalization")
def instance_normalization(call: Call) -> Computed:
    """Convert instance normalisation to group normalisation with one channel per group."""
    channels = _channels(call)
    layer = GroupNorm(channels, channels, eps=call.number("epsilon", 1e-5))
    return call.add(
        filled(layer, weight=call.numbers(1, "scale"), bias=call.numbers(2, "bias")),
    )


@converts("GroupNormalization")
def group_normalization(call: Call) -> Computed:
    """Convert scale and shift, which are per group before opset 21 and per channel since."""
    channels, groups = _channels(call), call.integer("num_groups", 1)
    call.ignore("stash_type")
    weight, bias = call.numbers(1, "scale"), call.numbers(2, "bias")
    if call.opset < 21 and groups and weight.size == groups:
        weight, bias = (np.repeat(array, channels // groups) for array in (weight, bias))
    layer = GroupNorm(groups, channels, eps=call.number("epsilon", 1e-5))
    return call.add(filled(layer, weight=weight, bias=bias))


@converts("LayerNormalization")
def layer_normalization(call: Call) -> tuple[Computed, ...]:
    """Normalise over the axes from `axis` on; also return mean and 1/deviation if they are read."""
    sizes = call.value().sizes
    axis = axis_of(call.integer("axis", -1), len(sizes))
    call.ignore("stash_type")
    shape = _numbers(sizes[axis:])
    if axis == 0:
        raise UnsupportedError("normalising over the batch axis is not supported")
    weight, bias = call.numbers(1, "scale"), call.constant_or(2, "bias", None)
    layer = LayerNorm(shape, eps=call.number("epsilon", 1e-5), bias=bias is not None)
    bias = None if bias is None else np.broadcast_to(bias, shape)
    y = call.add(filled(layer, weight=np.broadcast_to(weight, shape), bias=bias))
    if not any(call.is_read(i) for i in range(1, len(call.node.outputs))):
        return (y,)
    axes = tuple(range(axis, len(sizes)))
    mean = call.add(ReduceMean(axes, keepdims=True))
    squares = call.add(Power(2.0), call.add(Subtract(), call.value(), mean))
    variance = call.add(ReduceMean(axes, keepdims=True), squares)
    return y, mean, call.add(Power(-0.5), call.add(Affine(shift=layer.eps), variance))


@converts("MeanVarianceNormalization")
def mean_variance_normalization(call: Call) -> Computed:
    """Convert to layer normalisation, if the axes do not include the batch."""
    axes = call.integers("axes", [0, 2, 3])
    sizes = call.value().sizes
    if len(sizes) != 4 or axes not in ([2, 3], [1, 2, 3]):
        raise UnsupportedError(f"the attribute axes is {axes}; [2, 3] and [1, 2, 3] are supported")
    return call.add(LayerNorm(_numbers(sizes[axes[0] :]), eps=1e-9, elementwise_affine=False))


@converts("LpNormalization")
def lp_normalization(call: Call) -> Computed:
    """Convert ``x / ‖x‖`` along an axis."""
    axis, p = axis_of(call.integer("axis", -1), len(call.value().sizes)), call.integer("p", 2)
    if p not in (1, 2):
        raise UnsupportedError(f"the attribute p is {p}")
    powers = call.add(Abs() if p == 1 else Power(2.0))
    total = call.add(ReduceSum((axis,), keepdims=True), powers)
    norm = total if p == 1 else call.add(Power(0.5), total)
    return call.add(Divide(), call.value(), call.add(Clip(low=1e-12), norm))  # 0/0 is 0


@converts("LRN")
def lrn(call: Call) -> Computed:
    """Convert local response normalisation over channels.

    For an even size, ONNX's window has one more channel after the centre than before, Pellucid's
    and PyTorch's one more before. So the channels are reversed before and after.
    """
    size = call.integer("size", 0)
    alpha, beta = _short(call.number("alpha", 1e-4)), _short(call.number("beta", 0.75))
    layer = LocalResponseNorm(size, alpha, beta, _short(call.number("bias", 1.0)))
    if size % 2:
        return call.add(layer)
    turned = call.add(layer, call.add(Slice(1, step=-1)))
    return call.add(Slice(1, step=-1), turned)


@converts("RMSNormalization")
def rms_normalization(call: Call) -> Computed:
    """Convert ``x / √(mean x² + epsilon) · scale`` over the axes from `axis` on."""
    sizes = call.value().sizes
    axis = axis_of(call.integer("axis", -1), len(sizes))
    call.ignore("stash_type")
    axes = tuple(range(axis, len(sizes)))
    squares = call.add(ReduceMean(axes, keepdims=True), call.add(Power(2.0)))
    root = call.add(Power(0.5), shifted(call, squares, np.array(call.number("epsilon", 1e-5))))
    return scaled(call, call.add(Divide(), call.value(), root), call.numbers(1, "scale"))


def _channels(call: Call) -> int:
    sizes = call.value().sizes
    if len(sizes) < 3 or isinstance(sizes[1], Batch):
        raise UnsupportedError(f"only images (N, C, H, W) are supported, not {sizes}")
    return sizes[1]


def _numbers(sizes: Sizes) -> tuple[int, ...]:
    if any(isinstance(size, Batch) for size in sizes):
        raise UnsupportedError("the batch axis is not supported")
    return tuple(int(size) for size in sizes)  # type: ignore[arg-type]  # none is the batch


def _short(number: float) -> float:
    """Return a float32 with as few digits as identify it: 0.1, not 0.10000000149011612."""
    return float(str(np.float32(number)))
