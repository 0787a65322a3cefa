"""Run a model, with several of its layers at once where possible."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.execution.announcing import announcing
from pellucid.execution.contract import fused_kernels
from pellucid.execution.fusion import fused
from pellucid.execution.part import Part
from pellucid.execution.recompute import recomputing
from pellucid.execution.snapshot import Snapshot
from pellucid.layers import Layer, StepContext
from pellucid.layers.observers import is_observed


class Program:
    """Runs a model with fused layers; `pellucid.fuse` makes it.

    It computes the same as the model and shares its parameters. If the engine in use has fused
    kernels and the values are float32, suitable layers are computed in one pass over memory. It is
    not a layer: it cannot be described or used inside a network. `forward` and `backward` are those
    of `Layer`.

    With `recompute`, training needs less memory; see `pellucid.execution.recompute`. With
    `announces`, the backward pass announces gradients; see `pellucid.execution.announcing`.
    """

    def __init__(self, model: Layer, recompute: bool = False, announces: bool = False) -> None:
        self.model, self.recompute, self.announces = model, recompute, announces
        self._part: Part = model
        self._fuses = self._is_fused = False
        self._snapshot: Snapshot | None = None

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        """Return the output and the cache that `backward` needs."""
        part = self.part_for(x)
        y, cache = part.forward(x, training)
        return y, (part, cache)

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        """Add to the gradients of the parameters, and return the gradient for the input."""
        part, kept = cache
        return part.backward(dy, kept, input_gradient=input_gradient)

    def __call__(self, x: Any) -> Any:
        """Return the output in inference mode."""
        return self.forward(x)[0]

    def part_for(self, x: Any) -> Part:
        """Return what runs for this input: the fused parts, or the model itself."""
        inputs = x if isinstance(x, tuple) else (x,)
        fuses = fused_kernels(*inputs) is not None
        if is_observed() or not (fuses or self.recompute or self.announces):
            return self.model
        changed = self._snapshot is None or not self._snapshot.still_holds()
        if changed or fuses != self._fuses:
            self._refresh(x, fuses)
        return self._part

    def _refresh(self, x: Any, fuses: bool) -> None:
        """Prepare the model in its present state; it is fused if all of it is float32."""
        self._snapshot, self._fuses = Snapshot(self.model), fuses
        whole = all(item.dtype == np.float32 for item in self.model.parameters())
        self._is_fused = fuses and whole
        self._part = fused(self.model) if self._is_fused else self.model
        if self.recompute:
            self._part = recomputing(self._part, x)
        if self.announces:
            self._part = announcing(self._part)

    def __repr__(self) -> str:
        return repr(fused(self.model))


def fuse(model: Layer) -> Program:
    """Return a program that computes each convolution with what follows it in one pass over memory.

    Training and evaluation do this automatically.

    Parameters
    ----------
    model
        The model to run, whose parameters the program shares.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> fuse(nn.Sequential(conv1=nn.Conv2d(1, 8, 3), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2)))
    Sequential(
      conv1+relu1+pool1: Block(
        conv1: Conv2d(in_channels=1, out_channels=8, kernel_size=3)
        relu1: ReLU()
        pool1: MaxPool2d(kernel_size=2)
      )
    )
    """
    return Program(model)
