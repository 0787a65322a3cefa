"""Descriptions of networks, and the Python code that they represent.

Numbers that follow from the input, such as channels, are not part of a description, so that it
remains valid when layers are removed. As an argument, "C" denotes the channels of the input, and
"D" its last size.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pellucid import layers as nn

Shape = tuple[int, ...]

_FROM_INPUT = {
    "Conv2d": {"in_channels": "C"},
    "ConvTranspose2d": {"in_channels": "C"},
    "BatchNorm2d": {"num_features": "C"},
    "InstanceNorm2d": {"num_features": "C"},
    "GroupNorm": {"num_channels": "C"},
    "BatchNorm1d": {"num_features": "C"},
    "Linear": {"in_features": "D"},
}
"""The arguments of a layer that follow from its input."""


@dataclass(frozen=True)
class Node:
    """A layer with its arguments, or layers combined by `kind`."""

    kind: str
    args: tuple[tuple[str, Any], ...] = ()
    parts: tuple["Node", ...] = ()

    def arg(self, name: str) -> Any:
        return dict(self.args)[name]


def leaf(kind: str, **args: Any) -> Node:
    return Node(kind, tuple(args.items()))


def chain(*parts: Node) -> Node:
    return Node("Sequential", (), parts)


@lru_cache(maxsize=4096)
def code(node: Node, shape: Shape) -> str:
    """Return the Python code of the layer for inputs of this shape."""
    match node.kind:
        case "Sequential":
            written = []
            for part in node.parts:
                written.append(code(part, shape))
                shape = output_shape(part, shape)
            return f"nn.Sequential({', '.join(written)})"
        case "Residual":
            body = code(node.parts[0], shape)
            shortcut = code(node.parts[1], shape) if len(node.parts) > 1 else "None"
            return f"nn.Residual({body}, {shortcut}, {node.arg('activation')})"
        case "Concat":
            return f"nn.Concat({', '.join(code(part, shape) for part in node.parts)})"
        case "Twice":
            layer, between = (code(part, shape) for part in node.parts)
            return f"nn.Sequential(shared := {layer}, {between}, shared)"
        case "Merge":
            letters = "abc"[: len(node.parts)]
            nodes = [
                f"'{name}': ({code(part, shape)}, 'x')"
                for name, part in zip(letters, node.parts, strict=True)
            ]
            return f"nn.Graph({{{', '.join(nodes)}, 'y': (nn.{node.arg('op')}, {tuple(letters)})}})"
        case "Web":
            names = ["x", *(f"n{i}" for i in range(len(node.parts)))]
            nodes = [
                f"'{name}': ({code(part, shape)}, '{names[read]}')"
                for name, part, read in zip(names[1:], node.parts, node.arg("reads"), strict=True)
            ]
            ends = tuple(names[i] for i in node.arg("ends"))
            return f"nn.Graph({{{', '.join(nodes)}, 'y': (nn.{node.arg('op')}(), {ends})}})"
        case kind:
            given = _FROM_INPUT.get(kind, {}) | dict(node.args)
            filled = (f"{name}={_filled(value, shape)!r}" for name, value in given.items())
            return f"nn.{kind}({', '.join(filled)})"


def _filled(value: Any, shape: Shape) -> Any:
    if isinstance(value, tuple):
        return tuple(_filled(item, shape) for item in value)
    return shape[1] if value == "C" else shape[-1] if value == "D" else value


def make(node: Node, shape: Shape) -> nn.Layer:
    """Build the model; raise an error if its arguments do not fit."""
    model: nn.Layer = eval(code(node, shape), {"nn": nn})  # our own code
    return model


@lru_cache(maxsize=4096)
def output_shape(node: Node, shape: Shape) -> Shape:
    """Return the output's shape; raise the library's error if the arguments do not fit."""
    found: Shape = make(node, shape).output_shape(shape)
    return found


def size(node: Node) -> int:
    """Return the number of layers."""
    return sum(map(size, node.parts)) if node.parts else 1
