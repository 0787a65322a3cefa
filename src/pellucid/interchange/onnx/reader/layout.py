"""Whether an input of a network has the channels first (NCHW) or last (NHWC), as TensorFlow's do.

The format does not say it. What the nodes do decides it, where they do something that has to do
with channels, and so do the names of axes. Else constants, the program that wrote the file, and the
shape give hints; where these are too few, or do not agree, a `LayoutWarning` says what was taken.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from pellucid.interchange.onnx.reader.model import FileGraph, Input, Model, Node
from pellucid.types import Array

LAYOUTS = ("NCHW", "NHWC")
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"""Axes in the other order: of images (N, C, H, W) with the channels last, and back."""

_OF_CHANNELS_FIRST = {
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool",
    "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN", "DepthToSpace",
    "SpaceToDepth",
}  # fmt: skip
"""Operators that are defined for (N, C, H, W) alone."""

_ARITHMETIC = {"Add", "Sub", "Mul", "Div"}
_KEEP_AXES = _ARITHMETIC | {
    "Identity", "Cast", "CastLike", "Dropout", "Relu", "LeakyRelu", "Elu", "Sigmoid", "Tanh",
    "Clip", "Neg", "Abs", "Exp", "Log", "Sqrt", "Pow", "Sum", "Max", "Min", "Mean", "Slice", "Pad",
    "Concat",
}  # fmt: skip
"""Operators after which the axes mean what they did before."""

_AXES = {"N": ("n", "batch"), "C": ("c", "channel"), "H": ("h", "height"), "W": ("w", "width")}
_WRITERS = {"tf2onnx": "NHWC", "keras2onnx": "NHWC", "pytorch": "NCHW", "pellucid": "NCHW"}
_COLOURS = (1, 3, 4)


class LayoutWarning(UserWarning):
    """An ONNX file does not tell whether its input has the channels first or last."""


def is_channels_last(model: Model, given: Input) -> bool:
    """Return whether an input of a file has the channels last; warn where that is a guess."""
    if given.shape is None or len(given.shape) != 4:
        return False
    told = _by_nodes(model.graph, given) or _by_names(given)
    if told:
        return told == "NHWC"
    writer = _WRITERS.get(model.producer.lower())
    hints = [_by_constants(model.graph, given), writer, _by_shape(given.shape[1:])]
    found = [hint for hint in hints if hint]
    chosen = found[0] if found else "NCHW"
    # the custom of the format, and of most of its files, are the channels first
    trusted = chosen == "NCHW" or writer is not None or len(found) > 1
    if not found or set(found) != {chosen} or not trusted:
        _warn(given, chosen)
    return chosen == "NHWC"


def _warn(given: Input, chosen: str) -> None:
    assert given.shape is not None
    other = LAYOUTS[chosen == "NCHW"]
    sizes = "×".join("?" if size is None else str(size) for size in given.shape[1:])
    warnings.warn(
        f"the file does not say whether its input '{given.name[:100]}' ({sizes}) has the channels "
        f'first or last; it is taken as {chosen}. If that is wrong, say layout="{other}" '
        f"(--layout {other} in the command)",
        LayoutWarning,
        stacklevel=3,
    )


def _by_nodes(graph: FileGraph, given: Input) -> str | None:
    """Return the layout by the first node that does something with channels, if there is one.

    Where no node mixes axes, each layout gives the same: then it is the file's, as it stands.
    """
    constants = _constants(graph)
    reached, mixed = {given.name}, False
    for node in graph.nodes:
        if not reached.intersection(node.inputs):
            continue
        found = _by_node(node, reached, constants, given)
        if found is not None:
            return found
        if node.op in _KEEP_AXES:
            reached.update(node.outputs)
        else:
            mixed = True
    return None if mixed else "NCHW"


def _by_node(
    node: Node, reached: set[str], constants: Mapping[str, Array | None], given: Input
) -> str | None:
    assert given.shape is not None
    if node.op == "Transpose":
        order = node.attributes.get("perm")
        known = {TO_FIRST: "NHWC", TO_LAST: "NCHW"}
        return known.get(tuple(order)) if isinstance(order, list | tuple) else None
    if node.op in _OF_CHANNELS_FIRST and node.inputs[0] in reached:
        return "NCHW"
    if node.op in ("Resize", "Upsample"):
        return _by_scales(node, constants)
    if node.op == "Reshape":  # from (N, H, W, 1) to (N, 1, H, W), as a Transpose would do
        wanted = constants.get((*node.inputs, "")[1])
        sizes = [] if wanted is None or wanted.size != 4 else wanted.reshape(-1).tolist()
        if sizes[1:] == [1, *given.shape[1:3]] and given.shape[3] == 1:
            return "NHWC"
    return None


def _by_constants(graph: FileGraph, given: Input) -> str | None:
    """Return the layout in which the input meets one constant for each channel, such as means."""
    assert given.shape is not None
    constants = _constants(graph)
    for node in graph.nodes:
        if node.op not in _ARITHMETIC or given.name not in node.inputs:
            continue
        for array in (constants.get(name) for name in node.inputs):
            if array is None or not 1 <= array.ndim <= 4:
                continue
            shape = (1,) * (4 - array.ndim) + array.shape
            varying = [axis for axis, size in enumerate(shape) if size > 1]
            for axis, layout in ((1, "NCHW"), (3, "NHWC")):
                if varying == [axis] and shape[axis] == given.shape[axis]:
                    return layout
    return None


def _constants(graph: FileGraph) -> dict[str, Array | None]:
    """Return the arrays that a file holds, those of its Constant nodes among them."""
    nodes = (node for node in graph.nodes if node.op == "Constant" and node.outputs)
    values = {node.outputs[0]: node.attributes.get("value") for node in nodes}
    found: dict[str, Array | None] = dict(graph.constants)
    return found | {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _by_scales(node: Node, constants: Mapping[str, Array | None]) -> str | None:
    """Return the layout in which a change of an image's size leaves the channels as they are."""
    known = [constants.get(name) for name in node.inputs[1:]]
    scales = node.attributes.get("scales") or next((a for a in known if _is_scales(a)), None)
    if not isinstance(scales, list | tuple | np.ndarray) or len(scales) != 4:
        return None
    changed = [axis for axis, scale in enumerate(scales) if scale != 1]
    return "NHWC" if changed and changed[0] == 1 and 3 not in changed else "NCHW"


def _is_scales(array: Array | None) -> bool:
    return array is not None and array.dtype.kind == "f" and array.shape == (4,)


def _by_names(given: Input) -> str | None:
    """Return the layout that the names of open axes tell, such as "height"."""
    meant = ["?"] * 4
    for axis, name in enumerate(given.axes):
        for letter, (short, long) in _AXES.items():
            if name.lower() == short or long in name.lower():
                meant[axis] = letter
    for layout in LAYOUTS:
        agree = [a == b for a, b in zip(meant[1:], layout[1:], strict=True) if a != "?"]
        if agree and all(agree):
            return layout
    return None


def _by_shape(shape: tuple[int | None, ...]) -> str | None:
    """Return the layout where one end alone can be a number of colours, beside larger sides."""
    first, middle, last = (size or 2**20 for size in shape)
    if last in _COLOURS and min(first, middle) > max(_COLOURS):
        return "NHWC"
    if first in _COLOURS and min(middle, last) > max(_COLOURS):
        return "NCHW"
    return None
