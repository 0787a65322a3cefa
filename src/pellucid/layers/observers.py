"""Observers see the values of all layers inside a network while it runs.

Combinators run their children through `run_forward` and `run_backward`, which pass them on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pellucid.layers.base import Layer
from pellucid.layers.context import StepContext

Observer = Callable[[Layer, Any, Any], None]

_on_forward: ContextVar[Observer | None] = ContextVar("on_forward", default=None)
_on_backward: ContextVar[Observer | None] = ContextVar("on_backward", default=None)


def run_forward(layer: Layer, x: Any, training: StepContext | None) -> tuple[Any, Any]:
    """Return ``layer.forward(x, training)``, and pass (layer, x, y) to the observer."""
    y, cache = layer.forward(x, training)
    if (observer := _on_forward.get()) is not None:
        observer(layer, x, y)
    return y, cache


def run_backward(layer: Layer, dy: Any, cache: Any, input_gradient: bool = True) -> Any:
    """Return ``layer.backward(dy, cache)``, and pass (layer, dy, dx) to the observer."""
    dx = layer.backward(dy, cache, input_gradient=input_gradient)
    if (observer := _on_backward.get()) is not None:
        observer(layer, dy, dx)
    return dx


def is_observed() -> bool:
    """Return whether an observer is set."""
    return _on_forward.get() is not None or _on_backward.get() is not None


@contextmanager
def observe(*, forward: Observer | None = None, backward: Observer | None = None) -> Iterator[None]:
    """Call `forward(layer, x, y)` and `backward(layer, dy, dx)` for all layers run in the block."""
    tokens = _on_forward.set(forward), _on_backward.set(backward)
    try:
        yield
    finally:
        _on_forward.reset(tokens[0])
        _on_backward.reset(tokens[1])
