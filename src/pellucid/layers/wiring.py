"""The connections of a network as plain data, the same for all combinators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pellucid.types import Shape

if TYPE_CHECKING:
    from pellucid.layers.base import Layer


class Wire(NamedTuple):
    """A layer in a network: its name, and the numbers of the values that it reads."""

    name: str
    layer: Layer
    reads: tuple[int, ...]


class Wiring(NamedTuple):
    """How values pass between the layers inside a combinator.

    Values are numbered: first the inputs, then the outputs of the wires in order. Code that draws
    or converts a network can use this without knowing each type of combinator.

    Attributes
    ----------
    inputs
        Number of inputs.
    wires
        The layers, in the order in which they run. What a combinator computes itself appears as a
        layer too: the sum of a `Residual` is an `Add`.
    outputs
        Numbers of the values that are returned.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> wiring = nn.Residual(nn.Identity(), activation=nn.ReLU()).wiring()
    >>> [(type(wire.layer).__name__, wire.reads) for wire in wiring.wires]
    [('Identity', (0,)), ('Add', (1, 0)), ('ReLU', (2,))]
    """

    inputs: int
    wires: tuple[Wire, ...]
    outputs: tuple[int, ...]

    @property
    def is_chain(self) -> bool:
        """Whether each layer reads only the output of the one before it."""
        return self.outputs == (len(self.wires),) and all(
            wire.reads == (i,) for i, wire in enumerate(self.wires)
        )

    def shapes(self, input_shapes: Sequence[Shape]) -> list[Any]:
        """Return the shape of every value, batch included, given those of the inputs."""
        shapes: list[Any] = list(input_shapes)
        for _, layer, reads in self.wires:
            given = tuple(shapes[i] for i in reads)
            shapes.append(layer.output_shape(given[0] if layer.inputs == 1 else given))
        return shapes
