"""Evaluate operators on constants that `fold.py` lacks, by running the layers they convert to."""

from __future__ import annotations

from copy import copy

import numpy as np

from pellucid.interchange.onnx.reader.builder import Builder
from pellucid.interchange.onnx.reader.call import Call
from pellucid.interchange.onnx.reader.fold import SMALL
from pellucid.interchange.onnx.reader.operators.registry import Converter
from pellucid.interchange.onnx.reader.size import has_batch
from pellucid.interchange.onnx.reader.values import Computed, Constant, UnsupportedError
from pellucid.layers import Graph

_MOST_MULTIPLICATIONS = 2**30
_OF_NUMBERS = {"ArgMax": np.int64, "ArgMin": np.int64}
"""Operators whose result has another type than their input."""


def on_constants(call: Call, convert: Converter) -> tuple[Constant, ...]:
    """Return the result of a node whose first input is a constant.

    The layers that `convert` adds run in float64; the result has the type that the operator gives.
    """
    given = call.constant(0, "input")
    if has_batch(given):
        raise UnsupportedError("of sizes that depend on the batch size is not supported")
    if given.size > SMALL:
        raise UnsupportedError(f"of a constant of {given.size} values is not supported")
    builder = Builder(call.opset, None)
    builder.read = call.builder.read
    x = builder.input("x", given.shape)
    inner = copy(call)  # shares the record of attributes that were read
    inner.given, inner.builder, inner.batch = [x, *call.given[1:]], builder, None
    found = convert(inner)
    results = found if isinstance(found, tuple) else (found,)
    arrays = {x.name: given.astype(np.float64)} | _run(builder, results, given.astype(np.float64))
    dtype = _OF_NUMBERS.get(call.op, given.dtype)
    return tuple(Constant(arrays[value.name].astype(dtype)) for value in results)


def _run(builder: Builder, results: tuple[Computed, ...], x: np.ndarray) -> dict[str, np.ndarray]:
    outputs = [value.name for value in results if value.name in builder.nodes]
    if not outputs:
        return {}
    graph = Graph(builder.needed(outputs), outputs, ("x",)).astype(np.float64)
    costs = (layer.multiply_adds(shape) for _, layer, shape in graph.child_inputs(x.shape))
    if sum(costs) > _MOST_MULTIPLICATIONS:
        raise UnsupportedError("constants of this size are not supported")
    with np.errstate(all="ignore"):
        return dict(zip(outputs, graph(x), strict=True))
