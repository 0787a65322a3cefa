"""Load an ONNX file as a `Graph`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

from pellucid.errors import FileError, MissingExtraError, PellucidError, unknown
from pellucid.files import check_is_file
from pellucid.interchange.onnx import metadata
from pellucid.interchange.onnx.reader.file import read
from pellucid.interchange.onnx.reader.importer import Importer, Plan
from pellucid.interchange.onnx.reader.layout import LAYOUTS, TO_FIRST, is_channels_last
from pellucid.interchange.onnx.reader.model import FileGraph, Input, Model
from pellucid.interchange.onnx.reader.size import Batch, at
from pellucid.layers import Graph
from pellucid.preprocessing import Preprocessing
from pellucid.types import Shape

_LONGEST = 10_000
_FLOATING = ("float32", "float64", "float16", "bfloat16")


def load(
    path: str | PathLike[str],
    *,
    input_shape: Shape | None = None,
    output: str | None = None,
    layout: Literal["NCHW", "NHWC"] | None = None,
) -> Graph:
    """Load the network in an ONNX file as a `Graph` of Pellucid's layers.

    The graph takes images (N, C, H, W), even if the file has channels last, as files from
    TensorFlow do, and any batch size. It can be inspected, trained further and saved. Weights
    become parameters; constants and shape arithmetic are evaluated when the file is loaded. No code
    from the file is run, and external tensors are read only from the file's own folder.

    Parameters
    ----------
    path
        The ONNX file.
    input_shape
        Shape (C, H, W) of an image. Required if the file leaves it open; may also be given to run
        the network on another size, if the network allows it.
    output
        Name of the output to load, if the file has several; parts that only other outputs need are
        skipped. By default the graph returns a tuple of all. See `output_names`.
    layout
        Layout of the file's input: ``"NCHW"`` (channels first) or ``"NHWC"`` (channels last). By
        default it is inferred from what the nodes do with the input, from names, or from shapes.

    Returns
    -------
    Graph
        The network, with `input_shape` set, and `classes` and `preprocessing` if `save` wrote them.

    Raises
    ------
    FileError
        The file is damaged, or parts of the network are not supported; the message names them all.
    MissingExtraError
        The package onnx is not installed.

    Warns
    -----
    LayoutWarning
        The layout of the input cannot be inferred reliably; the message says which is assumed.
    """
    if layout is not None and layout not in LAYOUTS:
        raise PellucidError(unknown("layout", layout, LAYOUTS))
    where = Path(path)
    check_is_file(path, "an .onnx file")
    try:
        model = read(where)
        if output is not None:
            model = replace(model, graph=_with_output(model.graph, output))
        plan = _plan(model, input_shape, layout)
        graph = _imported(model, plan)
        _describe(graph, model.metadata, plan)
    except MissingExtraError:
        raise
    except (ValueError, ArithmeticError, RecursionError, MemoryError, OSError) as error:
        raise _failed(path, error) from error
    return graph


def output_names(path: str | PathLike[str]) -> tuple[str, ...]:
    """Return the names of the outputs of the network in an ONNX file.

    Raises
    ------
    FileError
        The file is damaged.
    MissingExtraError
        The package onnx is not installed.
    """
    try:
        return tuple(read(Path(path)).graph.outputs)
    except MissingExtraError:
        raise
    except (ValueError, RecursionError, MemoryError, OSError) as error:
        raise _failed(path, error) from error


def _failed(path: str | PathLike[str], error: Exception) -> FileError:
    said = error.strerror if isinstance(error, OSError) else str(error)[:_LONGEST]
    return FileError(f"{fspath(path)}: {said}")


def _with_output(graph: FileGraph, output: str) -> FileGraph:
    if output not in graph.outputs:
        raise FileError(unknown("output", output, graph.outputs))
    return replace(graph, outputs=[output])


def _imported(model: Model, plan: Plan) -> Graph:
    """Return the graph, for any batch size if possible.

    A network that joins or splits the first axis does not treat images independently, so it keeps
    the batch size for which it was exported.
    """
    try:
        return Importer(model.opset, plan, model.producer).run(model.graph)
    except FileError:
        if plan.batch is None:
            raise
        fixed = {name: at(sizes, plan.batch) for name, sizes in plan.inputs.items()}
        whole = Plan(fixed, None, plan.channels_last)
        try:
            return Importer(model.opset, whole, model.producer).run(model.graph)
        except PellucidError:
            pass
        raise


def _plan(model: Model, input_shape: Shape | None, layout: str | None) -> Plan:
    inputs = model.graph.inputs
    if not inputs:
        raise FileError("the network has no input")
    if input_shape is not None and len(inputs) > 1:
        raise FileError(f"the network has {len(inputs)} inputs; input_shape is for one input")
    last = frozenset(value.name for value in inputs if _is_last(model, value, layout))
    shapes = {value.name: _completed(value, input_shape, value.name in last) for value in inputs}
    firsts = {shape[0] if shape else 0 for shape in shapes.values()}
    first = firsts.pop()
    if not firsts and first != 0:  # the first axis of every input is the batch
        sizes = {name: (Batch(), *shape[1:]) for name, shape in shapes.items()}
        return Plan(sizes, first, last)
    if None in firsts | {first}:
        raise FileError("the sizes of the inputs are open; export it with one fixed batch size")
    return Plan(shapes, None, last)


def _is_last(model: Model, value: Input, layout: str | None) -> bool:
    if layout is None:
        return is_channels_last(model, value)
    return layout == "NHWC" and value.shape is not None and len(value.shape) == 4


def _completed(value: Input, input_shape: Shape | None, last: bool) -> Any:
    """Return the input's sizes, channels first; the first is None if it is an open batch size."""
    if value.dtype not in _FLOATING:
        raise FileError(f"the input '{value.name}' has type {value.dtype}, not a real type")
    shape = value.shape
    if last and shape is not None:
        shape = tuple(shape[axis] for axis in TO_FIRST)
    if input_shape is not None:
        if shape is not None and len(shape) != len(input_shape) + 1:
            raise FileError(f"input_shape {input_shape} does not fit the file's {shape}")
        shape = (shape[0] if shape else None, *input_shape)
    if shape is None or None in shape[1:]:
        raise FileError(
            f"the file leaves the shape of the input '{value.name}' open: {shape}; give it, as "
            "in load(path, input_shape=(3, 224, 224)), or --input 3x224x224 on the command line"
        )
    return shape


