"""Convert an ONNX file to plain data, checking each part first."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import FileError, missing_extra
from pellucid.interchange.onnx.reader.model import Attribute, FileGraph, Input, Model, Node
from pellucid.interchange.onnx.reader.tensors import array_of, text, type_name
from pellucid.types import Array

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, ValueInfoProto

OLDEST, NEWEST = 1, 28
"""The oldest and newest versions of the operators (opset) that can be read."""

_LARGEST_FILE = 2**31
"""The limit of protobuf, in bytes."""
_MOST_NODES = 100_000
_DEEPEST = 8
_NAMES_OPSETS = 3
"""Version of the format from which a file must state the version of its operators."""
_OWN_DOMAINS = ("", "ai.onnx")


def read(path: Path) -> Model:
    """Read the file at `path`."""
    model = _parsed(path)
    if not model.HasField("graph"):
        raise FileError("this is not an ONNX file: it holds no graph")
    opset = _opset(model)
    if model.functions:
        names = ", ".join(sorted({text(function.name)[:100] for function in model.functions})[:10])
        raise FileError(
            f"the file defines its own functions ({names}), which are not supported; inline them "
            "with onnx.inliner.inline_local_functions"
        )
    graph = _Reader(path.parent).graph(model.graph, 0)
    metadata = {text(entry.key): text(entry.value) for entry in model.metadata_props}
    return Model(graph, opset, metadata, text(model.producer_name))


def _parsed(path: Path) -> ModelProto:
    try:
        from onnx import ModelProto
    except ModuleNotFoundError as error:
        raise missing_extra("reading an ONNX file", "onnx", "onnx") from error
    if path.stat().st_size >= _LARGEST_FILE:
        raise FileError("the file has 2 GiB or more, which protobuf does not allow")
    try:
        model: ModelProto = ModelProto.FromString(path.read_bytes())
    except Exception as error:  # protobuf's DecodeError, whose package is not imported here
        raise FileError(f"this is not an ONNX file, or it is damaged: {error}") from error
    return model


def _opset(model: ModelProto) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in _OWN_DOMAINS]
    if not versions and model.ir_version >= _NAMES_OPSETS:
        raise FileError("the file does not state the version of its operators (opset)")
    if len(set(versions)) > 1:
        raise FileError(f"the file states several versions of the operators: {versions[:10]}")
    version = versions[0] if versions else OLDEST
    if not OLDEST <= version <= NEWEST:
        raise FileError(
            f"the file uses operators of version (opset) {version}; versions {OLDEST} to {NEWEST} "
            "are supported. Export it with another opset_version"
        )
    return int(version)


class _Reader:
    def __init__(self, folder: Path) -> None:
        self.folder, self.nodes = folder, 0

    def graph(self, graph: GraphProto, depth: int) -> FileGraph:
        if depth > _DEEPEST:
            raise FileError(f"graphs are nested more than {_DEEPEST} deep")
        if graph.sparse_initializer:
            raise FileError("the file holds sparse tensors, which are not supported")
        self.nodes += len(graph.node)
        if self.nodes > _MOST_NODES:
            raise FileError(f"the file has more than {_MOST_NODES} nodes")
        constants: dict[str, Array] = {}
        for tensor in graph.initializer:
            name = text(tensor.name)
            if name in constants:
                raise FileError(f"two tensors are named '{name[:100]}'")
            constants[name] = array_of(tensor, self.folder)
        inputs = [_input(value) for value in graph.input if text(value.name) not in constants]
        nodes = [
            Node(
                text(node.op_type),
                text(node.name),
                tuple(map(text, node.input)),
                tuple(map(text, node.output)),
                self.attributes(node.op_type, node.attribute, depth),
                "" if node.domain in _OWN_DOMAINS else text(node.domain),
            )
            for node in graph.node
        ]
        outputs = [text(value.name) for value in graph.output]
        _check_names([value.name for value in inputs], list(constants), nodes)
        return FileGraph(nodes, constants, inputs, outputs)

    def attributes(
        self, op: str, attributes: Iterable[AttributeProto], depth: int
    ) -> dict[str, Attribute]:
        found: dict[str, Attribute] = {}
        for attribute in attributes:
            name = text(attribute.name)
            if name in found:
                raise FileError(f"{op[:100]} has the attribute '{name[:100]}' twice")
            found[name] = self.value(op, attribute, depth)
        return found

    def value(self, op: str, attribute: AttributeProto, depth: int) -> Any:
        kind = attribute.type
        if kind == attribute.FLOAT:
            return float(attribute.f)
        if kind == attribute.INT:
            return int(attribute.i)
        if kind == attribute.STRING:
            return attribute.s.decode("utf-8", "replace")
        if kind == attribute.TENSOR:
            return array_of(attribute.t, self.folder)
        if kind == attribute.GRAPH:
            return self.graph(attribute.g, depth + 1)
        if kind == attribute.FLOATS:
            return [float(value) for value in attribute.floats]
        if kind == attribute.INTS:
            return [int(value) for value in attribute.ints]
        if kind == attribute.STRINGS:
            return [value.decode("utf-8", "replace") for value in attribute.strings]
        raise FileError(f"{op}: the type of the attribute '{attribute.name}' is not supported")


def _input(value: ValueInfoProto) -> Input:
    name = text(value.name)
    if not value.type.HasField("tensor_type"):
        raise FileError(f"the input '{name[:100]}' is not a tensor")
    tensor = value.type.tensor_type
    shape = None
    axes = tuple(text(size.dim_param) for size in tensor.shape.dim)
    if tensor.HasField("shape"):
        shape = tuple(
            int(size.dim_value) if size.HasField("dim_value") and size.dim_value > 0 else None
            for size in tensor.shape.dim
        )
    return Input(name, type_name(tensor.elem_type), shape, axes)


def _check_names(inputs: list[str], constants: list[str], nodes: list[Node]) -> None:
    """Check that no name is given twice."""
    seen: set[str] = set()
    given = [name for node in nodes for name in node.outputs if name]
    for name in [*inputs, *constants, *given]:
        if name in seen:
            raise FileError(f"two values are named '{name[:100]}'")
        seen.add(name)
