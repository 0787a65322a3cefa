"""Save a model as an ONNX file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import pellucid
from pellucid.errors import FileError, PellucidError, ShapeError, missing_extra
from pellucid.files import atomic_write
from pellucid.interchange.onnx.metadata import properties
from pellucid.interchange.onnx.writer import WRITERS, GraphWriter, NamedValue
from pellucid.layers import Layer
from pellucid.types import Shape

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 23
"""Version of the operators that is written: of 2025, supported by onnxruntime since 1.23."""

BATCH = "N"
"""Name of the first axis, whose size is left open."""

_LARGEST = 2**31 - 1  # protobuf's limit for a message, in bytes


def save(
    model: Layer,
    path: str | os.PathLike[str],
    input_shape: Shape | tuple[Shape, ...] | None = None,
    *,
    preprocessing: bool = False,
    probabilities: bool = False,
) -> None:
    """Save `model` as an ONNX file that computes its inference output for any batch size.

    Weights are named as in `state_dict`, nodes by the paths of their layers; dropout leaves no
    node. The file's properties hold the class names, the input shape and the preprocessing if the
    model has them. The file is checked with ``onnx.checker``, and written completely or not at all.

    Parameters
    ----------
    model
        The model to save; its values keep their type, float32 or float64.
    path
        File to write, by convention with the ending ``.onnx``.
    input_shape
        Shape (C, H, W) of one image, or a tuple of shapes, one for each input. By default, the
        shape of the images on which the model was trained.
    preprocessing
        If True, the file's input is raw pixels, as numbers of the model's type, and its first nodes
        compute ``(pixel − mean[c]) / scale[c]``. Default: False.
    probabilities
        If True, a softmax follows the last layer; else the outputs are the model's. Default: False.

    Raises
    ------
    PellucidError
        Some layers have no equivalent in ONNX; the message names all of them.
    ShapeError
        The input shape is unknown or does not fit.
    FileError
        The file cannot be written, or would exceed the format's limit of 2 GB.
    MissingExtraError
        The package onnx is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(fc=nn.Linear(3, 2), relu=nn.ReLU())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, Path(folder) / "model.onnx", (3,))
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['model.onnx']
    """
    try:
        import onnx
    except ImportError as error:
        raise missing_extra("writing an ONNX file", "onnx", "onnx") from error
    proto = to_proto(model, input_shape, preprocessing=preprocessing, probabilities=probabilities)
    if proto.ByteSize() > _LARGEST:
        raise FileError(f"{os.fspath(path)}: the model is larger than the 2 GB of an ONNX file")
    onnx.checker.check_model(proto, full_check=True)
    atomic_write(Path(path), proto.SerializeToString(deterministic=True))


def to_proto(
    model: Layer,
    input_shape: Shape | tuple[Shape, ...] | None = None,
    *,
    preprocessing: bool = False,
    probabilities: bool = False,
) -> ModelProto:
    """Return what `save` writes, as an `onnx.ModelProto`."""
    from onnx import helper, numpy_helper

    _check_types(model)
    graph = GraphWriter(model, WRITERS, _dtype(model))
    inputs = _inputs(model, input_shape, graph)
    x = inputs[0] if len(inputs) == 1 else inputs
    fitted = model.output_shape(_shapes(x, 1)), model.output_shape(_shapes(x, 2))
    if preprocessing:
        x = _preprocessed(graph, model, x)
    found = graph.layer("", model, x)
    outputs = _named_outputs(graph, model, found, probabilities)
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            type(model).__name__,
            [_info(value.name, (BATCH, *value.shape[1:]), graph) for value in inputs],
            [
                _info(value.name, _open_sizes(*shapes), graph)
                for value, shapes in zip(outputs, _each(*fitted), strict=True)
            ],
            [numpy_helper.from_array(value, name) for name, value in graph.constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="pellucid",
        producer_version=pellucid.__version__,
    )
    proto.ir_version = helper.find_min_ir_version_for(proto.opset_import)
    helper.set_model_props(proto, properties(model, preprocessing_included=preprocessing))
    return proto


def _check_types(model: Layer) -> None:
    unknown = [
        f"{path or 'the model'} ({type(layer).__name__})"
        for path, layer in model.walk()
        if type(layer) not in WRITERS
    ]
    if unknown:
        raise PellucidError(f"these layers have no equivalent in ONNX: {', '.join(unknown)}")


def _dtype(model: Layer) -> Any:
    types = {item.dtype for item in model.parameters()}
    if len(types) > 1:
        raise PellucidError(
            f"the model's values have different types: {', '.join(sorted(map(str, types)))}; "
            'convert them to one, for example with model.astype("float32")'
        )
    return types.pop() if types else np.float32


def _inputs(model: Layer, given: Any, graph: GraphWriter) -> tuple[NamedValue, ...]:
    shapes = model.input_shape if given is None else given
    if shapes is None:
        raise ShapeError("the model's input shape is not known; give input_shape=(C, H, W)")
    several = isinstance(shapes[0], tuple | list)
    if not several:
        return (NamedValue(graph.fresh("input"), (1, *shapes)),)
    names = getattr(model, "graph_inputs", [f"input_{i}" for i in range(len(shapes))])
    if len(names) != len(shapes):
        raise ShapeError(f"the model takes {', '.join(names)}, but was given the shapes {shapes}")
    pairs = zip(names, shapes, strict=True)
    return tuple(NamedValue(graph.fresh(name), (1, *shape)) for name, shape in pairs)


def _preprocessed(graph: GraphWriter, model: Layer, x: Any) -> NamedValue:
    if model.preprocessing is None or not isinstance(x, NamedValue):
        raise PellucidError(
            "the model has no preprocessing to write into the file; train it, or set "
            "model.preprocessing"
        )
    if x.shape[1] != len(model.preprocessing.mean):
        raise ShapeError(
            f"the preprocessing is for {len(model.preprocessing.mean)} channels, "
            f"the input shape is {x.shape[1:]}"
        )
    factor, offset = (
        graph.constant("preprocessing", name, value[:, None, None])
        for name, value in zip(
            ("factor", "offset"), model.preprocessing.affine(graph.dtype), strict=True
        )
    )
    scaled = graph.node("Mul", "preprocessing", [x.name, factor], "scaled")
    return NamedValue(graph.node("Add", "preprocessing", [scaled, offset]), x.shape)


def _named_outputs(
    graph: GraphWriter, model: Layer, found: Any, probabilities: bool
) -> tuple[NamedValue, ...]:
    """Return the outputs under the names that users of the file see."""
    if not isinstance(found, NamedValue):
        if probabilities:
            raise PellucidError("probabilities=True requires a model with one output")
        names = getattr(model, "outputs", [f"output_{i}" for i in range(len(found))])
        return tuple(graph.rename(value, name) for value, name in zip(found, names, strict=True))
    if not probabilities:
        return (graph.rename(found, "output"),)
    scores = graph.node("Softmax", "softmax", [found.name], axis=1)
    return (graph.rename(NamedValue(scores, found.shape), "probabilities"),)


def _shapes(x: Any, batch: int) -> Any:
    """Return the shape, or the tuple of shapes, for a batch of `batch` images."""
    if isinstance(x, NamedValue):
        return batch, *x.shape[1:]
    return tuple(_shapes(value, batch) for value in x)


def _each(one: Any, two: Any) -> list[tuple[Shape, Shape]]:
    """Return, for each output, its shape for one image and for two."""
    return [(one, two)] if isinstance(one[0], int) else list(zip(one, two, strict=True))


def _open_sizes(one: Shape, two: Shape) -> tuple[int | str | None, ...]:
    """Return an output's sizes, with those open that grow with the batch size."""
    first, *rest = (size if size == other else None for size, other in zip(one, two, strict=True))
    return (BATCH if (one[0], two[0]) == (1, 2) else first), *rest


def _info(name: str, sizes: tuple[int | str | None, ...], graph: GraphWriter) -> Any:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(graph.dtype)
    return helper.make_tensor_value_info(name, kind, sizes)
