"""What passes through a network that is being read: values, sizes, and the uses of layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from pellucid.errors import PellucidError
from pellucid.layers import Layer
from pellucid.parameter import Buffer, Parameter
from pellucid.types import Shape


class Batch:
    """The number of images, which is not known; nothing is computed with it."""

    def __repr__(self) -> str:
        return "the number of images"


BATCH = Batch()


@dataclass(eq=False)
class Wire:
    """A value: the name of the node that gives it, and its shape, if known, for one image."""

    name: str
    shape: Shape | None

    @property
    def sizes(self) -> Shape:
        """The shape, where it has to be known."""
        if self.shape is None:
            raise PellucidError("it depends on the input's size; give from_torch an input_shape")
        return self.shape

    def axis(self, dim: int) -> int:
        """Return the axis, counted from the front."""
        return dim if dim >= 0 else dim + len(self.sizes)


class Use:
    """A layer and what it is given: values, or uses of other layers."""

    def __init__(self, layer: Layer, *inputs: Wire | Use) -> None:
        self.layer, self.inputs = layer, inputs


@dataclass(frozen=True)
class Sizes:
    """A value's shape as the module sees it: the number of images, then numbers."""

    wire: Wire

    def __getitem__(self, index: Any) -> Any:
        if index == 0:
            return BATCH
        return (BATCH, *self.wire.sizes[1:])[index]


def take(layer: Layer, values: dict[str, torch.Tensor | None]) -> Layer:
    """Give the layer's parameters and buffers the values of PyTorch's, and their type."""
    for name, item in layer.named_state():
        tensor = values[name]
        assert tensor is not None
        _check_type(item, tensor)
        array = tensor.detach().cpu().numpy()
        item.astype(array.dtype)
        item.value = array
    return layer


def _check_type(item: Parameter | Buffer, tensor: torch.Tensor) -> None:
    known = (torch.float32, torch.float64)
    if tensor.is_floating_point() and tensor.dtype not in known:
        raise PellucidError(
            f"{item.name} is of type {tensor.dtype}, and here it is float32 or float64; "
            "call module.float() first"
        )
