"""Convert Pellucid layers to PyTorch modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.torch import modules
from pellucid.interchange.torch.pairs import module_of
from pellucid.layers import Layer
from pellucid.layers.base import join
from pellucid.parameter import Buffer, Parameter

Inside = dict[str, torch.nn.Module]


def written(model: Layer) -> torch.nn.Module:
    """Return the module equivalent to `model`."""
    model.name_parameters()  # initial weights depend on the names
    writer = _Writer()
    module = writer.module("", model)
    if writer.unknown:
        raise PellucidError(
            f"these layers have no equivalent in PyTorch: {', '.join(writer.unknown)}"
        )
    return module.eval()


class _Writer:
    """Convert each layer and each value once, even if it is shared."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self._modules: dict[int, torch.nn.Module] = {}
        self._values: dict[int, torch.Tensor] = {}

    def module(self, path: str, layer: Layer) -> torch.nn.Module:
        """Return the module for the layer at `path`."""
        if id(layer) not in self._modules:
            inside = {
                name: self.module(join(path, name), child)
                for name, child in layer.children().items()
            }
            joined = type(layer) in _JOINED
            self._modules[id(layer)] = (
                _JOINED[type(layer)](layer, inside) if joined else self._leaf(path, layer)
            )
        return self._modules[id(layer)]

    def _leaf(self, path: str, layer: Layer) -> torch.nn.Module:
        module = module_of(layer)
        if module is None and type(layer) in modules.FUNCTIONS:
            module = modules.Function(layer)
        if module is None:
            self.unknown.append(f"{path or 'the model'} ({type(layer).__name__})")
            return torch.nn.Identity()
        for name, item in layer.named_state():
            setattr(module, name, self._value(item))
        return module

    def _value(self, item: Parameter | Buffer) -> torch.Tensor:
        if id(item) not in self._values:
            value = torch.from_numpy(np.array(item.value, order="C"))
            parameter = isinstance(item, Parameter)
            self._values[id(item)] = torch.nn.Parameter(value) if parameter else value
        return self._values[id(item)]


def _sequential(layer: nn.Sequential, inside: Inside) -> torch.nn.Module:
    if "" in inside:
        return modules.Chain(inside)
    sequential = torch.nn.Sequential()
    modules.register(sequential, inside)
    return sequential


def _graph(layer: nn.Graph, inside: Inside) -> torch.nn.Module:
    nodes = {name: (inside[name], read) for name, (_, read) in layer.nodes.items()}
    return modules.LayerGraph(nodes, layer.graph_inputs, layer.outputs, layer.single_output)


_JOINED: Mapping[type[Layer], Callable[[Any, Inside], torch.nn.Module]] = {
    nn.Sequential: _sequential,
    nn.Residual: lambda layer, inside: modules.Residual(inside),
    nn.Concat: lambda layer, inside: modules.Concat(inside),
    nn.Graph: _graph,
}
