"""Convert operators that reorder, select or repeat values."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import PellucidError
from pellucid.interchange.onnx.reader import fold
from pellucid.interchange.onnx.reader.call import Call, axis_of, image_sizes
from pellucid.interchange.onnx.reader.operators.arithmetic import reshaped
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.size import Batch, Size, Sizes, at, product, same
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import Cat, Expand, Flatten, Pad, Pad2d, Permute, Slice, Take

_MOST_AXES = 16
_MOST_REPEATS = 1024
_MOST_IMAGES = 10**6
"""The end from which a slice of the batch counts as all: exporters write a large number."""


@converts("Flatten")
def flatten(call: Call) -> Computed:
    """Flatten the axes before `axis` into one, and the others into another."""
    sizes = call.value().sizes
    axis = call.integer("axis", 1)
    axis = len(sizes) if axis == len(sizes) else axis_of(axis, len(sizes))
    return to_sizes(call, (product(sizes[:axis]), product(sizes[axis:])))


@converts("Reshape")
def reshape(call: Call) -> Computed:
    """Convert a reshape; a batch size fixed by the exporter becomes any batch size."""
    wanted: list[Any]
    if "shape" in call.node.attributes:  # before version 5
        wanted = list(call.integers("shape") or [])
    else:
        wanted = call.few(1, "shape")
    if len(wanted) > _MOST_AXES:
        raise UnsupportedError(f"to {len(wanted)} axes")
    before = call.value().sizes
    if not call.integer("allowzero", 0):
        copied = [before[i] if w == 0 and i < len(before) else w for i, w in enumerate(wanted)]
    else:
        copied = wanted
    return to_sizes(call, _resolved(before, copied, call.batch))


def _resolved(before: Sizes, wanted: list[Any], batch: int | None) -> Sizes:
    """Return the sizes with −1 resolved.

    If the exporter fixed the batch size, it is a number like the others, in an unknown place.
    Image networks keep the batch on the first axis or merge it with others there, so the first
    size is taken as a multiple of it.
    """
    free = [i for i, size in enumerate(wanted) if not isinstance(size, Batch) and size == -1]
    fixed = batch is not None and not any(isinstance(size, Batch) for size in wanted)
    if not fixed or not any(isinstance(size, Batch) for size in before):
        return _with_rest(before, wanted, free)
    assert batch is not None
    sizes = list(_with_rest(at(before, batch), wanted, free))
    if not sizes or isinstance(sizes[0], Batch) or sizes[0] % batch:
        raise UnsupportedError(f"the batch of {batch} is not on the first axis of {tuple(sizes)}")
    sizes[0] = Batch(sizes[0] // batch)
    return tuple(sizes)


def _with_rest(before: Sizes, wanted: list[Any], free: list[int]) -> Sizes:
    sizes = list(wanted)
    if len(free) > 1:
        raise UnsupportedError(f"the shape {wanted} has −1 twice")
    total: Any = product(before)
    if free:
        rest = product([size for i, size in enumerate(sizes) if i != free[0]])
        if rest == 0 or (isinstance(rest, Batch) and not isinstance(total, Batch)):
            raise UnsupportedError(f"{before} cannot become {tuple(wanted)}")
        sizes[free[0]] = total // rest
    after = tuple(size if isinstance(size, Batch) else int(size) for size in sizes)
    if any(size < 0 for size in after if not isinstance(size, Batch)):
        raise UnsupportedError(f"the shape {tuple(wanted)} is impossible")
    found = product(after)
    if isinstance(found, Batch) != isinstance(total, Batch) or found != total:
        raise UnsupportedError(f"{before} cannot become {tuple(wanted)}")
    return after


def to_sizes(call: Call, sizes: Sizes, value: Computed | None = None) -> Computed:
    """Add a layer that produces these sizes: a `Flatten` if each image becomes a vector."""
    value = value or call.value()
    before = call.builder.source(value)
    if before is not None and isinstance(before[0], Permute) and before[1].sizes == sizes:
        moved = [axis for axis in before[0].dims if _is_many(sizes[axis])]
        if moved == sorted(moved):  # only axes of size 1 were moved, and are moved back
            return before[1]
    if len(value.sizes) > 2 and len(sizes) == 2 and same(sizes[0], value.sizes[0]):
        return call.add(Flatten(), value)
    return reshaped(call, value, sizes)


@converts("Squeeze")
def squeeze(call: Call) -> Computed:
    """Remove axes of size 1, but never the batch axis."""
    sizes, axes = call.value().sizes, call.ints_or_input("axes", 1)
    if axes is None:
        chosen = {i for i, size in enumerate(sizes) if not isinstance(size, Batch) and size == 1}
    else:
        chosen = {axis_of(axis, len(sizes)) for axis in axes}
    if any(isinstance(sizes[i], Batch) or sizes[i] != 1 for i in chosen):
        raise UnsupportedError(f"axes {sorted(chosen)} of {sizes} are not all of size 1")
    return to_sizes(call, tuple(size for i, size in enumerate(sizes) if i not in chosen))


@converts("Unsqueeze")
def unsqueeze(call: Call) -> Computed:
    """Insert axes of size 1."""
    axes = call.ints_or_input("axes", 1) or []
    rest, total = list(call.value().sizes), len(call.value().sizes) + len(axes)
    if total > _MOST_AXES:
        raise UnsupportedError(f"to {total} axes")
    new = {axis_of(axis, total) for axis in axes}
    sizes: Sizes = tuple(1 if i in new else rest.pop(0) for i in range(total))
    return to_sizes(call, sizes)


@converts("Transpose")
def transpose(call: Call) -> Computed:
    """Permute the axes."""
    axes = len(call.value().sizes)
    order = call.integers("perm") or list(range(axes))[::-1]
    if order == list(range(axes)):
        return call.value()
    before = call.builder.source(call.value())
    if before is not None and isinstance(before[0], Permute):  # merge two permutations
        dims = tuple(before[0].dims[axis] for axis in order)
        plain = dims == tuple(range(axes))
        return before[1] if plain else call.add(Permute(dims), before[1])
    return call.add(Permute(tuple(order)))


@converts("Concat")
def concat(call: Call) -> Computed:
    """Concatenate along an axis."""
    values = call.values()
    axis = axis_of(call.integer("axis", 1), len(values[0].sizes))
    return values[0] if len(values) == 1 else call.add(Cat(axis), *values)


@converts("Split")
def split(call: Call) -> tuple[Computed, ...]:
    """Convert a split into given or nearly equal sizes to one `Slice` per part."""
    x = call.value()
    axis = axis_of(call.integer("axis", 0), len(x.sizes))
    parts, size = call.ints_or_input("split", 1), _number(x.sizes, axis)
    if parts is None:
        count = call.integer("num_outputs", len(call.node.outputs))
        each = -(-size // max(count, 1))
        parts = [min(each, size - start) for start in range(0, size, each)]
    call.ignore("num_outputs")
    if sum(parts) != size or len(parts) != len(call.node.outputs) or min(parts) < 0:
        raise UnsupportedError(f"the sizes {parts[:8]} of an axis of {size}")
    ends = np.cumsum(parts).tolist()
    wanted = [call.is_read(i) for i in range(len(call.node.outputs))]
    return tuple(
        call.add(Slice(axis, end - part, end)) if needed else x
        for part, end, needed in zip(parts, ends, wanted, strict=True)
    )


@converts("Slice")
def slice_(call: Call) -> Computed:
    """Add a `Slice` for each axis that is shortened."""
    value = call.value()
    for axis, part in fold.slices(call, len(value.sizes)):
        size = value.sizes[axis]
        if isinstance(size, Batch):
            whole = (part.start, part.step) == (0, 1) and (part.stop or 0) >= _MOST_IMAGES
            if not whole:
                raise UnsupportedError("slicing the batch is not supported")
            continue
        start, stop, step = part.indices(size)
        if (start, stop, step) == (0, size, 1):
            continue
        end = None if stop < 0 or (step > 0 and stop >= size) else stop
        value = call.add(Slice(axis, start or None, end, step), value)
    return value


@converts("Gather")
def gather(call: Call) -> Computed:
    """Select known indices along an axis; a single index removes the axis."""
    x, indices = call.value(), call.numbers(1, "indices")
    axis = axis_of(call.integer("axis", 0), len(x.sizes))
    _number(x.sizes, axis)
    if indices.size > 2**16:
        raise UnsupportedError(f"of {indices.size} entries")
    taken = call.add(Take(tuple(map(int, indices.reshape(-1))), axis))
    sizes = (*x.sizes[:axis], *indices.shape, *x.sizes[axis + 1 :])
    return to_sizes(call, sizes, taken)


@converts("Expand")
def expand(call: Call) -> Computed:
    """Repeat values along axes of size 1."""
    x, wanted = call.value(), call.few(1, "shape")
    axes = max(len(x.sizes), len(wanted))
    if axes > _MOST_AXES:
        raise UnsupportedError(f"to {axes} axes")
    value = reshaped(call, x, (*(1,) * (axes - len(x.sizes)), *x.sizes))
    wanted = [1] * (axes - len(wanted)) + wanted
    kept = []
    for i, (size, new) in enumerate(zip(value.sizes, wanted, strict=True)):
        if isinstance(new, Batch) or isinstance(size, Batch):
            both = isinstance(new, Batch) and isinstance(size, Batch) and new == size
            written = i == 0 and not isinstance(new, Batch) and new in (1, call.batch)
            if not both and not written:
                raise UnsupportedError("expanding to the batch size is not supported")
            kept.append(-1)
        else:
            kept.append(-1 if new in (1, size) else int(new))
    return value if set(kept) == {-1} else call.add(Expand(tuple(kept)), value)


@converts("Tile")
def tile(call: Call) -> Computed:
    """Repeat the whole value along axes."""
    value, repeats = call.value(), call.few(1, "repeats")
    if len(repeats) != len(value.sizes) or not all(n in range(1, _MOST_REPEATS) for n in repeats):
        raise UnsupportedError(f"the repeats {repeats[:8]} of {len(value.sizes)} axes")
    for axis, times in enumerate(repeats):
        if times > 1:
            value = call.add(Cat(axis), *(value,) * times)
    return value


@converts("DepthToSpace", "SpaceToDepth")
def depth_to_space(call: Call) -> Computed:
    """Rearrange channels into squares of pixels, or back, by two reshapes and a permutation."""
    block, mode = call.integer("blocksize", 1), call.word("mode", "DCR")
    C, H, W = image_sizes(call.value())
    N: Size = call.value().sizes[0]
    if block < 1 or mode not in ("DCR", "CRD"):
        raise UnsupportedError(f"the attributes blocksize {block} and mode {mode[:20]}")
    if call.op == "SpaceToDepth":
        split = reshaped(call, call.value(), (N, C, H // block, block, W // block, block))
        order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
        turned = call.add(Permute(order), split)
        return reshaped(call, turned, (N, C * block**2, H // block, W // block))
    rest = C // block**2
    parts = (block, block, rest) if mode == "DCR" else (rest, block, block)
    split = reshaped(call, call.value(), (N, *parts, H, W))
    turned = call.add(Permute((0, 3, 4, 1, 5, 2) if mode == "DCR" else (0, 1, 4, 2, 5, 3)), split)
    return reshaped(call, turned, (N, rest, H * block, W * block))


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@converts("Pad")
def pad(call: Call) -> Computed:
    """Add padding along any axes; a negative amount crops."""
    x, mode = call.value(), call.word("mode", "constant")
    name = "pads" if "pads" in call.node.attributes or call.opset > 1 else "paddings"
    amounts = call.ints_or_input(name, 1) or []
    value = float(np.reshape(call.constant_or(2, "value", call.number("value", 0.0)), ()))
    chosen = call.few(3, "axes") if call.has(3) else list(range(len(x.sizes)))
    if len(amounts) != 2 * len(chosen) or mode not in _PAD_MODES:
        raise UnsupportedError(f"{len(amounts)} amounts for {len(chosen)} axes, mode {mode[:20]}")
    sides = [[0, 0] for _ in x.sizes]
    for i, axis in enumerate(chosen):
        sides[axis_of(axis, len(x.sizes))] = [amounts[i], amounts[i + len(chosen)]]
    for axis, (before, behind) in enumerate(sides):
        if min(before, behind) < 0:
            part = Slice(axis, max(-before, 0) or None, min(behind, 0) or None)
            x = call.add(part, x)
    plain = tuple((max(before, 0), max(behind, 0)) for before, behind in sides)
    if not any(map(any, plain)):
        return x
    if len(plain) == 4 and not any(plain[0] + plain[1]):
        filler = value if mode == "constant" else 0.0
        return call.add(Pad2d((plain[2], plain[3]), _PAD_MODES[mode], filler), x)
    if mode != "constant":
        raise UnsupportedError(f"mode {mode} is supported only for height and width")
    return call.add(Pad(plain, value), x)


@converts("Shape", "Size")
def shape_of_unknown(call: Call) -> Computed:
    """Refuse a shape that `fold` could not evaluate."""
    raise PellucidError("is not known here")


def _is_many(size: Size) -> bool:
    return isinstance(size, Batch) or size != 1


def _number(sizes: Sizes, axis: int) -> int:
    size = sizes[axis]
    if isinstance(size, Batch):
        raise UnsupportedError("the batch axis is not supported")
    return size
