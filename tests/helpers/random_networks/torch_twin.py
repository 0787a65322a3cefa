"""Compute a model with PyTorch's functions, independently of the library.

Only arguments are read from the library's layers. Values are tensors by their names in the model,
so that layers that share a parameter share the tensor.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812  # as all of PyTorch's users call it

from pellucid import layers as nn
from random_networks.torch_layers import FUNCTIONS, both, sides


@dataclass(frozen=True)
class Noise:
    """Random relative changes of at most `size`, as large as the rounding that they stand for."""

    generator: torch.Generator
    size: float

    @classmethod
    def of(cls, dtype: torch.dtype, seed: int) -> "Noise":
        """Return noise in the last place of a type's numbers."""
        return cls(torch.Generator().manual_seed(seed), torch.finfo(dtype).eps)

    def __call__(self, y: torch.Tensor) -> torch.Tensor:
        change = 2 * torch.rand(y.shape, generator=self.generator, dtype=y.dtype) - 1
        return y * (1 + self.size * change)


class Twin:
    """A model of the library, computed by PyTorch with values of one type.

    Attributes
    ----------
    values
        The tensors by name; those of parameters require gradients.
    noise
        If given, it changes every layer's output and its gradient, which shows the effect of
        rounding on the results.
    seen
        Set it to {} to keep the outputs of each layer, by its id in the order of its uses, with
        their gradients.
    """

    def __init__(
        self,
        model: nn.Layer,
        values: dict[str, np.ndarray],
        dtype: torch.dtype,
        noise: Noise | None = None,
    ) -> None:
        self.model, self.dtype, self.noise = model, dtype, noise
        learned = model.named_parameters()
        self.values = {
            name: torch.tensor(value, dtype=dtype if value.dtype.kind == "f" else torch.int64)
            for name, value in values.items()
        }
        for name in learned:
            self.values[name].requires_grad_()
        self.seen: dict[int, list[torch.Tensor]] | None = None
        self._by_item = {id(item): self.values[name] for name, item in model.named_state()}

    def parameters(self) -> dict[str, torch.Tensor]:
        return {name: value for name, value in self.values.items() if value.requires_grad}

    def __call__(self, x: torch.Tensor, step: nn.StepContext | None = None) -> torch.Tensor:
        """Return the output; with `step`, that of training, with the step's draws for dropout."""
        return self._run(self.model, x, step)

    def _value(self, item: Any) -> torch.Tensor | None:
        return self._by_item.get(id(item))

    def _run(self, layer: nn.Layer, x: Any, step: nn.StepContext | None) -> torch.Tensor:
        y = self._output(layer, x, step)
        if self.noise is not None:
            y = self.noise(y)
            if y.requires_grad:
                y.register_hook(self.noise)
        if self.seen is not None:
            y = y.view_as(y)  # a tensor of its own also if the layer returned its input
            y.requires_grad_()  # also after a step, whose own gradient is 0
            y.retain_grad()
            self.seen.setdefault(id(layer), []).append(y)
        return y

    def _output(self, layer: nn.Layer, x: Any, step: nn.StepContext | None) -> torch.Tensor:
        match layer:
            case nn.Sequential():
                for child in layer.layers.values():
                    x = self._run(child, x, step)
                return x
            case nn.Residual():
                around = x if layer.shortcut is None else self._run(layer.shortcut, x, step)
                total = self._run(layer.body, x, step) + around
                return (
                    total if layer.activation is None else self._run(layer.activation, total, step)
                )
            case nn.Concat():
                parts = [self._run(branch, x, step) for branch in layer.branches.values()]
                return torch.cat(parts, dim=1)
            case nn.Graph():
                return self._graph(layer, x, step)
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                return self._batch_norm(layer, x, step is not None)
            case nn.InstanceNorm2d():
                return self._instance_norm(layer, x, step is not None)
            case nn.Dropout():
                return x * self._mask(layer, x, step)
            case nn.Conv2d():
                return self._conv(layer, x)
            case nn.ConvTranspose2d():
                return self._conv_transpose(layer, x)
            case _:
                weight = self._value(getattr(layer, "weight", None))
                bias = self._value(getattr(layer, "bias", None))
                return FUNCTIONS[type(layer)](layer, x, weight, bias)

    def _graph(self, graph: nn.Graph, x: Any, step: nn.StepContext | None) -> torch.Tensor:
        values = {"x": x}
        for name, (layer, read) in graph.nodes.items():
            given = [values[source] for source in ([read] if isinstance(read, str) else read)]
            values[name] = self._run(layer, given if len(given) > 1 else given[0], step)
        return values["y"]

    def _batch_norm(self, norm: Any, x: torch.Tensor, training: bool) -> torch.Tensor:
        mean, var = self._value(norm.running_mean), self._value(norm.running_var)
        momentum = norm.momentum
        if training and norm.num_batches_tracked is not None:
            count = self._value(norm.num_batches_tracked)
            assert count is not None
            count += 1
            momentum = 1 / count.item() if momentum is None else momentum
        weight, bias = self._value(norm.weight), self._value(norm.bias)
        by_batch = training or mean is None
        return F.batch_norm(x, mean, var, weight, bias, by_batch, momentum or 0.0, norm.eps)

    def _instance_norm(self, norm: Any, x: torch.Tensor, training: bool) -> torch.Tensor:
        mean, var = self._value(norm.running_mean), self._value(norm.running_var)
        weight, bias = self._value(norm.weight), self._value(norm.bias)
        own = training or mean is None
        return F.instance_norm(x, mean, var, weight, bias, own, norm.momentum or 0.0, norm.eps)

    def _mask(self, dropout: nn.Dropout, x: torch.Tensor, step: nn.StepContext | None) -> Any:
        """Return the factor of dropout for the step's draws."""
        if step is None or dropout.p == 0:
            return 1.0
        shape = (*x.shape[:2], 1, 1) if isinstance(dropout, nn.Dropout2d) else tuple(x.shape)
        draws = np.moveaxis(step.draw("dropout", (*shape[1:], shape[0])), -1, 0)
        kept = torch.tensor(np.ascontiguousarray(draws >= dropout.p))
        return kept.to(self.dtype) / (1 - dropout.p)

    def _conv(self, conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        stride, dilation = both(conv.stride), both(conv.dilation)
        around = sides(conv.padding, x.shape[2:], both(conv.kernel_size), stride, dilation)
        mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
        weight = self._value(conv.weight)
        assert weight is not None
        weight = weight.flip(2, 3) if conv.flip_kernel else weight
        x = F.pad(x, around, mode)
        return F.conv2d(x, weight, self._value(conv.bias), stride, 0, dilation, conv.groups)

    def _conv_transpose(self, conv: nn.ConvTranspose2d, x: torch.Tensor) -> torch.Tensor:
        stride, dilation = both(conv.stride), both(conv.dilation)
        around = sides(conv.padding, x.shape[2:], both(conv.kernel_size), stride, dilation)
        weight = self._value(conv.weight)
        assert weight is not None
        weight = weight.flip(2, 3) if conv.flip_kernel else weight
        bias, more = self._value(conv.bias), both(conv.output_padding)
        whole = F.conv_transpose2d(x, weight, bias, stride, 0, more, conv.groups, dilation)
        return F.pad(whole, [-side for side in around])
