"""The values of a network while it is converted: tensors, sizes, and uses of layers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch

from pellucid.errors import PellucidError
from pellucid.layers import Layer
from pellucid.layers.base import join
from pellucid.parameter import Buffer, Parameter
from pellucid.types import Shape


class Batch:
    """The batch size, which is unknown while a module is traced."""

    def __repr__(self) -> str:
        return "the number of images"


BATCH = Batch()


@dataclass(eq=False)
class Wire:
    """A value: the name of the node that computes it, and its shape for one image, if known."""

    name: str
    shape: Shape | None

    @property
    def sizes(self) -> Shape:
        """The shape; an error if it is unknown."""
        if self.shape is None:
            raise PellucidError("it depends on the input's size; give from_torch an input_shape")
        return self.shape

    def axis(self, dim: int) -> int:
        """Return the axis, counted from the front."""
        return dim if dim >= 0 else dim + len(self.sizes)


class Use:
    """A layer and its inputs: values, or uses of other layers."""

    def __init__(self, layer: Layer, *inputs: Wire | Use) -> None:
        self.layer, self.inputs = layer, inputs


@dataclass(frozen=True)
class Sizes:
    """A value's shape as the module sees it: the batch size, then numbers."""

    wire: Wire

    def __getitem__(self, index: Any) -> Any:
        if index == 0:
            return BATCH
        return (BATCH, *self.wire.sizes[1:])[index]


_SOURCES: WeakKeyDictionary[Layer, dict[str, int]] = WeakKeyDictionary()
"""The addresses of the tensors that a layer's values were copied from, by name."""


def take(layer: Layer, values: dict[str, torch.Tensor | None]) -> Layer:
    """Set the layer's parameters and buffers, and their type, from PyTorch's tensors."""
    _SOURCES[layer] = {}
    for name, item in layer.named_state():
        tensor = values[name]
        assert tensor is not None
        _check_type(item, tensor)
        array = tensor.detach().cpu().numpy()
        item.astype(array.dtype)
        item.value = array
        _SOURCES[layer][name] = tensor.data_ptr()
    return layer


def tied(layer: Layer, module: torch.nn.Module) -> list[list[str]]:
    """Return the names of the layer's parameters that were copied from one of the module's."""
    own = {parameter.data_ptr() for parameter in module.parameters()}  # not what it computes
    parameters = layer.named_parameters()
    names = defaultdict(list)
    for path, part in layer.walk():
        for name, address in _SOURCES.get(part, {}).items():
            if join(path, name) in parameters and address in own:
                names[address].append(f"'{join(path, name)}'")
    return [several for several in names.values() if len(several) > 1]


def _check_type(item: Parameter | Buffer, tensor: torch.Tensor) -> None:
    known = (torch.float32, torch.float64)
    if tensor.is_floating_point() and tensor.dtype not in known:
        raise PellucidError(
            f"{item.name} has type {tensor.dtype}, but Pellucid supports float32 and float64; "
            "call module.float() first"
        )
