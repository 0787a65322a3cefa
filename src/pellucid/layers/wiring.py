"""Which layer reads what, as plain data: the form that all combinators have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pellucid.types import Shape

if TYPE_CHECKING:
    from pellucid.layers.base import Layer


class Wire(NamedTuple):
    """A layer in a network: its name there, and the numbers of the values that it reads."""

    name: str
    layer: Layer
    reads: tuple[int, ...]


class Wiring(NamedTuple):
    """How values pass between the layers inside a layer.

    Values are numbered: first come the inputs, then what each wire gives, in order. So code that
    draws or translates a network does not depend on the kinds of combinators.

    Attributes
    ----------
    inputs
        How many inputs there are.
    wires
        The layers, in the order in which they run. What a combinator does itself is a layer too:
        the sum of a `Residual` is an `Add`.
    outputs
        The numbers of the values that are returned.

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
        """Whether each layer reads what the one before it gave, and that alone."""
        return self.outputs == (len(self.wires),) and all(
            wire.reads == (i,) for i, wire in enumerate(self.wires)
        )

    def shapes(self, input_shapes: Sequence[Shape]) -> list[Any]:
        """Return the shape of every value, batch included, for those of the inputs."""
        shapes: list[Any] = list(input_shapes)
        for _, layer, reads in self.wires:
            given = tuple(shapes[i] for i in reads)
            shapes.append(layer.output_shape(given[0] if layer.inputs == 1 else given))
        return shapes
