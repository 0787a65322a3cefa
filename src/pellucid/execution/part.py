"""What a program is made of: layers, and whatever computes several of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pellucid.layers import StepContext


class Part(Protocol):
    """A layer, or several layers computed together: it has a layer's forward and backward."""

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        """Return the output and the cache that `backward` needs."""

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        """Add into each parameter's gradient and return the gradient for the input."""

    def children(self) -> Mapping[str, Part]:
        """Return the parts inside, by name."""


def tree(name: str, parts: Mapping[str, Part]) -> str:
    """Return how a part with parts inside is printed."""
    inside = (
        f"\n  {key or 'body'}: " + repr(part).replace("\n", "\n  ") for key, part in parts.items()
    )
    return f"{name}({''.join(inside)}\n)"
