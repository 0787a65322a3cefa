"""Networks that PyTorch exports, and those of the ONNX model zoo: read here, beside onnxruntime.

    python -m benchmarks.onnx_models [--batch 8] [--size 64] [NAME …]

Weights are random; running statistics are gathered from a few batches of noise before the export,
so that every layer passes on numbers of ordinary size. For each network: the largest difference
from onnxruntime's outputs, the largest output, and the time for one batch, the median of turns
taken in turns. The zoo's networks come with the onnx package, with one
number as all weights, which are
drawn anew here.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper

from pellucid.execution import fuse
from pellucid.interchange import onnx as exchange

TORCHVISION = (
    "alexnet",
    "vgg11",
    "vgg16_bn",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "wide_resnet50_2",
    "squeezenet1_0",
    "squeezenet1_1",
    "densenet121",
    "googlenet",
    "inception_v3",
    "shufflenet_v2_x1_0",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "mnasnet1_0",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "regnet_y_400mf",
    "convnext_tiny",
)
_SMALLEST = {"inception_v3": 96, "alexnet": 224, "vgg11": 224, "vgg16_bn": 224}
"""Smaller images leave nothing to pool, or make cells that the old exporter cannot write."""
_HEADS = {"googlenet", "inception_v3"}
"""Networks with auxiliary outputs, which exist in training alone."""


def torchvision_model(name: str, size: int) -> Any:
    """Return one of torchvision's networks, with running statistics of noise."""
    module = getattr(_torchvision(), name)
    torch.manual_seed(0)
    extra = {"aux_logits": False, "init_weights": True} if name in _HEADS else {}
    model = module(weights=None, **extra)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean over all batches
    with torch.no_grad():
        for _ in range(2 if norms else 0):
            model.train()(torch.randn(4, 3, size, size))
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()


def _torchvision() -> Any:
    """Return torchvision's models; its compiled operators are not needed, but have to be named."""
    try:
        from torchvision import models
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        _KEPT.append(library)
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision import models
    return models


_KEPT: list[Any] = []


def export(
    model: Any, path: Path, size: int, *, exporter: str, dynamic: bool = True, batch: int = 2
) -> None:
    """Write `model` with PyTorch's "old" exporter (TorchScript) or its "new" one (dynamo)."""
    x = torch.randn(batch, 3, size, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "old":
            axes = {"x": {0: "N"}} if dynamic else None
            torch.onnx.export(
                model, (x,), str(path), dynamo=False, input_names=["x"], dynamic_axes=axes
            )
        else:
            shapes = ({0: torch.export.Dim("N")},) if dynamic else None
            torch.onnx.export(
                model, (x,), str(path), dynamo=True, dynamic_shapes=shapes, external_data=False,
                verbose=False,
            )  # fmt: skip


def by_onnxruntime(path: Path, threads: int = 0) -> Callable[[Any], list[Any]]:
    """Return what computes the outputs of a file for an array."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, threads
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return lambda x: list(session.run(None, {name: x}))


def zoo(folder: Path, names: str = "*") -> Iterator[tuple[str, Path]]:
    """Write the networks that come with the onnx package into `folder`, and yield them.

    Their weights are one number everywhere; here they are random, of ordinary size.
    """
    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    for source in sorted(light.glob(f"light_{names}.onnx")):
        model, rng = onnx.load(source), np.random.default_rng(0)
        shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        for node in list(model.graph.node):
            if node.op_type == "ConstantOfShape":
                shape = shapes[node.input[0]]
                value = rng.uniform(0.5, 1.5, shape)
                if len(shape) > 1:  # such that sizes stay as they are from layer to layer
                    value = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
                tensor = numpy_helper.from_array(value.astype(np.float32), node.output[0])
                model.graph.initializer.append(tensor)
                model.graph.node.remove(node)
        path = folder / source.name
        path.write_bytes(model.SerializeToString())
        yield source.stem.removeprefix("light_"), path


def line(name: str, path: Path, batch: int, turns: int) -> str:
    """Return a row of the table."""
    graph = exchange.load(path)
    theirs, fused = by_onnxruntime(path), fuse(graph)
    file = onnx.load(path, load_external_data=False).graph
    weights = {tensor.name for tensor in file.initializer}  # old files list them as inputs too
    image = next(value for value in file.input if value.name not in weights)
    fixed = image.type.tensor_type.shape.dim[0]
    x = np.random.default_rng(0).standard_normal(
        (fixed.dim_value or batch, *(graph.input_shape or ())), dtype=np.float32
    )
    y, expected = fused(x), theirs(x)[0]
    took: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(turns):
        for who, run in (("ours", fused), ("theirs", theirs)):
            start = time.perf_counter()
            run(x)
            took[who].append(time.perf_counter() - start)
    ours, others = (1000 * statistics.median(took[who]) for who in took)
    return (
        f"| {name} | {x.shape[0]}×{x.shape[2]}×{x.shape[3]} | {len(graph.nodes)} "
        f"| {np.abs(y - expected).max():.1e} | {np.abs(expected).max():.2g} "
        f"| {ours:.0f} | {others:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", default=[*TORCHVISION, "zoo"], metavar="NAME")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--exporter", choices=("old", "new", "both"), default="both")
    given = parser.parse_args()
    exporters = ("old", "new") if given.exporter == "both" else (given.exporter,)
    print(
        "| network | images | layers | largest difference | largest output | ms | onnxruntime ms |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for name in given.names:
        if name == "zoo":
            with tempfile.TemporaryDirectory() as folder:
                for called, path in zoo(Path(folder)):
                    print(line(f"{called}, zoo", path, given.batch, given.turns), flush=True)
            continue
        size = max(given.size, _SMALLEST.get(name, 0))
        model = torchvision_model(name, size)
        for exporter in exporters:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.onnx"
                export(model, path, size, exporter=exporter)
                print(line(f"{name}, {exporter}", path, given.batch, given.turns), flush=True)


if __name__ == "__main__":
    main()
