"""Ways to compute a network that lead through the formats of other libraries, and back."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime
import torch

import pellucid as pl
from pellucid.errors import PellucidError
from pellucid.interchange import onnx
from pellucid.interchange.keras import from_keras, to_keras
from pellucid.interchange.torch import from_torch, to_torch
from random_networks.drawing import Case
from random_networks.runs import Arrays, Data, Refused, Way, gradient, model_of
from random_networks.tracing import tracing_ways


@contextmanager
def may_refuse() -> Iterator[None]:
    """Turn the error for a network that cannot be converted into `Refused`."""
    try:
        yield
    except PellucidError as error:
        raise Refused from error


def through_onnx(case: Case, data: Data) -> Arrays:
    """Return what onnxruntime computes from our file, and what we compute after reading it."""
    model = model_of(case, data, "float32")
    x = data.x.astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        with may_refuse():
            onnx.save(model, path, case.shape[1:])
        session = onnxruntime.InferenceSession(path)
        (y,) = session.run(None, {session.get_inputs()[0].name: x})
        return {"output": y, "output, read again": onnx.load(path)(x)}


def through_file(case: Case, data: Data) -> Arrays:
    """Return what the model computes after it was saved and loaded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        pl.save(model_of(case, data, "float64"), path)
        return {"output": pl.load(path)(data.x)}


def through_torch(case: Case, data: Data) -> Arrays:
    """Return what the PyTorch module computes, and what we compute after reading it."""
    model = model_of(case, data, "float64")
    with may_refuse():
        module = to_torch(model).eval()
    x = torch.tensor(data.x, requires_grad=True)
    try:
        y = module(x)
    except ValueError as error:
        if "Expected more than 1 value per channel" in str(error):  # for GroupNorm of one image
            raise Refused from error
        raise
    y.backward(torch.tensor(data.dy))
    again = from_torch(module, case.shape[1:])
    return {
        "output": y.detach().numpy(),
        "gradient of input": gradient(x).numpy(),
        "output, read again": again(data.x),
    }


def through_keras(case: Case, data: Data) -> Arrays:
    """Return what the Keras model computes, and what we compute after reading it."""
    model = model_of(case, data, "float32")
    with may_refuse():
        other = to_keras(model, case.shape[1:])
    x = data.x.astype(np.float32)
    y = other(np.ascontiguousarray(x.transpose(0, 2, 3, 1)), training=False).numpy()
    return {"output": y, "output, read again": from_keras(other)(x)}


_THROUGH: tuple[tuple[str, Callable[[Case, Data], Arrays], str], ...] = (
    ("through a file", through_file, "float64"),
    ("through ONNX", through_onnx, "float32"),
    # some of PyTorch's kernels for float64 have constants of float32, such as hardsigmoid's 1/6
    ("through PyTorch", through_torch, "float32"),
    ("through Keras", through_keras, "float32"),
)


def exchanged(_: Case) -> Iterable[Way]:
    """Yield the ways through files and other formats, and the trace of each layer's numbers."""
    yield from tracing_ways()
    for name, run, dtype in _THROUGH:
        yield Way(name, run, dtype, "inference")
