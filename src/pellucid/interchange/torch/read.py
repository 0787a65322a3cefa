"""Convert PyTorch modules to Pellucid layers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.torch import modules
from pellucid.interchange.torch.pairs import layer_of
from pellucid.interchange.torch.trace import Reading, traced
from pellucid.interchange.torch.values import take, tied
from pellucid.layers import Layer
from pellucid.layers.base import join
from pellucid.types import Shape


def read(module: torch.nn.Module, input_shape: Shape | None) -> Layer:
    """Return the layer equivalent to `module`, or raise an error that lists every problem."""
    module = _unwrapped(module)
    _check(module)
    reader = _Reader()
    layer = reader.layer("", module, None if input_shape is None else (1, *input_shape))
    if layer is None or reader.problems:
        raise PellucidError("the module cannot be read: " + "; ".join(reader.problems))
    layer.input_shape = input_shape
    for names in tied(layer, module):
        warnings.warn(
            f"the module uses one parameter as {' and '.join(names)}, which are separate "
            "parameters of the Pellucid model, so training makes them differ; to share weights, "
            "use the same module twice",
            stacklevel=3,
        )
    return layer


def _unwrapped(module: Any) -> Any:
    """Return the module inside the wrappers of ``torch.compile`` and data parallelism."""
    while True:
        if isinstance(module, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
            module = module.module
        elif "_orig_mod" in getattr(module, "_modules", {}):
            module = module._orig_mod
        else:
            return module


def _check(module: Any) -> None:
    """Refuse what is not a module, and modules that cannot be inspected."""
    if not isinstance(module, torch.nn.Module):
        raise PellucidError(f"from_torch reads a torch.nn.Module, not {type(module).__name__}")
    for path, part in module.named_modules():
        where = f"the module '{path}'" if path else "the module"
        if isinstance(part, torch.jit.ScriptModule):
            raise PellucidError(
                f"{where} is a TorchScript module, which has no Python code to read; pass the "
                "module from which it was made, with the same state_dict"
            )
        if path and _unwrapped(part) is not part:
            raise PellucidError(
                f"{where} is compiled or data parallel inside another module; pass the original "
                "module, or wrap only the outermost one"
            )
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        if isinstance(value, torch.nn.parameter.UninitializedTensorMixin):
            raise PellucidError(f"'{name}' has no shape yet; run the module once on an input")
        if value.is_meta:
            raise PellucidError(
                f"'{name}' is on the device 'meta', which holds no values; load the module's "
                'values first, as in module.to_empty(device="cpu") and load_state_dict'
            )


class _Reader(Reading):
    """Convert each module once, even if it is shared, and collect the problems."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.changing: set[torch.nn.Module] = set()
        self._layers: dict[int, Layer] = {}

    def layer(
        self, path: str, module: torch.nn.Module, shape: Any, inputs: int = 1
    ) -> Layer | None:
        """Return the layer for the module at `path`, or None if it cannot be converted.

        `shape` is the shape of its input for one image, a tuple of shapes, or None if unknown.
        """
        if id(module) in self._layers:
            return self._layers[id(module)]
        try:
            layer = self._new(path, module, shape, inputs)
        except (PellucidError, TypeError) as error:
            self.say(path, module, str(error))
            return None
        if layer is not None:
            self._layers[id(module)] = layer
        return layer

    def say(self, path: str, module: torch.nn.Module, problem: str) -> None:
        """Record a problem and the module in which it occurs."""
        where = f"{path} ({type(module).__name__})" if path else type(module).__name__
        self.problems.append(f"{where}: {problem}")

    def _new(self, path: str, module: torch.nn.Module, shape: Any, inputs: int) -> Layer | None:
        if module._forward_hooks or module._forward_pre_hooks:
            raise PellucidError("it has hooks, which may change what it computes")
        if isinstance(module, torch.nn.Softmax | torch.nn.LogSoftmax) and module.dim is None:
            return _softmax_without_dim(module, shape)
        leaf = module.layer if isinstance(module, modules.Function) else layer_of(module)
        if leaf is not None:
            layer = nn.build(leaf.describe())
            return take(layer, {name: getattr(module, name) for name, _ in layer.named_state()})
        if type(module) in _JOINED:
            return _JOINED[type(module)](self, path, module, shape)
        if type(module).forward is torch.nn.Sequential.forward:
            return self.sequential(path, module._modules, shape)
        if type(module).__module__.startswith("torch.nn."):
            return self._by_function(path, module, shape, inputs)
        return traced(self, path, module, shape, inputs)

    def _by_function(
        self, path: str, module: torch.nn.Module, shape: Any, inputs: int
    ) -> Layer | None:
        """Convert a layer of PyTorch that is in no pair by the function that it calls."""
        heard = len(self.problems)
        try:
            layer = traced(self, path, module, shape, inputs)
        except PellucidError:
            layer = None
        if layer is None or len(self.problems) > heard:
            del self.problems[heard:]
            raise PellucidError("Pellucid has no equivalent layer with these arguments")
        return layer

    def sequential(
        self, path: str, inside: Mapping[str, torch.nn.Module | None], shape: Any
    ) -> Layer | None:
        """Convert modules that run one after the other."""
        layers = {}
        for name, module in inside.items():
            layer = self.layer(join(path, name), module or torch.nn.Identity(), shape)
            shape = None if layer is None or shape is None else layer.output_shape(shape)
            layers[name] = layer
        return nn.Sequential({name: layer for name, layer in layers.items() if layer is not None})

    def inside(self, path: str, module: modules.Joined, shape: Any) -> dict[str, Layer]:
        """Convert the contents of one of Pellucid's own modules."""
        read = {
            name: self.layer(join(path, name), child, shape)
            for name, child in module.inside.items()
        }
        return {name: layer for name, layer in read.items() if layer is not None}


def _softmax_without_dim(module: torch.nn.Module, shape: Any) -> Layer:
    """Return the layer for PyTorch's default: axis 1 for 2 and 4 axes, axis 0 for 3 axes."""
    kind = nn.Softmax if isinstance(module, torch.nn.Softmax) else nn.LogSoftmax
    if shape is None or len(shape) not in (2, 4):
        raise PellucidError("its argument dim is not set; set it, for example to dim=1")
    return kind(1)


def _residual(reader: _Reader, path: str, module: modules.Residual, shape: Any) -> Layer | None:
    layers = reader.inside(path, module, shape)
    if "" not in layers:
        return None
    return nn.Residual(layers[""], layers.get("downsample"), layers.get("activation"))


def _graph(reader: _Reader, path: str, module: modules.LayerGraph, shape: Any) -> Layer | None:
    layers = reader.inside(path, module, None)
    if layers.keys() != module.inside.keys():
        return None
    nodes = {name: (layers[name], read) for name, read in module.reads.items()}
    outputs = module.outputs[0] if module.single_output else module.outputs
    return nn.Graph(nodes, outputs, module.inputs)


_JOINED: Mapping[type[torch.nn.Module], Callable[..., Layer | None]] = {
    modules.Chain: lambda reader, path, module, shape: reader.sequential(
        path, module.inside, shape
    ),
    modules.Residual: _residual,
    modules.Concat: lambda reader, path, module, shape: nn.Concat(
        reader.inside(path, module, shape)
    ),
    modules.LayerGraph: _graph,
}
