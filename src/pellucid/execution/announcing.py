"""Announce, during the backward pass, the parameters whose gradients are final.

The backward pass visits layers in reverse order, so a gradient is final after the first layer that
uses the parameter. Processes that train together exchange these gradients while the others are
still being computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pellucid.execution.blocks import Block, Chain
from pellucid.execution.fusion import routing, series
from pellucid.execution.part import Part, tree
from pellucid.layers import Graph, Sequential, StepContext
from pellucid.parameter import Parameter
from pellucid.runtime.recording import recorded
from pellucid.types import Array

Parameters = tuple[Parameter, ...]

_listener: ContextVar[Callable[[Parameters], None] | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Callable[[Parameters], None]) -> Iterator[None]:
    """Call `listener` with parameters as soon as their gradients are final, in the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@recorded  # so that replays announce too
def _announce(parameters: Parameters) -> None:
    if (listener := _listener.get()) is not None:
        listener(parameters)


class Announced:
    """A part after whose backward pass the gradients of some parameters are final."""

    def __init__(self, part: Part, final: Parameters) -> None:
        self.part, self.final = part, final
        self.inputs = getattr(part, "inputs", 1)

    def children(self) -> dict[str, Part]:
        return {"": self.part}

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        return self.part.forward(x, training)

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        dx = self.part.backward(dy, cache, input_gradient=input_gradient)
        _announce(self.final)
        return dx

    def __repr__(self) -> str:
        return tree("Announced", {"": self.part})


class AnnouncedBlock(Block):
    """A block in a chain that does the same."""

    def __init__(self, block: Block, final: Parameters) -> None:
        super().__init__(block.layers)
        self.final = final

    def backward_of_conv(self, *args: Any) -> Array:
        dx = super().backward_of_conv(*args)
        _announce(self.final)
        return dx


def announcing(part: Part) -> Part:
    """Return a part that computes the same, and announces which gradients are final.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid import layers as nn
    >>> part = announcing(nn.Sequential(a=nn.Linear(2, 2), b=nn.ReLU(), c=nn.Linear(2, 2)))
    >>> y, cache = part.forward(np.ones((1, 2), np.float32), StepContext())
    >>> with listening(lambda final: print(sorted(p.name for p in final))):
    ...     _ = part.backward(y, cache)
    ['c.bias', 'c.weight']
    ['a.bias', 'a.weight']
    """
    return _announcing(part, set())


def _announcing(part: Any, used: set[Parameter]) -> Part:
    """Do the same for a part of a network, where earlier parts use some parameters already."""
    if type(part) is Sequential:
        layers = {name: _announcing(layer, used) for name, layer in part.layers.items()}
        return series(part, layers)
    if type(part) is Graph:
        nodes = {name: (_announcing(node, used), read) for name, (node, read) in part.nodes.items()}
        return routing(part, nodes=nodes)
    if type(part) is Chain:
        blocks = part.blocks.items()
        return Chain({name: AnnouncedBlock(b, _first_used(b, used)) for name, b in blocks})
    final = _first_used(part, used)
    return Announced(part, final) if final else part


def _first_used(part: Part, used: set[Parameter]) -> Parameters:
    """Return the parameters that are not in `used`, after adding them to it."""
    found = tuple(parameter for parameter in _parameters(part) if parameter not in used)
    used.update(found)
    return found


def _parameters(part: Part) -> Iterator[Parameter]:
    """Yield all parameters of a part, each once or more."""
    yield from (item for item in vars(part).values() if isinstance(item, Parameter))
    for child in part.children().values():
        yield from _parameters(child)
