"""Describe a network for the page: which layer reads which values, and how each number is computed.

The page itself shows the computation of a single number from the arrays it has received. For that
it needs the *rule* of a layer: a name and a few numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid import engine
from pellucid import layers as nn
from pellucid.explain import Tracer
from pellucid.geometry import Window, pair, resolve_padding
from pellucid.layers import Layer
from pellucid.types import Array, Shape

Rule = dict[str, Any]

_CURVE = np.linspace(-6, 6, 121, dtype=np.float32)


def describe(tracer: Tracer, image_shape: Shape) -> dict[str, Any]:
    """Return the network's values in order, beginning with its input, as plain data."""
    shapes = tracer.shapes(image_shape)
    paths = {id(item): path for path, item in tracer.model.named_state()}
    layers = dict(tracer.model.walk())
    values: list[dict[str, Any]] = [
        {"name": "input", "kind": "Input", "reads": [], "shape": shapes[0], "rule": {"is": "input"}}
    ]
    for node, shape in zip(tracer.nodes, shapes[1:], strict=True):
        layer = layers.get(node.name.partition("#")[0], node.layer)
        given = tuple(shapes[i] for i in node.reads)
        values.append(
            {
                "name": node.name,
                "kind": type(node.layer).__name__,
                "options": repr(node.layer),
                "reads": list(node.reads),
                "shape": shape,
                "rule": rule(node.layer, given),
                "parameters": {
                    name: paths[id(item)] for name, item in vars(layer).items() if id(item) in paths
                },
            }
        )
    return {"values": values}


def rule(layer: Layer, given: tuple[Shape, ...]) -> Rule:
    """Return the rule by which `layer` computes an output from its inputs, for one image.

    Without a known rule, it is "influence": the page then asks for the layer's derivatives.
    """
    for kind, make in _RULES.items():
        if type(layer) is kind:
            return make(layer, given)
    return {"is": "influence"}


def _convolution(layer: nn.Conv2d, given: tuple[Shape, ...]) -> Rule:
    _, H, W = given[0]
    kernel, stride = pair(layer.kernel_size, "kernel_size"), pair(layer.stride, "stride")
    dilation = pair(layer.dilation, "dilation")
    (top, _), (left, _) = resolve_padding(layer.padding, (H, W), kernel, stride, dilation)
    return {
        "is": "convolution",
        "kernel": kernel,
        "stride": stride,
        "dilation": dilation,
        "padding": (top, left),
        "mode": layer.padding_mode,
        "groups": layer.groups,
        "flip": layer.flip_kernel,
    }


def _transposed(layer: nn.ConvTranspose2d, given: tuple[Shape, ...]) -> Rule:
    _, H, W = given[0]
    kernel, stride = pair(layer.kernel_size, "kernel_size"), pair(layer.stride, "stride")
    dilation = pair(layer.dilation, "dilation")
    (top, _), (left, _) = resolve_padding(layer.padding, (H, W), kernel, stride, dilation)
    return {
        "is": "transposed convolution",
        "kernel": kernel,
        "stride": stride,
        "dilation": dilation,
        "padding": (top, left),
        "groups": layer.groups,
    }


def _window(layer: Any, given: tuple[Shape, ...]) -> Rule:
    window: Window = layer.window((1, *given[0]))
    return {
        "kernel": window.kernel,
        "stride": window.stride,
        "dilation": window.dilation,
        "padding": tuple(before for before, _ in window.padding),
    }


def _average(layer: nn.AvgPool2d, given: tuple[Shape, ...]) -> Rule:
    window: Window = layer.window((1, *given[0]))
    counted = window.size if not layer.count_include_pad else None
    ends = [size + after for size, (_, after) in zip(window.size, window.padding, strict=True)]
    return {"is": "average", "counted": counted, "ends": ends, **_window(layer, given)}


def _cells(layer: Layer, given: tuple[Shape, ...]) -> Rule:
    """Return the rule of adaptive pooling: output o of O covers inputs ⌊o·I/O⌋ to ⌈(o + 1)·I/O⌉."""
    _, *out = layer.output_shape((1, *given[0]))[1:]
    out = list(out) or [1, 1]
    return {
        "is": "cells",
        "outputs": out,
        "takes": "max" if "Max" in type(layer).__name__ else "mean",
    }


def _channel_norm(layer: Any, given: tuple[Shape, ...]) -> Rule:
    if layer.running_mean is None:
        return {"is": "influence"}
    return {"is": "normalisation", "eps": layer.eps}


def _curve(layer: Layer, given: tuple[Shape, ...]) -> Rule:
    x = _CURVE.reshape(1, 1, 1, -1)
    with engine.using("reference"):
        y, cache = layer.forward(x)
        slope = layer.backward(np.ones_like(y), cache)
    return {"is": "curve", "x": _rounded(x), "y": _rounded(y), "slope": _rounded(slope)}


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 6) for value in values.ravel()]


def _named(name: str, **more: Any) -> Callable[[Any, tuple[Shape, ...]], Rule]:
    return lambda layer, given: {"is": name, **more}


def _concatenation(layer: nn.Cat, given: tuple[Shape, ...]) -> Rule:
    axis = layer.axis if layer.axis < 0 else layer.axis - 1
    return {"is": "concatenation", "axis": axis % len(given[0])}


_CURVES: tuple[type[Layer], ...] = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.ELU, nn.SELU, nn.GELU, nn.SiLU),
    *(nn.Softplus, nn.Hardswish, nn.HardSigmoid, nn.Softsign, nn.Abs, nn.Exp, nn.Erf, nn.Clip),
    *(nn.ThresholdedReLU, nn.Affine),
)
_RULES: dict[type[Layer], Callable[[Any, tuple[Shape, ...]], Rule]] = {
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _transposed,
    nn.MaxPool2d: lambda layer, given: {"is": "maximum", **_window(layer, given)},
    nn.AvgPool2d: _average,
    nn.AdaptiveAvgPool2d: _cells,
    nn.AdaptiveMaxPool2d: _cells,
    nn.GlobalAvgPool2d: _cells,
    nn.BatchNorm1d: _channel_norm,
    nn.BatchNorm2d: _channel_norm,
    nn.Linear: _named("linear"),
    nn.Softmax: lambda layer, given: {"is": "softmax" if len(given[0]) == 1 else "influence"},
    nn.Add: _named("sum"),
    nn.Cat: _concatenation,
    nn.Flatten: _named("same numbers"),
    nn.Identity: _named("same numbers"),
    nn.Dropout: _named("same numbers"),
    nn.Dropout2d: _named("same numbers"),
    **dict.fromkeys(_CURVES, _curve),
}
"""The rule of each type of layer; for other types the page asks for derivatives."""
