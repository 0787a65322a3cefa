"""PyTorch."""

from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.frameworks.description import Description, join, parts, sides
from benchmarks.job import LEARNING_RATE, MOMENTUM, Array, Job


class Contestant:
    """Options `channels_last`, `compile` and `bf16`.

    The last is None, ``autocast`` or ``products``: then convolutions and matrix products alone
    round their float32 factors to bf16.
    """

    def __init__(self, job: Job, state: dict[str, Array]) -> None:
        torch.set_num_threads(job.threads)
        last = job.options["channels_last"]
        self.form = torch.channels_last if last else torch.contiguous_format
        self.autocast = job.options["bf16"] == "autocast"
        if job.options["bf16"] == "products":
            torch.backends.mkldnn.conv.fp32_precision = "bf16"
            torch.backends.mkldnn.matmul.fp32_precision = "bf16"
        self.model = module(job.description, "", state)
        self.model.to(memory_format=self.form)  # type: ignore[call-overload]  # its types lack this
        self.loss: Any = lambda x, t: nn.functional.cross_entropy(self.model(x), t)
        self.outputs: Any = self.model
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, fused=True
        )
        if job.options["compile"] and job.training:
            self.loss = torch.compile(self.loss, dynamic=False)
        elif job.options["compile"]:
            torch._inductor.config.freezing = True  # weights are constants: norms fold into them
            self.outputs = torch.compile(self.model, dynamic=False)

    def batch(self, x: Array, targets: Array) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(x).contiguous(memory_format=self.form), torch.from_numpy(targets)

    def train(self, batch: tuple[torch.Tensor, torch.Tensor]) -> float:
        self.model.train()
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            loss = self.loss(*batch)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def infer(self, x: Array) -> Array:
        self.model.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            y = self.outputs(torch.from_numpy(x).contiguous(memory_format=self.form))
        return np.asarray(y.float())


class Residual(nn.Module):
    """``activation(body(x) + shortcut(x))``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut, self.activation = body, shortcut, activation

    def forward(self, x: torch.Tensor) -> Any:
        return self.activation(self.body(x) + self.shortcut(x))


class Concat(nn.Module):
    """The branches' outputs, one behind the other along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def module(description: Description | None, path: str, state: dict[str, Array]) -> nn.Module:
    """Return the module that a description describes, with its values from `state`."""
    if description is None:
        return nn.Identity()
    kind = description["type"]
    if kind in ("Sequential", "Concat"):
        inside = (module(*part, state) for part in parts(description, path))
        return (nn.Sequential if kind == "Sequential" else Concat)(*inside)
    if kind == "Residual":
        return Residual(*(module(*side, state) for side in sides(description, path)))
    layer = leaf(kind, {k: v for k, v in description.items() if k not in ("type", "name")})
    layer.load_state_dict({k: torch.tensor(state[join(path, k)]) for k in layer.state_dict()})
    return layer


def leaf(kind: str, arguments: dict[str, Any]) -> nn.Module:
    """Return a layer; names and arguments are PyTorch's, but for two."""
    if kind == "GlobalAvgPool2d":
        return nn.AdaptiveAvgPool2d(1)
    if kind == "ReLU":
        return nn.ReLU(inplace=True)
    return getattr(nn, kind)(**arguments)  # type: ignore[no-any-return]  # it is a module
