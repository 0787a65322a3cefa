"""Convert activation functions and other functions of single values."""

from __future__ import annotations

import math

import numpy as np

from pellucid.interchange.onnx.reader.call import Call, axis_of, filled
from pellucid.interchange.onnx.reader.operators.arithmetic import reshaped
from pellucid.interchange.onnx.reader.operators.registry import converts
from pellucid.interchange.onnx.reader.size import product
from pellucid.interchange.onnx.reader.values import Computed, UnsupportedError
from pellucid.layers import (
    ELU,
    GELU,
    SELU,
    Abs,
    Affine,
    ArgMax,
    Clip,
    Dropout,
    Erf,
    Exp,
    HardSigmoid,
    Hardswish,
    Heaviside,
    Layer,
    LeakyReLU,
    Log,
    LogSoftmax,
    Multiply,
    Power,
    PReLU,
    ReLU,
    ReLU6,
    Scale,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Subtract,
    Tanh,
    ThresholdedReLU,
)

_PLAIN: dict[str, tuple[type[Layer], tuple[float, ...]]] = {
    "Relu": (ReLU, ()),
    "Sigmoid": (Sigmoid, ()),
    "Tanh": (Tanh, ()),
    "Softplus": (Softplus, ()),
    "Softsign": (Softsign, ()),
    "HardSwish": (Hardswish, ()),
    "Exp": (Exp, ()),
    "Log": (Log, ()),
    "Erf": (Erf, ()),
    "Abs": (Abs, ()),
    "Neg": (Affine, (-1.0,)),
    "Sqrt": (Power, (0.5,)),
    "Reciprocal": (Power, (-1.0,)),
}

_SELU = 1.0507009873554805, 1.6732632423543772


@converts(*_PLAIN)
def plain(call: Call) -> Computed:
    """Convert functions without attributes."""
    kind, arguments = _PLAIN[call.op]
    return call.add(kind(*arguments))


@converts("Identity", "Cast", "CastLike")
def identity(call: Call) -> Computed:
    """Return the input; everything is computed in the type of the weights.

    A cast to integers changes nothing if the values are whole numbers already.
    """
    to = call.attribute("to", 1, (int, str))
    call.ignore("saturate", "round_mode")
    before = call.builder.source(call.value())
    whole = before is not None and isinstance(before[0], ArgMax | Heaviside)
    if not whole and to not in (1, 10, 11, 16, "FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16"):
        raise UnsupportedError(f"casts to types other than real ones (attribute to={to})")
    return call.value()


@converts("Dropout")
def dropout(call: Call) -> Computed:
    """Convert to a `Dropout`, which is the identity in inference."""
    call.ignore("is_test", "seed")
    if call.has(2) and call.numbers(2, "training_mode").any():
        raise UnsupportedError("training_mode is true: the file was exported for training")
    ratio = float(np.reshape(call.constant_or(1, "ratio", call.number("ratio", 0.5)), ()))
    return call.add(Dropout(round(ratio, 6)))


@converts("LeakyRelu")
def leaky_relu(call: Call) -> Computed:
    """Convert ``max(x, 0) + alpha · min(x, 0)``."""
    return call.add(LeakyReLU(_short(call.number("alpha", 0.01))))


@converts("ThresholdedRelu")
def thresholded_relu(call: Call) -> Computed:
    """Convert ``x if x > alpha else 0``."""
    return call.add(ThresholdedReLU(_short(call.number("alpha", 1.0))))


@converts("Elu")
def elu(call: Call) -> Computed:
    """Convert ``max(x, 0) + alpha · (exp(min(x, 0)) − 1)``."""
    return call.add(ELU(_short(call.number("alpha", 1.0))))


@converts("Celu")
def celu(call: Call) -> Computed:
    """Convert ``alpha · elu(x / alpha)``."""
    alpha = _short(call.number("alpha", 1.0))
    if alpha == 1:
        return call.add(ELU())
    inner = call.add(ELU(), call.add(Affine(1 / alpha)))
    return call.add(Affine(alpha), inner)


