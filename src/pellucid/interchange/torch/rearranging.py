"""Convert PyTorch's functions that rearrange values or return sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.torch.values import BATCH, Sizes, Use, Wire


def _size(x: Wire, dim: int | None = None) -> Any:
    return Sizes(x) if dim is None else Sizes(x)[dim]


def _getattr(x: Wire, name: str) -> Sizes:
    if name != "shape":
        raise PellucidError(f"it reads the attribute '{name}' of a tensor")
    return Sizes(x)


def _flatten(x: Wire, start_dim: int = 0, end_dim: int = -1) -> Use:
    return Use(nn.Flatten(start_dim, end_dim), x)


def _reshape(x: Wire, *shape: Any) -> Use:
    """Convert ``x.view(x.size(0), …)``; the batch size may only be the first entry."""
    sizes = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
    wanted = [0 if i == 0 and size is BATCH else size for i, size in enumerate(sizes)]
    if not all(isinstance(size, int) for size in wanted):
        raise PellucidError("the batch size may only be the first entry of a shape")
    if wanted == [0, -1]:
        return Use(nn.Flatten(), x)
    return Use(nn.Reshape(tuple(wanted)), x)


def _permute(x: Wire, *dims: Any) -> Use:
    axes = tuple(dims[0]) if isinstance(dims[0], tuple | list) else dims
    return Use(nn.Permute(tuple(axis % len(axes) for axis in axes)), x)


def _transpose(x: Wire, dim0: int, dim1: int) -> Use:
    axes = list(range(len(x.sizes)))
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return Use(nn.Permute(tuple(axes)), x)


def _unsqueeze(x: Wire, dim: int) -> Use:
    sizes = [0, *x.sizes[1:]]
    sizes.insert(dim % (len(sizes) + 1), 1)
    return _after_batch(x, sizes)


def _squeeze(x: Wire, dim: Any = None) -> Any:
    """Remove axes of size 1, but not the batch axis, whose size is unknown."""
    rank = len(x.sizes)
    axes = range(1, rank) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {axis % rank for axis in axes if x.sizes[axis % rank] == 1 and axis % rank}
    sizes = [size for i, size in enumerate([0, *x.sizes[1:]]) if i not in gone]
    return _after_batch(x, sizes)


def _after_batch(x: Wire, sizes: Sequence[int]) -> Use:
    if sizes[0] != 0:
        raise PellucidError("it inserts an axis before the batch axis")
    return Use(nn.Reshape(tuple(sizes)), x)


def _chunk(x: Wire, chunks: int, dim: int = 0) -> tuple[Use, ...]:
    size = x.sizes[dim]
    return _split(x, -(-size // chunks), dim)


def _split(x: Wire, split_size: Any, dim: int = 0) -> tuple[Use, ...]:
    size, axis = x.sizes[dim], x.axis(dim)
    if axis == 0:
        raise PellucidError("it splits the batch")
    if isinstance(split_size, int):
        edges = [*range(0, size, split_size), size]
    else:
        edges = [sum(split_size[:i]) for i in range(len(split_size) + 1)]
    return tuple(Use(nn.Slice(axis, start, stop), x) for start, stop in pairwise(edges))


def _getitem(x: Any, index: Any) -> Any:
    """Convert ``x[:, 2:5, ::2]``, ``x[:, 0]``, ``x[:, [2, 0, 1]]`` and ``x[:, :, None]``.

    Applied to a tuple of values, return one of them.
    """
    if not isinstance(x, Wire):
        return _one_of(x, index)
    found: Any = x
    steps = index if isinstance(index, tuple) else (index,)
    if steps and steps[0] is Ellipsis:
        steps = (*[slice(None)] * (len(x.sizes) - len(steps) + 1), *steps[1:])
    if None in [step for step in steps if not isinstance(step, Tensor)]:
        return _with_new_axes(x, steps)
    gone = [axis for axis, step in enumerate(steps) if isinstance(step, int)]
    for axis, step in enumerate(steps):
        if isinstance(step, int):
            step = slice(step, step + 1 or None)
        if isinstance(step, list | Tensor) and axis > 0:
            found = Use(nn.Take(_numbers(step), axis), found)
            continue
        if not isinstance(step, slice):
            raise PellucidError(f"it indexes with {step!r}")
        if step != slice(None):
            if axis == 0:
                raise PellucidError("it indexes the batch")
            found = Use(nn.Slice(axis, step.start, step.stop, step.step or 1), found)
    return Use(nn.ReduceSum(tuple(gone)), found) if gone else found  # a sum of one value


def _one_of(values: Any, index: Any) -> Any:
    if isinstance(values, Tensor):
        raise PellucidError("it looks up values that the module holds")
    return values[index]


def _with_new_axes(x: Wire, steps: Sequence[Any]) -> Use:
    if any(step is not None and step != slice(None) for step in steps):
        raise PellucidError("it selects entries and inserts axes in one index")
    rest, sizes = [0, *x.sizes[1:]], []
    for step in steps:
        sizes.append(1 if step is None else rest.pop(0))
    return _after_batch(x, [*sizes, *rest])


def _numbers(given: Any) -> tuple[int, ...]:
    found = given.tolist() if isinstance(given, Tensor) else given
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in found):
        raise PellucidError("it indexes with something other than one list of numbers")
    return tuple(found)


def _flip(x: Wire, *dims: Any) -> Any:
    found: Any = x
    for axis in dims[0] if isinstance(dims[0], tuple | list) else dims:
        found = Use(nn.Slice(_not_batch(x, axis), step=-1), found)
    return found


def _roll(x: Wire, shifts: Any, dims: Any = None) -> Any:
    found: Any = x
    amounts, axes = ((v,) if isinstance(v, int) else v for v in (shifts, dims))
    if axes is None:
        raise PellucidError("it needs the argument dims")
    for shift, dim in zip(amounts, axes, strict=True):
        axis = _not_batch(x, dim)
        if cut := -shift % x.sizes[axis]:
            parts = Use(nn.Slice(axis, cut), found), Use(nn.Slice(axis, 0, cut), found)
            found = Use(nn.Cat(axis), *parts)
    return found


def _not_batch(x: Wire, dim: int) -> int:
    if x.axis(dim) == 0:
        raise PellucidError("it acts along the batch axis")
    return x.axis(dim)


def _expand(x: Wire, *sizes: Any) -> Use:
    wanted = tuple(sizes[0]) if isinstance(sizes[0], tuple | list) else sizes
    if len(wanted) != len(x.sizes) or wanted[0] not in (-1, BATCH):
        raise PellucidError("it repeats along the batch axis, or inserts axes")
    same = [n == old for n, old in zip(wanted[1:], x.sizes[1:], strict=True)]
    return Use(nn.Expand((-1, *(-1 if s else n for s, n in zip(same, wanted[1:], strict=True)))), x)


def _cat(tensors: Sequence[Wire], dim: int = 0) -> Use:
    if dim == 0:
        raise PellucidError("it concatenates along the batch axis")
    return Use(nn.Cat(dim), *tensors)


def _stack(tensors: Sequence[Wire], dim: int = 0) -> Use:
    return Use(nn.Cat(dim), *(_unsqueeze(value, dim) for value in tensors))


def _pad(x: Wire, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Use:
    """Convert padding, which PyTorch gives from the last axis to the first."""
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    if min(pad) < 0:
        return _cut(x, pairs, mode, value)
    if len(pairs) <= 2 and len(x.shape or (0,) * 4) == 4:
        left_right, top_bottom = (*pairs, (0, 0))[:2]
        return Use(nn.Pad2d((top_bottom, left_right), mode, value or 0.0), x)
    if mode != "constant":
        raise PellucidError(f"it pads axes other than height and width with mode={mode!r}")
    sides = [*[(0, 0)] * (len(x.sizes) - len(pairs)), *reversed(pairs)]
    return Use(nn.Pad(tuple(sides), value or 0.0), x)


def _cut(x: Wire, pairs: Sequence[tuple[int, int]], mode: str, value: float | None) -> Use:
    """Crop where a padding is negative, and pad by 0 there."""
    kept = [max(side, 0) for pair in pairs for side in pair]
    found = _pad(x, kept, mode, value)
    for i, (before, behind) in enumerate(pairs):
        if before < 0 or behind < 0:
            axis = len(x.sizes) - 1 - i
            found = Use(nn.Slice(axis, max(-before, 0) or None, min(behind, 0) or None), found)
    return found


def _repeat(x: Wire, *sizes: Any) -> Any:
    times = tuple(sizes[0]) if isinstance(sizes[0], tuple | list) else sizes
    if len(times) != len(x.sizes) or times[0] != 1:
        raise PellucidError("it repeats along the batch axis, or inserts axes")
    found: Any = x
    for axis, count in enumerate(times):
        found = Use(nn.Cat(axis), *(found,) * count) if count > 1 else found
    return found


def _unbind(x: Wire, dim: int = 0) -> tuple[Use, ...]:
    axis = _not_batch(x, dim)
    parts = (Use(nn.Slice(axis, i, i + 1), x) for i in range(x.sizes[axis]))
    return tuple(Use(nn.ReduceSum((axis,)), part) for part in parts)  # a sum of one value


def _as_it_is(x: Wire, *arguments: Any, **options: Any) -> Wire:
    return x


REARRANGING: Mapping[str, Callable[..., Any]] = {
    "size": _size,
    "getattr": _getattr,
    "flatten": _flatten,
    "view": _reshape,
    "reshape": _reshape,
    "permute": _permute,
    "transpose": _transpose,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "chunk": _chunk,
    "split": _split,
    "getitem": _getitem,
    "swapaxes": _transpose,
    "repeat": _repeat,
    "unbind": _unbind,
    "float": _as_it_is,
    "flip": _flip,
    "roll": _roll,
    "expand": _expand,
    "cat": _cat,
    "concat": _cat,
    "stack": _stack,
    "pad": _pad,
    "contiguous": _as_it_is,
    "clone": _as_it_is,
}
