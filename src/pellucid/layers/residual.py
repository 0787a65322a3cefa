"""A residual block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.layers.combinator import Build, Combinator, Describe
from pellucid.layers.merge import Add
from pellucid.layers.observers import run_backward, run_forward
from pellucid.layers.wiring import Wire, Wiring


class Residual(Combinator):
    """``y = activation(body(x) + shortcut(x))``; without a shortcut, x itself is added.

    The sum passes its gradient to both sides unchanged, and at the input the two gradients add:
    ``dx = body′(ds) + shortcut′(ds)`` with ``ds = activation′(dy)``.

    The body's children keep their names, and the shortcut is named "downsample", so that paths are
    the same as in torchvision.
    Source: He et al., "Deep residual learning for image recognition", 2015, eq. 1 and 2.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> body = nn.Sequential(conv1=nn.Conv2d(4, 4, 3, padding=1))
    >>> block = nn.Residual(body, activation=nn.ReLU())
    >>> block.output_shape((1, 4, 8, 8))
    (1, 4, 8, 8)
    """

    entries = ("body", "shortcut", "activation")

    def __init__(
        self, body: Layer, shortcut: Layer | None = None, activation: Layer | None = None
    ) -> None:
        self.body, self.shortcut, self.activation = body, shortcut, activation
        self._paths()

    def children(self) -> dict[str, Layer]:
        parts = {"": self.body, "downsample": self.shortcut, "activation": self.activation}
        return {name: layer for name, layer in parts.items() if layer is not None}

    def forward(
        self, x: Any, training: StepContext | None = None
    ) -> tuple[Any, tuple[Any, Any, Any]]:
        self.name_parameters()
        y, body_cache = run_forward(self.body, x, training)
        around, shortcut_cache, activation_cache = x, None, None
        if self.shortcut is not None:
            around, shortcut_cache = run_forward(self.shortcut, x, training)
        if y.shape != around.shape:
            raise ShapeError(_mismatch(y.shape, around.shape))
        y = y + around
        if self.activation is not None:
            y, activation_cache = run_forward(self.activation, y, training)
        return y, (body_cache, shortcut_cache, activation_cache)

    def backward(self, dy: Any, cache: tuple[Any, Any, Any], *, input_gradient: bool = True) -> Any:
        body_cache, shortcut_cache, activation_cache = cache
        if self.activation is not None:
            dy = run_backward(self.activation, dy, activation_cache)
        dx = run_backward(self.body, dy, body_cache, input_gradient)
        around = dy
        if self.shortcut is not None:
            around = run_backward(self.shortcut, dy, shortcut_cache, input_gradient)
        return dx + around if input_gradient else dx

    def output_shape(self, input_shape: Any) -> Any:
        shape, around = self.child_shape("", self.body, input_shape), input_shape
        if self.shortcut is not None:
            around = self.child_shape("downsample", self.shortcut, input_shape)
        if shape != around:
            raise ShapeError(_mismatch(shape, around))
        return shape if self.activation is None else self.activation.output_shape(shape)

    def child_inputs(self, input_shape: Any) -> Iterator[tuple[str, Layer, Any]]:
        yield "", self.body, input_shape
        if self.shortcut is not None:
            yield "downsample", self.shortcut, input_shape
        if self.activation is not None:
            yield "activation", self.activation, self.body.output_shape(input_shape)

    def wiring(self) -> Wiring:
        wires = [Wire("", self.body, (0,))]
        if self.shortcut is not None:
            wires.append(Wire("downsample", self.shortcut, (0,)))
        around = len(wires) if self.shortcut is not None else 0
        wires.append(Wire("add", Add(), (1, around)))
        if self.activation is not None:
            wires.append(Wire("activation", self.activation, (len(wires),)))
        return Wiring(1, tuple(wires), (len(wires),))

    def parts(self, describe: Describe) -> dict[str, Any]:
        parts = zip(self.entries, (self.body, self.shortcut, self.activation), strict=True)
        return {name: describe(name, layer) for name, layer in parts if layer is not None}

    @classmethod
    def from_parts(cls, parts: dict[str, Any], build: Build, input_shape: Any) -> Self:
        body = build("body", parts["body"], input_shape)
        shape = input_shape and body.output_shape(input_shape)
        shortcut, activation = parts.get("shortcut"), parts.get("activation")
        return cls(
            body,
            None if shortcut is None else build("shortcut", shortcut, input_shape),
            None if activation is None else build("activation", activation, shape),
        )


def _mismatch(body: Any, shortcut: Any) -> str:
    return (
        f"Residual cannot add a body's output of shape {body} to a shortcut of shape {shortcut}; "
        "give it a shortcut with the body's output shape, such as a 1×1 convolution"
    )
