"""ONNX Runtime, which answers and does not train. The graph is written node by node."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from benchmarks.frameworks.description import Description, join, parts, sides
from benchmarks.job import Array, Job


class Contestant:
    """A session for the network as an ONNX model; it does not train."""

    def __init__(self, job: Job, state: dict[str, Array]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job.threads
        options.inter_op_num_threads = 1
        model = graph(job.description, (job.batch, *job.input_shape), state)
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def batch(self, x: Array, targets: Array) -> Any:
        raise NotImplementedError("ONNX Runtime does not train")

    def train(self, batch: Any) -> float:
        raise NotImplementedError("ONNX Runtime does not train")

    def infer(self, x: Array) -> Array:
        return np.asarray(self.session.run(None, {"x": x})[0])


def graph(
    description: Description, shape: tuple[int, ...], state: dict[str, Array]
) -> onnx.ModelProto:
    """Return the ONNX model for inputs of `shape`."""
    writer = _Writer(state)
    y = writer.write(description, "", "x")
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info(y, onnx.TensorProto.FLOAT, (shape[0], None))]
    values = [numpy_helper.from_array(value, name) for name, value in writer.used.items()]
    model = helper.make_model(
        helper.make_graph(writer.nodes, "network", inputs, outputs, values),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return model


class _Writer:
    def __init__(self, state: dict[str, Array]) -> None:
        self.state = state
        self.nodes: list[onnx.NodeProto] = []
        self.used: dict[str, Array] = {}

    def write(self, description: Description | None, path: str, x: str) -> str:
        """Add the nodes of a layer and return the name of its output."""
        if description is None:
            return x
        match description["type"]:
            case "Sequential":
                for part, where in parts(description, path):
                    x = self.write(part, where, x)
                return x
            case "Concat":
                branches = [self.write(*branch, x) for branch in parts(description, path)]
                return self.node("Concat", branches, axis=1)
            case "Residual":
                body, shortcut, activation = sides(description, path)
                total = self.node("Add", [self.write(*body, x), self.write(*shortcut, x)])
                return self.write(*activation, total)
            case kind:
                return self.leaf(kind, description, path, x)

    def leaf(self, kind: str, description: Description, path: str, x: str) -> str:
        match kind:
            case "Conv2d":
                size = description["kernel_size"]
                return self.node(
                    "Conv",
                    [x, *self.values(path, "weight", "bias")],
                    kernel_shape=[size, size],
                    strides=[description.get("stride", 1)] * 2,
                    pads=[description.get("padding", 0)] * 4,
                    group=description.get("groups", 1),
                )
            case "BatchNorm2d":
                names = ("weight", "bias", "running_mean", "running_var")
                return self.node("BatchNormalization", [x, *self.values(path, *names)])
            case "MaxPool2d":
                size = description["kernel_size"]
                return self.node(
                    "MaxPool",
                    [x],
                    kernel_shape=[size, size],
                    strides=[description.get("stride", size)] * 2,
                    pads=[description.get("padding", 0)] * 4,
                )
            case "Linear":
                return self.node("Gemm", [x, *self.values(path, "weight", "bias")], transB=1)
            case "ReLU":
                return self.node("Relu", [x])
            case "GlobalAvgPool2d" | "AdaptiveAvgPool2d":
                return self.node("GlobalAveragePool", [x])
            case "Flatten":
                return self.node("Flatten", [x])
            case _:
                raise NotImplementedError(kind)

    def values(self, path: str, *names: str) -> list[str]:
        """Return the names of those values that the layer has."""
        found = [join(path, name) for name in names if join(path, name) in self.state]
        self.used |= {name: self.state[name] for name in found}
        return found

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output