@converts("Selu")
def selu(call: Call) -> Computed:
    """Convert ``gamma · elu(x)``; nearly all files have the constants of the paper."""
    gamma, alpha = call.number("gamma", _SELU[0]), call.number("alpha", _SELU[1])
    if math.isclose(gamma, _SELU[0], rel_tol=1e-5) and math.isclose(alpha, _SELU[1], rel_tol=1e-5):
        return call.add(SELU())
    return call.add(Affine(_short(gamma)), call.add(ELU(_short(alpha))))


@converts("Gelu")
def gelu(call: Call) -> Computed:
    """Convert ``x · Φ(x)``."""
    approximate = call.word("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise UnsupportedError(f"the attribute approximate is {approximate[:40]}")
    return call.add(GELU("tanh" if approximate == "tanh" else "none"))


@converts("Swish")
def swish(call: Call) -> Computed:
    """Convert ``x · σ(alpha · x)``."""
    alpha = _short(call.number("alpha", 1.0))
    if alpha == 1:
        return call.add(SiLU())
    gate = call.add(Sigmoid(), call.add(Affine(alpha)))
    return call.add(Multiply(), call.value(), gate)


@converts("Mish")
def mish(call: Call) -> Computed:
    """Convert ``x · tanh(softplus(x))``."""
    return call.add(Multiply(), call.value(), call.add(Tanh(), call.add(Softplus())))


@converts("HardSigmoid")
def hard_sigmoid(call: Call) -> Computed:
    """Convert ``min(max(alpha · x + beta, 0), 1)``."""
    alpha, beta = call.number("alpha", 0.2), call.number("beta", 0.5)
    usual = math.isclose(alpha, 1 / 6, rel_tol=1e-6)  # the file stores it as float32
    return call.add(HardSigmoid(1 / 6 if usual else _short(alpha), _short(beta)))


@converts("Clip")
def clip(call: Call) -> Computed:
    """Convert limits, attributes before opset 11 and inputs since; 0 and 6 make a `ReLU6`."""
    low = float(np.reshape(call.constant_or(1, "min", call.number("min", -math.inf)), ()))
    high = float(np.reshape(call.constant_or(2, "max", call.number("max", math.inf)), ()))
    largest = float(np.finfo(np.float32).max)
    low, high = (math.copysign(math.inf, v) if abs(v) >= largest else v for v in (low, high))
    named: dict[tuple[float, float], type[Layer]] = {(0, math.inf): ReLU, (0, 6): ReLU6}
    if (low, high) in named:
        return call.add(named[low, high]())
    return call.add(Clip(_short(low), _short(high)))


@converts("PRelu")
def prelu(call: Call) -> Computed:
    """Convert to a `PReLU` for one slope or one per channel, else to a sum of simpler layers."""
    slope, axes = call.numbers(1, "slope"), len(call.value().sizes)
    channels = call.value().sizes[1] if axes > 1 else 0
    aligned = (
        slope.size == call.value().sizes[-1] and axes > 2
    )  # over the last axis, not the channels
    own_axis = slope.ndim < 2 and slope.size == channels and (call.opset < 7 or not aligned)
    per_channel = slope.ndim >= axes - 1 and slope.size == channels == slope.shape[1 - axes]
    if slope.size == 1 or own_axis or per_channel:
        return call.add(filled(PReLU(slope.size), weight=slope.reshape(-1)))
    while slope.ndim >= axes and slope.shape[0] == 1:
        slope = slope[0]
    positive = call.add(ReLU())
    negative = call.add(ReLU(), call.add(Affine(-1.0)))
    scaled = call.add(filled(Scale(slope.shape), weight=slope), negative)
    return call.add(Subtract(), positive, scaled)


@converts("Softmax", "LogSoftmax")
def softmax(call: Call) -> Computed:
    """Convert along one axis; before opset 13, over all axes from that one on, flattened."""
    x, new = call.value(), call.opset >= 13
    axes, kind = len(x.sizes), Softmax if call.op == "Softmax" else LogSoftmax
    axis = axis_of(call.integer("axis", -1 if new else 1), axes)
    if new or all(size == 1 for size in x.sizes[axis + 1 :]):
        return call.add(kind(axis))
    joined = reshaped(call, x, (*x.sizes[:axis], product(x.sizes[axis:])))
    return reshaped(call, call.add(kind(axis), joined), x.sizes)


def _short(number: float) -> float:
    """Return a float32 with as few digits as identify it: 0.1, not 0.10000000149011612."""
    return float(str(np.float32(number)))
