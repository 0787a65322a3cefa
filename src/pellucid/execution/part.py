"""The parts of a program: layers, or several layers computed at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pellucid.layers import StepContext


class Part(Protocol):
    """A layer, or several layers computed together, with a layer's forward and backward."""

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        """Return the output and the cache that `backward` needs."""

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        """Add to the gradients of the parameters, and return the gradient for the input."""

    def children(self) -> Mapping[str, Part]:
        """Return the parts inside, by name."""


def tree(name: str, parts: Mapping[str, Part]) -> str:
    """Return the text of a part that contains other parts."""
    inside = (
        f"\n  {key or 'body'}: " + repr(part).replace("\n", "\n  ") for key, part in parts.items()
    )
    return f"{name}({''.join(inside)}\n)"
