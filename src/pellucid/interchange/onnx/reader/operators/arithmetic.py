"""Convert sums, products and the like of two computed values, or of one and a constant.

A constant number becomes an argument of a layer. A constant array becomes a parameter, of a `Scale`
or a `Shift`, because it was usually learned.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

from pellucid.interchange.onnx.reader.call import Call, axis_of, filled
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.size import Batch, Size, Sizes
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import (
    Add,
    Affine,
    BroadcastAdd,
    Clip,
    Divide,
    Expand,
    Layer,
    Maximum,
    Minimum,
    Multiply,
    Power,
    Reshape,
    Scale,
    Shift,
    Subtract,
)
from pellucid.types import Array

_MOST_VALUES = 2**24
"""Limit for the values of a constant that is added or multiplied element by element."""

WithConstant = Callable[[Call, Computed, Array], Computed]

_OF_TWO: dict[str, type[Layer]] = {
    "Add": BroadcastAdd,
    "Sub": Subtract,
    "Mul": Multiply,
    "Div": Divide,
    "Max": Maximum,
    "Min": Minimum,
}


@converts("Add", "Sub", "Mul", "Div")
def of_two(call: Call) -> Computed:
    """Convert an operator of two operands, with broadcasting."""
    first, second = _placed(call)
    if isinstance(first, Computed) and isinstance(second, Computed):
        return pair(call, first, second)
    if isinstance(second, Computed):
        return _with_constant_first(call, np.asarray(first), second)
    assert isinstance(first, Computed)
    return _with_constant_second(call, first, np.asarray(second))


@converts("Sum", "Max", "Min", "Mean")
def of_many(call: Call) -> Computed:
    """Convert an operator of any number of operands by combining them one after the other."""
    kind = "Add" if call.op in ("Sum", "Mean") else call.op
    known = [call.numbers(i, "operand") for i in range(len(call.given)) if call.is_constant(i)]
    values = [call.value(i) for i in range(len(call.given)) if not call.is_constant(i)]
    total = reduce(lambda a, b: pair(call, a, b, kind), values)
    for array in known:
        if kind == "Add":
            total = shifted(call, total, array)
        else:
            total = call.add(_limit(kind, array), total)
    return call.add(Affine(1 / len(call.given)), total) if call.op == "Mean" else total


def _limit(kind: str, array: Array) -> Layer:
    if array.size != 1:
        raise UnsupportedError("an array of constants as operand is not supported, a number is")
    number = float(array.reshape(()))
    return Clip(low=number) if kind == "Max" else Clip(high=number)


@converts("Pow")
def power(call: Call) -> Computed:
    """Convert a computed value raised to the power of a number."""
    exponent = call.numbers(1, "exponent")
    if exponent.size != 1:
        raise UnsupportedError("an array of exponents is not supported, a single number is")
    return call.add(Power(float(exponent.reshape(()))))


def pair(call: Call, first: Computed, second: Computed, kind: str = "") -> Computed:
    """Add the layer of an operator with two inputs, after giving both the same number of axes."""
    if (kind or call.op) == "Add" and first.sizes == second.sizes:
        return call.add(Add(), first, second)
    axes = max(len(first.sizes), len(second.sizes))
    layer = _OF_TWO[kind or call.op]()
    return call.add(layer, with_axes(call, first, axes), with_axes(call, second, axes))


def difference(call: Call, i: int, j: int) -> Computed:
    """Return input `i` minus input `j`, of which one may be a constant."""
    if call.is_constant(j):
        return shifted(call, call.value(i), -as_floats(call.numbers(j, "operand")))
    if call.is_constant(i):
        turned = call.add(Affine(-1.0), call.value(j))
        return shifted(call, turned, as_floats(call.numbers(i, "operand")))
    return pair(call, call.value(i), call.value(j), "Sub")


def as_floats(array: Array) -> Array:
    """Return integers and truth values as float32."""
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def with_axes(call: Call, value: Computed, axes: int) -> Computed:
    """Return the value with axes of size 1 inserted in front, up to `axes` axes."""
    more = axes - len(value.sizes)
    return value if more <= 0 else reshaped(call, value, (*(1,) * more, *value.sizes))


def reshaped(call: Call, value: Computed, sizes: Sizes) -> Computed:
    """Add a `Reshape` to sizes of which one may contain the batch size."""
    if sizes == value.sizes:
        return value
    return call.add(Reshape(spelled(value.sizes, sizes)), value)


def spelled(before: Sizes, after: Sizes) -> tuple[int, ...]:
    """Return sizes as `Reshape` takes them: 0 for the batch axis in place, −1 if it moves."""
    found: list[int] = []
    for i, size in enumerate(after):
        if isinstance(size, Batch):
            found.append(0 if i < len(before) and before[i] == size else -1)
        else:
            found.append(size)
    if found.count(-1) > 1:
        raise UnsupportedError(f"the batch size is on two axes of {after}")
    return tuple(found)


def shifted(call: Call, value: Computed, array: Array) -> Computed:
    """Add a layer that adds a constant."""
    if array.size == 1:
        number = float(array.reshape(()))
        return call.add(Affine(shift=number), value) if number else value
    value, array = _fitting(call, value, array)
    return call.add(filled(Shift(array.shape), bias=array), value)


def scaled(call: Call, value: Computed, array: Array) -> Computed:
    """Add a layer that multiplies by a constant."""
    if array.size == 1:
        number = float(array.reshape(()))
        return call.add(Affine(scale=number), value) if number != 1 else value
    value, array = _fitting(call, value, array)
    return call.add(filled(Scale(array.shape), weight=array), value)


def _with_constant_second(call: Call, value: Computed, array: Array) -> Computed:
    action: Callable[[Call, Computed, Array], Computed] = (
        shifted if call.op in ("Add", "Sub") else scaled
    )
    if call.op == "Sub":
        array = -array
    elif call.op == "Div":
        if not array.all():
            raise UnsupportedError("it divides by 0")
        array = 1 / array
    return action(call, value, array)


def _with_constant_first(call: Call, array: Array, value: Computed) -> Computed:
    if call.op == "Sub":
        value = call.add(Affine(-1.0), value)
    elif call.op == "Div":
        value = call.add(Power(-1.0), value)
    action: Callable[[Call, Computed, Array], Computed] = (
        shifted if call.op in ("Add", "Sub") else scaled
    )
    return action(call, value, array)


def _fitting(call: Call, value: Computed, array: Array) -> tuple[Computed, Array]:
    """Return the value broadcast against a constant, which has no batch axis."""
    if array.ndim > len(value.sizes):
        value = with_axes(call, value, array.ndim)
    sizes = list(value.sizes)
    for i in range(-array.ndim, 0):
        sizes[i] = _broadcast(sizes[i], array.shape[i])
    if sizes != list(value.sizes):
        pairs = zip(value.sizes, sizes, strict=True)
        # −1 keeps a size, and the batch's is always kept
        repeated = tuple(b if isinstance(b, int) and a != b else -1 for a, b in pairs)
        value = call.add(Expand(repeated), value)
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    return value, array


def _broadcast(size: Size, other: int) -> Size:
    if isinstance(size, Batch):
        if other == 1:
            return size
    elif 1 in (size, other) or size == other:
        return max(size, other)
    raise UnsupportedError(f"sizes {size} and {other} cannot be broadcast")


def _placed(call: Call) -> tuple[Computed | Array, Computed | Array]:
    """Return the two operands, the second one reshaped as opsets before 7 define it.

    There its axes are those of the first from the attribute `axis` on.
    """
    if len(call.given) != 2:
        raise UnsupportedError(f"the node has {len(call.given)} operands instead of 2")
    sizes = [call.numbers(i, "operand").size for i in (0, 1) if call.is_constant(i)]
    if max(sizes, default=0) > _MOST_VALUES:
        raise UnsupportedError("the constant operand is too large")
    operands = [
        call.numbers(i, "operand") if call.is_constant(i) else call.value(i) for i in (0, 1)
    ]
    axis = call.integer("axis", -1)
    if call.integer("broadcast", 0) and "axis" in call.node.attributes:
        first, second = (
            operand.sizes if isinstance(operand, Computed) else operand.shape
            for operand in operands
        )
        behind = len(first) - axis_of(axis, len(first)) - len(second)
        if behind > 0:
            wanted = (*second, *(1,) * behind)
            b = operands[1]
            operands[1] = (
                reshaped(call, b, wanted) if isinstance(b, Computed) else b.reshape(wanted)
            )
    return operands[0], operands[1]
