"""A layer that delegates to another one and changes one aspect of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid.layers import Layer, StepContext


class Wrapper(Layer, abstract=True):
    """Delegate everything to the inner `layer`; subclasses change one method."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.inputs = layer.inputs

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        return self.layer.forward(x, training)

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        return self.layer.backward(dy, cache, input_gradient=input_gradient)

    def output_shape(self, input_shape: Any) -> Any:
        return self.layer.output_shape(input_shape)

    def children(self) -> Mapping[str, Layer]:
        return self.layer.children()

    def __getattr__(self, name: str) -> Any:
        if name == "layer":  # not set yet while an instance is copied
            raise AttributeError(name)
        return getattr(self.layer, name)
