"""Run the network in PyTorch."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

import numpy as np

from pellucid.interchange.compare.inspection import Inspection, Names, compared
from pellucid.interchange.torch import to_torch
from pellucid.layers import Layer
from pellucid.types import Array, Shape

Batch = tuple[Any, Any]


class Contestant:
    """A PyTorch module in eager mode, with PyTorch's default layout (channels first)."""

    def __init__(
        self, model: Layer, input_shape: Shape, threads: int, rate: float, momentum: float
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        self.torch = torch
        self.version = f"PyTorch {torch.__version__.split('+')[0]}"
        self.model, self.module = model, to_torch(model)
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr=rate, momentum=momentum)

    def inspect(self, x: Array, targets: Array) -> Inspection:
        names, activations = Names(self.model), dict[str, Array]()
        modules = dict(self.module.named_modules())
        hooks = [
            modules[path].register_forward_hook(_noting(layer, names, activations))
            for path, layer in self.model.walk()
            if compared(layer) and path in modules
        ]
        torch, (x_, targets_) = self.torch, self.batch(x, targets)
        before = {name: value.clone() for name, value in self.module.state_dict().items()}
        self.module.train()
        self.module.zero_grad()
        loss = torch.nn.functional.cross_entropy(self.module(x_), targets_)
        loss.backward()
        for hook in hooks:
            hook.remove()
        gradients = {
            name: _array(value.grad)
            for name, value in self.module.named_parameters()
            if value.grad is not None
        }
        self.module.load_state_dict(before)
        self.module.eval()
        with torch.no_grad():
            scores = _array(self.module(x_))
        return Inspection(scores, loss.item(), activations, gradients)

    def batch(self, x: Array, targets: Array) -> Batch:
        return self.torch.from_numpy(np.array(x, order="C")), self.torch.from_numpy(targets)

    def step(self, batch: Batch) -> float:
        x, targets = batch
        self.module.train()
        self.optimizer.zero_grad()
        loss = self.torch.nn.functional.cross_entropy(self.module(x), targets)
        loss.backward()
        self.optimizer.step()
        return float(loss.item())

    def calls(self) -> dict[str, str]:
        found = {}
        for path, module in self.module.named_modules():
            kind = type(module).__name__
            if type(module).__module__.startswith("torch.nn"):
                found[path] = f"torch.nn.{kind}({module.extra_repr()})"
            elif not list(module.children()):
                found[path] = f"{kind}: {module.extra_repr()}"
        found |= {
            path: "body(x) + shortcut(x)" if type(layer).__name__ == "Residual" else "torch.cat(…)"
            for path, layer in self.model.walk()
            if layer.children() and compared(layer)
        }
        return found

    def sources(self) -> dict[str, str]:
        own = {
            path: _source(module)
            for path, module in self.module.named_modules()
            if path and type(module).__module__.startswith("torch.nn")
        }
        return {"": textwrap.dedent(inspect.getsource(type(self).step)).strip()} | own


def _source(module: Any) -> str:
    """Return the Python code of a module's forward pass; the rest of it is C++."""
    kind = type(module)
    parts = [kind.forward, *([kind._conv_forward] if hasattr(kind, "_conv_forward") else [])]
    return "\n\n".join(textwrap.dedent(inspect.getsource(part)).strip() for part in parts)


def _noting(layer: Layer, names: Names, activations: dict[str, Array]) -> Any:
    def note(module: Any, given: Any, y: Any) -> None:
        if (name := names.next(layer)) is not None:
            activations[name] = _array(y)

    return note


def _array(tensor: Any) -> Array:
    """Return a copy, because PyTorch reuses the tensor's memory."""
    return np.array(tensor.detach().numpy())
