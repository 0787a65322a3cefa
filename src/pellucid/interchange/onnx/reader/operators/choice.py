"""Convert comparisons and choices; truth values are 0 and 1.

``a > b`` is a `Heaviside` step of a − b; the other comparisons follow from it.
"""

from __future__ import annotations

import numpy as np

from pellucid.interchange.onnx.reader.call import Call, axis_of
from pellucid.interchange.onnx.reader.operators.arithmetic import (
    as_floats,
    difference,
    pair,
    shifted,
    with_axes,
)
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.size import Batch
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import Affine, ArgMax, Clip, Heaviside, Slice, Where


@converts("Greater", "Less", "GreaterOrEqual", "LessOrEqual")
def comparison(call: Call) -> Computed:
    """Convert ``a ≥ b`` to the negation of b > a, and ``a < b`` to b > a."""
    turned = call.op in ("Less", "GreaterOrEqual")
    a_less_b = difference(call, *((1, 0) if turned else (0, 1)))
    above = call.add(Heaviside(), a_less_b)
    return negated(call, above) if call.op.endswith("OrEqual") else above


@converts("Equal")
def equal(call: Call) -> Computed:
    """Convert to: neither value is greater than the other."""
    either = [call.add(Heaviside(), difference(call, i, 1 - i)) for i in (0, 1)]
    return negated(call, pair(call, either[0], either[1], "Add"))


@converts("Not")
def not_(call: Call) -> Computed:
    """Convert to ``1 − x``."""
    return negated(call, call.value())


@converts("And", "Or")
def and_or(call: Call) -> Computed:
    """Convert to the minimum or maximum of two truth values."""
    return pair(call, call.value(0), call.value(1), "Min" if call.op == "And" else "Max")


@converts("Sign")
def sign(call: Call) -> Computed:
    """Convert to 1 above 0 and −1 below it."""
    below = call.add(Heaviside(), call.add(Affine(-1.0)))
    return pair(call, call.add(Heaviside()), below, "Sub")


@converts("Where")
def where(call: Call) -> Computed:
    """Convert the choice between two values by a truth value."""
    if call.is_constant(0):
        raise UnsupportedError("a constant condition is not supported")
    condition = call.value(0)
    both = [_value(call, i, condition) for i in (1, 2)]
    axes = max(len(value.sizes) for value in (condition, *both))
    return call.add(Where(), *(with_axes(call, value, axes) for value in (condition, *both)))


def _value(call: Call, i: int, like: Computed) -> Computed:
    """Return an input; a constant becomes a value with the condition's shape."""
    if not call.is_constant(i):
        return call.value(i)
    array = call.numbers(i, "operand")
    if array.size == 1:
        number = float(array.reshape(()))
        return call.add(Clip(number, number), like)
    return shifted(call, call.add(Clip(0.0, 0.0), like), as_floats(array))


@converts("ArgMax", "ArgMin")
def arg_max(call: Call) -> Computed:
    """Return the index of the maximum or minimum; of equal ones the first, or last if requested."""
    x = call.value()
    axis = axis_of(call.integer("axis", 0), len(x.sizes))
    layer = ArgMax(axis, bool(call.integer("keepdims", 1)))
    if isinstance(x.sizes[axis], Batch):
        raise UnsupportedError("the batch axis is not supported")
    if call.op == "ArgMin":
        x = call.add(Affine(-1.0), x)
    if not call.integer("select_last_index", 0):
        return call.add(layer, x)
    last = int(x.sizes[axis]) - 1  # type: ignore[arg-type]  # the batch axis is excluded above
    place = call.add(layer, call.add(Slice(axis, step=-1), x))
    return shifted(call, call.add(Affine(-1.0), place), np.array(float(last)))


def negated(call: Call, value: Computed) -> Computed:
    """Return ``1 − value``."""
    return call.add(Affine(-1.0, 1.0), value)
