"""From an ONNX file to a `Graph`."""

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
    """Return the network in the ONNX file at `path` as a graph of this library's layers.

    The graph takes images (N, C, H, W), also where the file has the channels last, as files from
    TensorFlow have; it runs for any number of images, and can be looked into, trained further and
    saved. Weights become parameters; constants and the arithmetic of shapes are computed once,
    here. Nothing in the file is executed, and tensors in other files are read from the file's own
    folder alone.

    Parameters
    ----------
    path
        The file.
    input_shape
        (C, H, W) of the images: where the file leaves it open, or for images of another size than
        the file's, if the network allows it.
    output
        The name of the output to read, of a file with several; without it the graph returns a tuple
        of all. What the other outputs alone need is not read. See `output_names`.
    layout
        Whether the file's own input has the channels first, ``"NCHW"``, or last, ``"NHWC"``.
        Without it, what the nodes do with the input decides, or names, or shapes.

    Returns
    -------
    The graph, its `input_shape` set, and `classes` and `preprocessing` where `save` wrote them.

    Raises
    ------
    FileError
        The file is damaged, or the network has parts that are not supported: all of them are named.
    MissingExtraError
        The package onnx is not installed.

    Warns
    -----
    LayoutWarning
        The file does not tell the layout of its input; the message says how it is read.
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
    """Return the names of the outputs of the network in the ONNX file at `path`.

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
    """Return the graph, for any number of images, or for the file's where that is fixed there.

    A network that joins or cuts along the first axis is not computed image by image; so it runs for
    the batch that it was written for.
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
        raise FileError(f"the network has {len(inputs)} inputs; input_shape is for one")
    last = frozenset(value.name for value in inputs if _is_last(model, value, layout))
    shapes = {value.name: _completed(value, input_shape, value.name in last) for value in inputs}
    firsts = {shape[0] if shape else 0 for shape in shapes.values()}
    first = firsts.pop()
    if not firsts and first != 0:  # all inputs begin with the batch
        sizes = {name: (Batch(), *shape[1:]) for name, shape in shapes.items()}
        return Plan(sizes, first, last)
    if None in firsts | {first}:
        raise FileError("the sizes of the inputs are open; export it with one batch size for all")
    return Plan(shapes, None, last)


def _is_last(model: Model, value: Input, layout: str | None) -> bool:
    if layout is None:
        return is_channels_last(model, value)
    return layout == "NHWC" and value.shape is not None and len(value.shape) == 4


def _completed(value: Input, input_shape: Shape | None, last: bool) -> Any:
    """Return the input's sizes, channels first; the first may be None, if that is the batch."""
    if value.dtype not in _FLOATING:
        raise FileError(f"the input '{value.name}' is of type {value.dtype}, not of real numbers")
    shape = value.shape
    if last and shape is not None:
        shape = tuple(shape[axis] for axis in TO_FIRST)
    if input_shape is not None:
        if shape is not None and len(shape) != len(input_shape) + 1:
            raise FileError(f"input_shape {input_shape} does not fit the file's {shape}")
        shape = (shape[0] if shape else None, *input_shape)
    if shape is None or None in shape[1:]:
        raise FileError(
            f"the file leaves open what shape the input '{value.name}' has: {shape}; say it, as "
            "in load(path, input_shape=(3, 224, 224)), or --input 3x224x224 in the command"
        )
    return shape


def _describe(graph: Graph, said: Mapping[str, str], plan: Plan) -> None:
    """Tell the graph what it is made for, as far as the file knows."""
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
    """Return how pixels become inputs, or None if the file says it in another program's words.

    Where the graph's own first nodes do it, pixels go in as they are.
    """
    try:
        found = Preprocessing.from_description(described)
    except PellucidError:
        return None
    channels = len(found.mean)
    if input_shape is None or input_shape[0] != channels:
        return None
    return Preprocessing((0.0,) * channels, (1.0,) * channels) if included else found


def _json(said: Mapping[str, str], key: str) -> Any:
    """Return what the file says under a key, or None if that is not this library's."""
    try:
        return json.loads(said.get(key, "null"))
    except (ValueError, RecursionError):
        return None
