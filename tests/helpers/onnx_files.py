"""Make small ONNX files node by node, and compute them with onnxruntime."""

import warnings
from pathlib import Path

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

from benchmarks.onnx_models import by_onnxruntime

node = helper.make_node


def saved(path, nodes, arrays, opset=17, shape=("N", 3, 8, 8), outputs=("y",), producer=""):
    """Write a file with these nodes, from "x" to "y", in the given opset version."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)
    model.producer_name = producer
    Path(path).write_bytes(model.SerializeToString())
    return path


def images(count, shape, seed=0):
    return np.random.default_rng(seed).standard_normal((count, *shape)).astype(np.float32)


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def agree(ours, theirs, tolerance=2e-5):
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def exported(module, path, *, dynamic, opset=13, shape=(3, 24, 20), **options):
    """Export a module with PyTorch's TorchScript-based exporter, from which most files come."""
    axes = {"x": {0: "n"}} if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (torch.zeros(2, *shape),), str(path), dynamo=False, input_names=["x"],
            opset_version=opset, dynamic_axes=axes, **options,
        )  # fmt: skip
    return path


def last(x):
    """Return images (N, C, H, W) as (N, H, W, C)."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


__all__ = ["agree", "by_onnxruntime", "exported", "images", "last", "node", "random", "saved"]
