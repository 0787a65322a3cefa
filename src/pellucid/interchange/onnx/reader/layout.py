"""Find out whether a network's input has channels first (NCHW) or last (NHWC, as in TensorFlow).

The format does not say. Nodes that treat the channel axis specially decide it, and so do names of
axes. Otherwise constants, the program that wrote the file and the shape are hints; if they are too
few or contradict each other, a `LayoutWarning` says which layout is assumed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from pellucid.interchange.onnx.reader.model import FileGraph, Input, Model, Node
from pellucid.types import Array

LAYOUTS = ("NCHW", "NHWC")
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"""Permutations of images (N, C, H, W) to channels last, and back."""

_OF_CHANNELS_FIRST = {
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool",
    "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN", "DepthToSpace",
    "SpaceToDepth",
}  # fmt: skip
"""Operators that are defined only for (N, C, H, W)."""

_ARITHMETIC = {"Add", "Sub", "Mul", "Div"}
_KEEP_AXES = _ARITHMETIC | {
    "Identity", "Cast", "CastLike", "Dropout", "Relu", "LeakyRelu", "Elu", "Sigmoid", "Tanh",
    "Clip", "Neg", "Abs", "Exp", "Log", "Sqrt", "Pow", "Sum", "Max", "Min", "Mean", "Slice", "Pad",
    "Concat",
}  # fmt: skip
"""Operators that keep the meaning of the axes."""

_AXES = {"N": ("n", "batch"), "C": ("c", "channel"), "H": ("h", "height"), "W": ("w", "width")}
_WRITERS = {"tf2onnx": "NHWC", "keras2onnx": "NHWC", "pytorch": "NCHW"}
_COLOURS = (1, 3, 4)


class LayoutWarning(UserWarning):
    """An ONNX file does not show whether its input has the channels first or last."""


def is_channels_last(model: Model, given: Input) -> bool:
    """Return whether an input has its channels last, with a warning if that is a guess."""
    if given.shape is None or len(given.shape) != 4 or model.producer == "pellucid":
        return False  # our own files begin with the layers that were saved
    certain = _by_nodes(model.graph, given) or _by_names(given)
    if certain:
        return certain == "NHWC"
    writer = _WRITERS.get(model.producer.lower())
    hints = [_by_constants(model.graph, given), writer, _by_shape(given.shape[1:])]
    found = [hint for hint in hints if hint]
    chosen = found[0] if found else "NCHW"
    # channels first is the convention of the format and of most files
    trusted = chosen == "NCHW" or writer is not None or len(found) > 1
    if not found or set(found) != {chosen} or not trusted:
        _warn(given, chosen)
    return chosen == "NHWC"


def _warn(given: Input, chosen: str) -> None:
    assert given.shape is not None
    other = LAYOUTS[chosen == "NCHW"]
    sizes = "×".join("?" if size is None else str(size) for size in given.shape[1:])
    warnings.warn(
        f"the file does not show whether its input '{given.name[:100]}' ({sizes}) has the channels "
        f'first or last; {chosen} is assumed. If that is wrong, pass layout="{other}" '
        f"(--layout {other} on the command line)",
        LayoutWarning,
        stacklevel=3,
    )


def _by_nodes(graph: FileGraph, given: Input) -> str | None:
    """Return the layout implied by the first node that treats the channel axis specially, if any.

    If no node mixes axes, both layouts give the same result, and the input is left as it is.
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
    """Return the layout in which the input meets a constant per channel, such as a mean."""
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
    """Return the arrays in a file, including those of Constant nodes."""
    nodes = (node for node in graph.nodes if node.op == "Constant" and node.outputs)
    values = {node.outputs[0]: node.attributes.get("value") for node in nodes}
    found: dict[str, Array | None] = dict(graph.constants)
    return found | {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _by_scales(node: Node, constants: Mapping[str, Array | None]) -> str | None:
    """Return the layout in which a resize leaves the channels unchanged."""
    known = [constants.get(name) for name in node.inputs[1:]]
    scales = node.attributes.get("scales") or next((a for a in known if _is_scales(a)), None)
    if not isinstance(scales, list | tuple | np.ndarray) or len(scales) != 4:
        return None
    changed = [axis for axis, scale in enumerate(scales) if scale != 1]
    return "NHWC" if changed and changed[0] == 1 and 3 not in changed else "NCHW"


def _is_scales(array: Array | None) -> bool:
    return array is not None and array.dtype.kind == "f" and array.shape == (4,)


def _by_names(given: Input) -> str | None:
    """Return the layout implied by the names of open axes, such as "height"."""
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
    """Return the layout if only one end of the shape can be a number of colours."""
    first, middle, last = (size or 2**20 for size in shape)
    if last in _COLOURS and min(first, middle) > max(_COLOURS):
        return "NHWC"
    if first in _COLOURS and min(middle, last) > max(_COLOURS):
        return "NCHW"
    return None
