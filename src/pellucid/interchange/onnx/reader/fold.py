"""Evaluate operators whose inputs are known when the file is read: weights, constants, shapes.

Sizes that contain the batch size are elements of object arrays (see `size.py`), with which NumPy
computes as with numbers. The memory of results is limited, so that small files cannot demand much.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from pellucid.interchange.onnx.reader.call import Call, axis_of
from pellucid.interchange.onnx.reader.size import as_array, has_batch, simplified
from pellucid.interchange.onnx.reader.tensors import TYPES
from pellucid.interchange.onnx.reader.values import Computed, Constant, UnsupportedError
from pellucid.types import Array, DType

Fold = Callable[[Call], Constant | tuple[Constant, ...]]

FOLDS: dict[str, Fold] = {}
"""Evaluates one operator on constants."""

OF_SHAPES = ("Shape", "Size")
"""Operators whose result is known even if their input is not."""

LARGEST = 2**28
"""Limit for the values of an array that repeats one number without using memory (1 GiB)."""

SMALL = 2**22
"""Limit for the values of an array made from smaller ones."""

_MOST_MULTIPLICATIONS = 2**30


def fold(*ops: str) -> Callable[[Fold], Fold]:
    """Register a function for these operators."""

    def note(function: Fold) -> Fold:
        FOLDS.update(dict.fromkeys(ops, function))
        return function

    return note


# Operators that create constants


@fold("Constant")
def constant(call: Call) -> Constant:
    """Return the array or number that the node holds."""
    for name, kind in (
        ("value", None),
        ("value_float", np.float32),
        ("value_int", np.int64),
        ("value_floats", np.float32),
        ("value_ints", np.int64),
    ):
        found = call.attribute(name, None, (np.ndarray, int, float, list))
        if found is not None:
            return Constant(np.asarray(found, kind))
    raise UnsupportedError("the node holds neither an array nor numbers")


@fold("ConstantOfShape")
def constant_of_shape(call: Call) -> Constant:
    """Return an array filled with one value, which uses no memory until it becomes a weight."""
    value = call.attribute("value", np.zeros(1, np.float32), np.ndarray)
    shape = _shape(call.numbers(0, "shape"))
    if value.size != 1:
        raise UnsupportedError("the attribute value holds more than one number")
    return Constant(np.broadcast_to(value.reshape(()), shape))


@fold("Shape")
def shape(call: Call) -> Constant:
    """Return the sizes of the input, including the batch; from opset 15 on, a range of them."""
    given = call.given[0]
    sizes = given.sizes if isinstance(given, Computed) else call.constant(0, "input").shape
    start, end = call.integer("start", 0), call.integer("end", len(sizes))
    return Constant(as_array(sizes[slice(start, end)]))


@fold("Size")
def size(call: Call) -> Constant:
    """Return the number of values of the input."""
    if isinstance(call.given[0], Computed):
        raise UnsupportedError("of computed values is not supported")
    return Constant(np.asarray(call.constant(0, "input").size))


@fold("Range")
def range_(call: Call) -> Constant:
    """Return start, start + delta, … up to limit."""
    start, limit, delta = (call.numbers(i, "range").reshape(-1)[0] for i in range(3))
    if not delta or not np.isfinite(count := np.ceil((float(limit) - start) / float(delta))):
        raise UnsupportedError(f"the range from {start} to {limit} in steps of {delta} is infinite")
    check_size((max(int(count), 0),), SMALL)
    return Constant(np.arange(start, limit, delta, dtype=start.dtype))


@fold("Expand")
def expand(call: Call) -> Constant:
    """Broadcast to a shape, using no memory until the result becomes a weight."""
    array = call.constant(0, "input")
    wanted = _broadcast(array.shape, _shape(call.numbers(1, "shape")))
    return Constant(np.broadcast_to(array, wanted))


# Arithmetic


def _divide(a: Array, b: Array) -> Any:
    """Divide; integers are rounded towards 0, and sizes are never negative."""
    if a.dtype == object or b.dtype == object:
        return a // b
    if a.dtype.kind in "iu":
        if not b.all():
            raise UnsupportedError("an integer is divided by 0")
        return np.where((a < 0) != (b < 0), -(abs(a) // abs(b)), abs(a) // abs(b))
    return a / b


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Pow": lambda a, b: np.power(a, b).astype(a.dtype),
    "Max": np.maximum,
    "Min": np.minimum,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Not": np.logical_not,
    "Equal": np.equal,
    "Less": np.less,
    "Greater": np.greater,
    "LessOrEqual": np.less_equal,
    "GreaterOrEqual": np.greater_equal,
    "Where": lambda a, b, c: np.where(a.astype(bool), b, c),
    "Neg": np.negative,
    "Abs": np.abs,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Log": np.log,
    "Reciprocal": np.reciprocal,
    "Floor": lambda a: a if a.dtype == object else np.floor(a),
    "Ceil": lambda a: a if a.dtype == object else np.ceil(a),
    "Round": np.rint,
}


@fold(*_ARITHMETIC)
def arithmetic(call: Call) -> Constant:
    """Apply the NumPy function of the operator element by element, with broadcasting."""
    call.ignore("broadcast")
    arrays = [call.constant(i, "input") for i in range(len(call.given))]
    if call.integer("axis", 0):
        raise UnsupportedError("the attribute axis is not supported for constants")
    check_size(_broadcast(*(array.shape for array in arrays)), SMALL)
    function = _ARITHMETIC[call.op]
    with np.errstate(all="ignore"):
        if call.op in ("Max", "Min", "Sum") and len(arrays) != 2:
            found = arrays[0]
            for array in arrays[1:]:
                found = function(found, array)
            return Constant(found)
        return Constant(simplified(np.asarray(function(*arrays))))


@fold("Cast")
def cast(call: Call) -> Constant:
    """Convert to another type; sizes that contain the batch size stay as they are."""
    array, wanted = call.constant(0, "input"), call.attribute("to", 1, (int, str))
    call.ignore("saturate", "round_mode")
    if isinstance(wanted, str):  # before opset 6
        wanted = next((n for n, t in TYPES.items() if t[0] == wanted.lower()), 0)
    if wanted not in TYPES:
        raise UnsupportedError(f"the attribute to is type {wanted}, which is not supported")
    return Constant(_of_type(array, TYPES[wanted][3]))


@fold("CastLike")
def cast_like(call: Call) -> Constant:
    """Convert to the type of another array."""
    call.ignore("saturate", "round_mode")
    return Constant(_of_type(call.constant(0, "input"), call.constant(1, "target").dtype))


def _of_type(array: Array, dtype: DType) -> Array:
    if has_batch(array):
        return array
    with np.errstate(all="ignore"):
        return array.astype(dtype)


@fold("MatMul")
def matmul(call: Call) -> Constant:
    """Multiply the matrices in the last two axes."""
    a, b = call.numbers(0, "matrix"), call.numbers(1, "matrix")
    check_size(
        (max(a.size, b.size), (b if a.size > b.size else a).shape[-1]), _MOST_MULTIPLICATIONS
    )
    return Constant(_numpy(lambda: np.asarray(a @ b)))


@fold("Identity", "Dropout")
def identity(call: Call) -> Constant:
    """Return the input."""
    if call.has(2) and call.numbers(2, "training_mode").any():
        raise UnsupportedError("training_mode is true: the file was exported for training")
    call.ignore("ratio", "is_test", "seed")
    return Constant(call.constant(0, "input"), _name(call))


# Shapes of constants


@fold("Reshape")
def reshape(call: Call) -> Constant:
    """Return the same values in another shape."""
    array = call.constant(0, "input")
    wanted = call.ints_or_input("shape", 1) or []
    if not call.integer("allowzero", 0):
        wanted = [array.shape[i] if w == 0 and i < array.ndim else w for i, w in enumerate(wanted)]
    if prod(array.shape) and all(stride == 0 for stride in array.strides):  # one value everywhere
        rest = -prod(wanted) if -1 in wanted else 1
        wanted = [array.size // rest if rest and w == -1 else w for w in wanted]
        if prod(wanted) == array.size:
            one = array.reshape(-1)[:1] if array.size == 1 else array[(slice(1),) * array.ndim]
            return Constant(np.broadcast_to(one.reshape(()), wanted), _name(call))
    return Constant(_numpy(lambda: array.reshape(wanted)), _name(call))


@fold("Transpose")
def transpose(call: Call) -> Constant:
    """Permute the axes."""
    array, order = call.constant(0, "input"), call.integers("perm")
    return Constant(_numpy(lambda: array.transpose(order)), _name(call))


@fold("Unsqueeze")
def unsqueeze(call: Call) -> Constant:
    """Insert axes of size 1."""
    array, axes = call.constant(0, "input"), call.ints_or_input("axes", 1) or []
    return Constant(_numpy(lambda: np.expand_dims(array, tuple(axes))), _name(call))


@fold("Squeeze")
def squeeze(call: Call) -> Constant:
    """Remove axes of size 1."""
    array, axes = call.constant(0, "input"), call.ints_or_input("axes", 1)
    return Constant(_numpy(lambda: array.squeeze(tuple(axes) if axes else None)), _name(call))


@fold("Flatten")
def flatten(call: Call) -> Constant:
    """Flatten the axes before `axis` into one, and the others into another."""
    array, axis = call.constant(0, "input"), call.integer("axis", 1)
    rows = prod(array.shape[:axis])
    return Constant(_numpy(lambda: array.reshape(rows, -1)), _name(call))


@fold("Concat")
def concat(call: Call) -> Constant:
    """Concatenate arrays along an axis."""
    arrays = [call.constant(i, "input") for i in range(len(call.given))]
    check_size((sum(array.size for array in arrays),), SMALL)
    axis = call.integer("axis", 1)
    return Constant(simplified(_numpy(lambda: np.concatenate(arrays, axis))))


@fold("Gather")
def gather(call: Call) -> Constant:
    """Select entries along an axis by index."""
    array, indices = call.constant(0, "input"), call.numbers(1, "indices")
    axis = axis_of(call.integer("axis", 0), array.ndim)
    if indices.size and not (
        indices.min() >= -array.shape[axis] and indices.max() < array.shape[axis]
    ):
        raise UnsupportedError(
            f"indices {indices.reshape(-1)[:5]} are invalid for an axis of {array.shape[axis]}"
        )
    check_size((array.size // max(array.shape[axis], 1), indices.size), SMALL)
    return Constant(simplified(np.asarray(np.take(array, indices.astype(np.int64), axis))))


@fold("Slice")
def slice_(call: Call) -> Constant:
    """Return a range along some axes."""
    array = call.constant(0, "input")
    parts = [slice(None)] * array.ndim
    for axis, part in slices(call, array.ndim):
        parts[axis] = part
    return Constant(simplified(array[tuple(parts)]))


def slices(call: Call, ndim: int) -> list[tuple[int, slice]]:
    """Return the (axis, slice) pairs of a Slice node: attributes until opset 9, then inputs."""
    starts, ends = call.ints_or_input("starts", 1) or [], call.ints_or_input("ends", 2) or []
    axes = call.ints_or_input("axes", 3)
    steps = call.ints_or_input("steps", 4) or [1] * len(starts)
    axes = list(range(len(starts))) if axes is None else [axis_of(axis, ndim) for axis in axes]
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise UnsupportedError("starts, ends, axes and steps do not have the same length")
    if len(set(axes)) < len(axes):
        raise UnsupportedError("an axis is sliced twice")
    return [
        (axis, slice(start, None if step < 0 and end < -(2**31) else end, step))
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
    ]


@fold("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean")
def reduce(call: Call) -> Constant:
    """Reduce over some axes."""
    array, axes = call.numbers(0, "input"), call.ints_or_input("axes", 1)
    functions: dict[str, Callable[..., Any]] = {
        "Prod": np.prod, "Sum": np.sum, "Max": np.max, "Min": np.min, "Mean": np.mean
    }  # fmt: skip
    keep = bool(call.integer("keepdims", 1))
    if not axes and call.integer("noop_with_empty_axes", 0):
        return Constant(array)
    found = functions[call.op.removeprefix("Reduce")]
    axis = tuple(axes) if axes else None
    return Constant(_numpy(lambda: np.asarray(found(array, axis=axis, keepdims=keep))))


# Helpers of all of them


def _shape(array: Array) -> tuple[int, ...]:
    """Return an array of sizes as a shape, after checking it."""
    sizes = tuple(int(size) for size in array.reshape(-1)[:100])
    if len(sizes) > 32 or min(sizes, default=0) < 0:
        raise UnsupportedError(f"the shape {sizes[:8]} is impossible")
    check_size(sizes, LARGEST)
    return sizes


def check_size(sizes: tuple[int, ...], most: int) -> None:
    """Raise an error if more than `most` values, or multiplications, would be needed."""
    if prod(sizes) > most:
        raise UnsupportedError(f"an array of the shape {sizes[:8]} would be too large")


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    found = _numpy(lambda: np.broadcast_shapes(*shapes))
    check_size(found, LARGEST)
    return tuple(found)


def _numpy(action: Callable[[], Any]) -> Any:
    """Run a NumPy function, and raise its error as a problem of the node."""
    try:
        return action()
    except (ValueError, IndexError, TypeError) as error:
        raise UnsupportedError(str(error)[:200]) from None


def _name(call: Call) -> str:
    given = call.given[0]
    return given.name if isinstance(given, Constant) else ""
