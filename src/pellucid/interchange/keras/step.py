"""Between a layer of Keras's and what takes its place."""

from typing import Any, NamedTuple

from pellucid import layers as nn
from pellucid.types import Shape


class Context(NamedTuple):
    """Where a layer of Keras's stands.

    Attributes
    ----------
    shapes
        Ours, of what it is given.
    flattened
        The (C, H, W) of an image that was flattened before.
    constants
        Numbers that it is given.
    pad
        The padding before it, if it may take it in.
    """

    shapes: tuple[Shape, ...]
    flattened: Shape | None
    constants: dict[str, Any]
    pad: nn.Pad2d | None


class Step(NamedTuple):
    """One layer of ours.

    Attributes
    ----------
    suffix
        What its name has besides Keras's.
    layer
        The layer.
    any_order, keeps_order
        Whether it takes a flattened image in our order, and gives one in that order again.
    flattened
        The (C, H, W) of an image that it flattens.
    takes_pad
        Whether it has taken in the padding before it.
    """

    suffix: str
    layer: nn.Layer
    any_order: bool = False
    keeps_order: bool = False
    flattened: Shape | None = None
    takes_pad: bool = False
