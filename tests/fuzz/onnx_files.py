"""ONNX files: those that the library writes, with something changed."""

import functools
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx

from layer_table import ROWS
from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.onnx import load, save
from tests.fuzz.mutation import EDGES, mutated
from tests.fuzz.reader import Files, Reader

_NUMBERS = (*EDGES, -1, -2, -(2**31), 2**62, -(2**63))
_OPERATORS = (
    *("Conv", "Relu", "MaxPool", "AveragePool", "Gemm", "MatMul", "Flatten", "Reshape", "Concat"),
    *("Add", "Mul", "Slice", "Gather", "Shape", "Transpose", "Resize", "Pad", "Unsqueeze", "Cast"),
    *("ConstantOfShape", "Range", "Tile", "Expand", "Split", "Softmax", "If", "Loop", "x", ""),
)


@functools.cache
def _files() -> list[bytes]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for row in ROWS.values():
            if isinstance(row.shape[0], tuple):
                continue
            try:
                save(nn.Sequential(row.make()), path, row.shape[1:])
            except PellucidError:
                continue  # the format has no such layer
            found.append(path.read_bytes())
    return found


def _onnx(random: Random) -> Files:
    content = random.choice(_files())
    if random.random() < 0.3:
        return {"model.onnx": mutated(content, random)}
    model = onnx.ModelProto.FromString(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice((_change_node, _change_node, _change_tensor, _change_graph))(model, random)
    return {"model.onnx": model.SerializeToString()}


def _change_node(model: Any, random: Random) -> None:
    nodes = model.graph.node
    if not nodes:
        return
    node, names = random.choice(nodes), [n for node in nodes for n in (*node.input, *node.output)]
    action = random.randrange(6)
    if action == 0:
        node.op_type = random.choice(_OPERATORS)
    elif action == 1 and node.input:
        node.input[random.randrange(len(node.input))] = random.choice((*names, "", "nowhere"))
    elif action == 2 and node.output:
        node.output[0] = random.choice((*names, ""))
    elif action == 3:
        nodes.remove(node)
    elif action == 4:
        nodes.append(node)
    elif node.attribute:
        _change_attribute(random.choice(node.attribute), random)


def _change_attribute(attribute: Any, random: Random) -> None:
    action = random.randrange(5)
    if action == 0:
        attribute.i = random.choice(_NUMBERS)
    elif action == 1:
        attribute.ints.append(random.choice(_NUMBERS))
    elif action == 2 and attribute.ints:
        attribute.ints[random.randrange(len(attribute.ints))] = random.choice(_NUMBERS)
    elif action == 3:
        attribute.type = random.randrange(12)
    else:
        attribute.f = random.choice((0.0, -1.0, float("nan"), float("inf"), 1e30))


def _change_tensor(model: Any, random: Random) -> None:
    if not model.graph.initializer:
        return
    tensor = random.choice(model.graph.initializer)
    action = random.randrange(5)
    if action == 0:
        tensor.dims.append(random.choice(_NUMBERS))
    elif action == 1 and tensor.dims:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(_NUMBERS)
    elif action == 2:
        tensor.data_type = random.randrange(24)
    elif action == 3:
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
    else:
        array = np.full(random.choice(((), (1,), (4,), (2, 2))), random.choice(_NUMBERS))
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def _change_graph(model: Any, random: Random) -> None:
    values = [*model.graph.input, *model.graph.output]
    action = random.randrange(4)
    if action == 0 and model.opset_import:
        model.opset_import[0].version = random.choice((0, 1, 7, 9, 11, 13, 99, 2**62, -1))
    elif action == 1 and values:
        dims = random.choice(values).type.tensor_type.shape.dim
        dims.add().dim_value = random.choice(_NUMBERS)
    elif action == 2 and values:
        for dim in random.choice(values).type.tensor_type.shape.dim[:2]:
            dim.dim_value = random.choice(_NUMBERS)
    else:
        for entry in model.metadata_props:
            entry.value = mutated(entry.value.encode(), random).decode("utf-8", "replace")


READERS = {"onnx": Reader(_onnx, load)}
