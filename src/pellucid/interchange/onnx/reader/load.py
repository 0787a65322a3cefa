"""From an ONNX file to a `Graph`."""

import json
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from pellucid.errors import FileError, MissingExtraError, PellucidError
from pellucid.interchange.onnx import metadata
from pellucid.interchange.onnx.reader.file import read
from pellucid.interchange.onnx.reader.importer import Importer, Plan
from pellucid.interchange.onnx.reader.layout import TO_FIRST, channels_last
from pellucid.interchange.onnx.reader.model import Input, Model
from pellucid.interchange.onnx.reader.size import Batch, at
from pellucid.layers import Graph
from pellucid.preprocessing import Preprocessing
from pellucid.types import Shape

_LONGEST = 10_000
_FLOATING = ("float32", "float64", "float16", "bfloat16")


def load(path: str | PathLike[str], *, input_shape: Shape | None = None) -> Graph:
    """Return the network in the ONNX file at `path` as a graph of this library's layers.

    It takes images (N, C, H, W), also where the file has the channels last, as TensorFlow's have;
    it runs for any number of them, can be looked into, trained further and saved. Weights are
    parameters; constants and shape arithmetic are computed once, here. Nothing in the file is
    executed, and values that lie in other files are read from the file's own folder alone.

    Parameters
    ----------
    path
        The file.
    input_shape
        (C, H, W) of the images, where the file leaves it open, or for another size of images than
        the file's where the network allows it.

    Returns
    -------
    The graph, its `input_shape` set, and `classes` and `preprocessing` where `save` wrote them.

    Raises
    ------
    FileError
        The file is damaged, or the network has parts that are not supported: all of them are named.
    MissingExtraError
        The package onnx is not installed.
    """
    where = Path(path)
    try:
        model = read(where)
        plan = _plan(model, input_shape)
        graph = _imported(model, plan)
        _describe(graph, model.metadata, plan)
    except MissingExtraError:
        raise
    except (ValueError, ArithmeticError, RecursionError, MemoryError, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)[:_LONGEST]
        raise FileError(f"{fspath(path)}: {said}") from error
    return graph


def _imported(model: Model, plan: Plan) -> Graph:
    """Return the graph, for any number of images, or for the file's where that is fixed there.

    A network that joins or cuts along the first axis is not computed image by image; so it runs for
    the batch that it was written for.
    """
    try:
        return Importer(model.opset, plan).run(model.graph)
    except FileError:
        if plan.batch is None:
            raise
        fixed = {name: at(sizes, plan.batch) for name, sizes in plan.inputs.items()}
        try:
            return Importer(model.opset, Plan(fixed, None, plan.channels_last)).run(model.graph)
        except PellucidError:
            pass
        raise


def _plan(model: Model, input_shape: Shape | None) -> Plan:
    inputs = model.graph.inputs
    if not inputs:
        raise FileError("the network has no input")
    if input_shape is not None and len(inputs) > 1:
        raise FileError(f"the network has {len(inputs)} inputs; input_shape is for one")
    last = len(inputs) == 1 and channels_last(model.graph)
    shapes = {value.name: _completed(value, input_shape, last) for value in inputs}
    firsts = {shape[0] if shape else 0 for shape in shapes.values()}
    first = firsts.pop()
    if not firsts and first != 0:  # all inputs begin with the batch
        sizes = {name: (Batch(), *shape[1:]) for name, shape in shapes.items()}
        return Plan(sizes, first, last)
    if None in firsts | {first}:
        raise FileError("the sizes of the inputs are open; export it with one batch size for all")
    return Plan(shapes, None)


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
            "in load(path, input_shape=(3, 224, 224))"
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