def _describe(graph: Graph, said: Mapping[str, str], plan: Plan) -> None:
    """Set the graph's input shape, classes and preprocessing as far as the file states them."""
    sizes = next(iter(plan.inputs.values()))
    if len(plan.inputs) == 1 and len(sizes) == 4:
        _, C, H, W = sizes
        graph.input_shape = (int(C), int(H), int(W))  # type: ignore[arg-type]  # none is the batch
    classes = _json(said, metadata.CLASSES)
    if isinstance(classes, list) and all(isinstance(name, str) for name in classes):
        graph.classes = tuple(classes) or None
    preprocessing = _json(said, metadata.PREPROCESSING)
    if preprocessing is not None:
        included = _json(said, metadata.INCLUDED) is not False
        graph.preprocessing = _preprocessing(preprocessing, included, graph.input_shape)


def _preprocessing(described: Any, included: bool, input_shape: Shape | None) -> Any:
    """Return the preprocessing of pixels, or None if the file does not state it as `save` does.

    If the graph's first nodes do the preprocessing, pixels are passed on unchanged.
    """
    try:
        found = Preprocessing.from_description(described)
    except PellucidError:
        return None
    channels = len(found.mean)
    if input_shape is None or input_shape[0] != channels:
        return None
    unchanged = Preprocessing((0.0,) * channels, (1.0,) * channels, found.trained_on)
    return unchanged if included else found


def _json(said: Mapping[str, str], key: str) -> Any:
    """Return the value of a key, or None if it is not JSON."""
    try:
        return json.loads(said.get(key, "null"))
    except (ValueError, RecursionError):
        return None
