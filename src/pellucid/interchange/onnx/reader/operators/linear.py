"""Convert matrix products: linear layers, and products of two computed matrices."""

from __future__ import annotations

import numpy as np

from pellucid.interchange.onnx.reader.call import Call, filled
from pellucid.interchange.onnx.reader.operators.arithmetic import shifted, with_axes
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import Linear, MatMul, Permute
from pellucid.types import Array


@converts("Gemm")
def gemm(call: Call) -> Computed:
    """Convert ``alpha · A B + beta · C``; alpha and beta become part of the weights B and C."""
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    call.ignore("broadcast")
    weight = call.numbers(1, "weight")
    if weight.ndim != 2:
        raise UnsupportedError(f"a weight of shape {weight.shape} is not a matrix")
    weight = weight if call.integer("transB", 0) else weight.T
    weight = weight if alpha == 1 else weight * np.asarray(alpha, weight.dtype)
    x = call.add(Permute((1, 0))) if call.integer("transA", 0) else call.value()
    bias = call.constant_or(2, "bias", None)
    if bias is None:
        return linear(call, weight, None, x)
    bias = bias * np.asarray(beta, bias.dtype)
    if bias.size in (1, len(weight)) and bias.ndim <= 2 and bias.shape[-1:] in ((), (bias.size,)):
        return linear(call, weight, np.broadcast_to(bias.reshape(-1), (len(weight),)), x)
    return shifted(call, linear(call, weight, None, x), bias)


def linear(call: Call, weight: Array, bias: Array | None, x: Computed) -> Computed:
    """Add a `Linear` with a weight of shape (out, in)."""
    layer = Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    return call.add(filled(layer, weight=weight, bias=bias), x)


@converts("MatMul")
def matmul(call: Call) -> Computed:
    """Convert ``x W`` with a known W, which `Linear` transposes, or two computed matrices."""
    if not call.is_constant(0) and not call.is_constant(1):
        a, b = call.value(0), call.value(1)
        axes = max(len(a.sizes), len(b.sizes))
        if min(len(a.sizes), len(b.sizes)) < 2:
            raise UnsupportedError("vectors are not supported")
        return call.add(MatMul(), with_axes(call, a, axes), with_axes(call, b, axes))
    constant = 0 if call.is_constant(0) else 1
    weight = call.numbers(constant, "weight")
    if weight.ndim != 2:
        raise UnsupportedError(f"a constant of shape {weight.shape} is not supported")
    if constant == 1:
        return linear(call, weight.T, None, call.value())
    axes = len(call.value(1).sizes)  # W x = (xᵀ Wᵀ)ᵀ
    turn = Permute((*range(axes - 2), axes - 1, axes - 2))
    return call.add(turn, linear(call, weight, None, call.add(turn, call.value(1))))
