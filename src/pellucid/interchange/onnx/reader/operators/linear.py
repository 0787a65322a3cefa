"""Matrix products: fully connected layers, and products of two computed matrices."""

import numpy as np

from pellucid.interchange.onnx.reader.call import Call, UnsupportedError, Value, filled
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.layers import Linear
from pellucid.types import Array


@converts("Gemm")
def gemm(call: Call) -> Value:
    """``alpha · A B + beta · C``; B and C are weights, alpha and beta go into them."""
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    call.ignore("broadcast")
    if call.integer("transA", 0):
        raise UnsupportedError("the attribute transA is not supported")
    weight = call.numbers(1, "weight")
    if weight.ndim != 2:
        raise UnsupportedError(f"a weight of shape {weight.shape} is no matrix")
    weight = weight if call.integer("transB", 0) else weight.T
    bias = call.constant_or(2, "bias", None)
    if bias is not None:
        bias = _vector(bias, len(weight)) * np.asarray(beta, bias.dtype)
    if alpha != 1:
        weight = weight * np.asarray(alpha, weight.dtype)
    return linear(call, weight, bias)


def linear(call: Call, weight: Array, bias: Array | None) -> Value:
    """Add a `Linear` with weight (out, in)."""
    layer = Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    return call.add(filled(layer, weight=weight, bias=bias))


def _vector(bias: Array, size: int) -> Array:
    if bias.size in (1, size) and max(bias.shape, default=1) in (1, size):
        return np.broadcast_to(bias.reshape(-1), (size,))
    raise UnsupportedError(f"a bias of shape {bias.shape} for {size} outputs")


@converts("MatMul")
def matmul(call: Call) -> Value:
    """``x W`` with a known W; W is kept transposed, as `Linear` has it."""
    weight = call.numbers(1, "weight")
    if weight.ndim != 2:
        raise UnsupportedError(f"a weight of shape {weight.shape} is no matrix")
    return linear(call, weight.T, None)
