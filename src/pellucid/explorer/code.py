"""The code of a layer: the lines that compute it, and the equivalent calls in other frameworks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid import layers as nn
from pellucid.explain import Tracer
from pellucid.interchange.compare.source import Lines, explained
from pellucid.layers import Layer
from pellucid.types import Shape


def of(tracer: Tracer, value: int, image_shape: Shape) -> dict[str, Any]:
    """Return a layer's forward and backward code, and the calls in other frameworks.

    Parameters
    ----------
    tracer
        The traced network.
    value
        Number of the layer's output among the network's values, from 1.
    image_shape
        Shape (C, H, W) of an image.
    """
    node = tracer.nodes[value - 1]
    shapes = tracer.shapes(image_shape)
    given: Any = tuple(np.ones((1, *shapes[i])) for i in node.reads)
    found = explained(copy.deepcopy(node.layer), given[0] if node.layer.inputs == 1 else given)
    return {
        "forward": [_described(lines) for entry in found for lines in entry.forward],
        "backward": [_described(lines) for entry in found for lines in entry.backward],
        "pellucid": f"nn.{node.layer!r}",
        "pytorch": _in_pytorch(node.layer),
        "keras": _in_keras(node.layer),
    }


def _described(lines: Lines) -> dict[str, str]:
    return {"function": lines.function, "where": lines.where, "text": lines.text}


def _in_pytorch(layer: Layer) -> str:
    """Return the call in PyTorch, which uses the same names and arguments, if it has the layer."""
    if isinstance(layer, nn.Add):
        return "x + y"
    if isinstance(layer, nn.Cat):
        return f"torch.cat((x, y, …), dim={layer.axis})"
    if isinstance(layer, nn.GlobalAvgPool2d):
        return "x.mean((2, 3))"
    if type(layer) not in _SAME_IN_PYTORCH:
        return ""
    described = {k: v for k, v in layer.describe().items() if k not in ("type", *_PELLUCID_ONLY)}
    return f"torch.nn.{type(layer).__name__}({_arguments(described)})"


_PELLUCID_ONLY = ("algorithm", "initializer", "flip_kernel")
_SAME_IN_PYTORCH = (
    *(nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.InstanceNorm2d),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.ELU, nn.SELU, nn.GELU, nn.SiLU),
    *(nn.PReLU, nn.Softplus, nn.Hardswish, nn.Softsign, nn.Softmax, nn.LogSoftmax, nn.Flatten),
    *(nn.Dropout, nn.Dropout2d, nn.Identity, nn.LayerNorm, nn.LocalResponseNorm, nn.Upsample),
)


def _in_keras(layer: Layer) -> str:
    for kind, write in _KERAS.items():
        if type(layer) is kind:
            return "keras.layers." + write(layer)
    return ""


def _arguments(described: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in described.items())


def _conv2d(layer: nn.Conv2d) -> str:
    said: dict[str, Any] = {"strides": layer.stride, "dilation_rate": layer.dilation}
    said = {name: value for name, value in said.items() if value != 1}
    if layer.padding:
        said["padding"] = "same"
    if layer.groups != 1:
        said["groups"] = layer.groups
    more = f", {_arguments(said)}" if said else ""
    return f"Conv2D({layer.out_channels}, {layer.kernel_size}{more})"


def _pool(name: str) -> Callable[[Any], str]:
    def write(layer: Any) -> str:
        strides = "" if layer.stride in (None, layer.kernel_size) else f", strides={layer.stride}"
        return f"{name}({layer.kernel_size}{strides})"

    return write


_KERAS: dict[type[Layer], Callable[[Any], str]] = {
    nn.Conv2d: _conv2d,
    nn.Linear: lambda layer: f"Dense({layer.out_features})",
    nn.BatchNorm2d: lambda layer: f"BatchNormalization(axis=1, epsilon={layer.eps})",
    nn.MaxPool2d: _pool("MaxPooling2D"),
    nn.AvgPool2d: _pool("AveragePooling2D"),
    nn.GlobalAvgPool2d: lambda layer: "GlobalAveragePooling2D()",
    nn.ReLU: lambda layer: "ReLU()",
    nn.Sigmoid: lambda layer: 'Activation("sigmoid")',
    nn.Tanh: lambda layer: 'Activation("tanh")',
    nn.GELU: lambda layer: 'Activation("gelu")',
    nn.SiLU: lambda layer: 'Activation("silu")',
    nn.Flatten: lambda layer: "Flatten()",
    nn.Dropout: lambda layer: f"Dropout({layer.p})",
    nn.Softmax: lambda layer: "Softmax()",
    nn.Add: lambda layer: "Add()",
    nn.Cat: lambda layer: f"Concatenate(axis={layer.axis})",
}


def python(model: Layer) -> str:
    """Return Python code that builds the network, without its weights.

    >>> print(python(nn.Sequential(nn.Flatten(), fc=nn.Linear(4, 2))))
    from pellucid import layers as nn
    <BLANKLINE>
    model = nn.Sequential({
        "0": nn.Flatten(),
        "fc": nn.Linear(in_features=4, out_features=2),
    })
    """
    return f"from pellucid import layers as nn\n\nmodel = {_built(model, '')}"


def _built(layer: Layer, indent: str) -> str:
    inner = indent + "    "
    if isinstance(layer, nn.Sequential):
        parts = (f'{inner}"{k}": {_built(v, inner)},\n' for k, v in layer.children().items())
        return f"nn.Sequential({{\n{''.join(parts)}{indent}}})"
    if isinstance(layer, nn.Residual):
        named = {"body": layer.body, "shortcut": layer.shortcut, "activation": layer.activation}
        given = (f"{inner}{k}={_built(v, inner)},\n" for k, v in named.items() if v is not None)
        return f"nn.Residual(\n{''.join(given)}{indent})"
    if isinstance(layer, nn.Concat):
        parts = (f'{inner}"{k}": {_built(v, inner)},\n' for k, v in layer.children().items())
        return f"nn.Concat({{\n{''.join(parts)}{indent}}})"
    if layer.children():
        return f"nn.build({layer.describe()!r})"
    return f"nn.{layer!r}"
