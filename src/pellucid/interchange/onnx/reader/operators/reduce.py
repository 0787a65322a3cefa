"""Convert sums, means and maxima over axes."""

from __future__ import annotations

from pellucid.interchange.onnx.reader.call import Call, axis_of
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.values import Computed
from pellucid.layers import (
    Abs,
    Affine,
    Flatten,
    GlobalAvgPool2d,
    Power,
    ReduceMax,
    ReduceMean,
    ReduceSum,
)

_KINDS: dict[str, type[ReduceMean | ReduceSum | ReduceMax]] = {
    "ReduceMean": ReduceMean,
    "ReduceSum": ReduceSum,
    "ReduceMax": ReduceMax,
}


def _axes(call: Call) -> tuple[tuple[int, ...], bool]:
    """Return the axes to reduce (all if none are given), and whether they are kept with size 1."""
    ndim, axes = len(call.value().sizes), call.ints_or_input("axes", 1)
    keep = bool(call.integer("keepdims", 1))
    if not axes:
        return (() if call.integer("noop_with_empty_axes", 0) else tuple(range(ndim))), keep
    call.ignore("noop_with_empty_axes")
    return tuple(sorted({axis_of(axis, ndim) for axis in axes})), keep


@converts(*_KINDS)
def reduce(call: Call) -> Computed:
    """Convert a reduction; the mean over height and width of images becomes global pooling."""
    axes, keep = _axes(call)
    if not axes:
        return call.value()
    if call.op == "ReduceMean" and axes == (2, 3) and len(call.value().sizes) == 4:
        pooled = call.add(GlobalAvgPool2d())
        return pooled if keep else call.add(Flatten(), pooled)
    return call.add(_KINDS[call.op](axes, keep))


@converts("ReduceMin")
def reduce_min(call: Call) -> Computed:
    """``−max(−x)``."""
    axes, keep = _axes(call)
    if not axes:
        return call.value()
    return call.add(Affine(-1.0), call.add(ReduceMax(axes, keep), call.add(Affine(-1.0))))


@converts("ReduceL1", "ReduceL2", "ReduceSumSquare")
def norms(call: Call) -> Computed:
    """Convert ``Σ |x|``, ``√Σ x²`` and ``Σ x²``."""
    axes, keep = _axes(call)
    inner = call.add(Abs() if call.op == "ReduceL1" else Power(2.0))
    total = call.add(ReduceSum(axes, keep), inner) if axes else inner
    return call.add(Power(0.5), total) if call.op == "ReduceL2" else total
