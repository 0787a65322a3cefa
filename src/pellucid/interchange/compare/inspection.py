"""What a framework computes for one batch, and the interface that every framework implements."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import load_file, save_file

from pellucid import layers as nn
from pellucid.layers import Layer
from pellucid.types import Array, Shape

JOINING = (nn.Residual, nn.Concat)
"""Combinators whose own outputs are compared too, because they compute something themselves."""


@dataclass(frozen=True, eq=False)
class Inspection:
    """Scores, loss, activations and gradients of one batch.

    Attributes
    ----------
    scores
        Output of the network in inference mode.
    loss
        Mean cross entropy in training mode.
    activations
        Output of each layer in training mode, by the layer's path, with Pellucid's order of axes.
    gradients
        Gradient of each parameter, by its name, with Pellucid's order of axes.
    """

    scores: Array
    loss: float
    activations: dict[str, Array]
    gradients: dict[str, Array]

    def save(self, path: Path) -> None:
        """Write the results to a file; numbered names keep their order."""
        arrays = {"scores": self.scores, "loss": np.array([self.loss])}
        for kind in ("activations", "gradients"):
            for i, (name, value) in enumerate(getattr(self, kind).items()):
                arrays[f"{kind} {i:06d} {name}"] = value
        save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, path)

    @classmethod
    def load(cls, path: Path) -> Inspection:
        """Return the results that `save` wrote."""
        arrays = load_file(path)
        scores, loss = arrays.pop("scores"), float(arrays.pop("loss")[0])
        found: dict[str, dict[str, Array]] = {"activations": {}, "gradients": {}}
        for key in sorted(arrays):
            kind, _, name = key.split(" ", 2)
            found[kind][name] = arrays[key]
        return cls(scores, loss, **found)


class Contestant(Protocol):
    """A network in one framework, with the weights of a Pellucid model."""

    def __init__(
        self, model: Layer, input_shape: Shape, threads: int, rate: float, momentum: float
    ) -> None: ...

    version: str
    """The framework's name and version."""

    def inspect(self, x: Array, targets: Array) -> Inspection:
        """Return what the network computes for a batch, without changing the network."""

    def batch(self, x: Array, targets: Array) -> Any:
        """Return a batch in the type and layout that suit the framework best."""

    def step(self, batch: Any) -> float:
        """Take one step of SGD with momentum, and return the loss before the update."""

    def calls(self) -> dict[str, str]:
        """Return the source text of the framework's layers, by the path of Pellucid's layer."""

    def sources(self) -> dict[str, str]:
        """Return the framework's own code for a layer's forward pass, by the path of the layer.

        The name "" holds the code of a training step.
        """


class Names:
    """Names of the layers whose outputs are compared, in the order in which they run."""

    def __init__(self, model: Layer) -> None:
        walked = [(path, layer) for path, layer in model.walk() if compared(layer)]
        self._paths = {id(layer): path or type(layer).__name__ for path, layer in walked}
        self._turns: Counter[int] = Counter()

    def next(self, layer: Layer) -> str | None:
        """Return the name of this call of the layer: its path, numbered from the second call on."""
        if id(layer) not in self._paths:
            return None
        self._turns[id(layer)] += 1
        turn, path = self._turns[id(layer)], self._paths[id(layer)]
        return path if turn == 1 else f"{path} ({turn})"


def compared(layer: Layer) -> bool:
    """Return whether a layer's output is compared: whether it computes something itself."""
    return not layer.children() or isinstance(layer, JOINING)
