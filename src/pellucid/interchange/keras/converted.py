"""What a layer of Keras is converted to, and what has to be known about its place."""

from __future__ import annotations

from typing import Any, NamedTuple

from pellucid import layers as nn
from pellucid.types import Shape


class Context(NamedTuple):
    """What surrounds a layer of a Keras model.

    Attributes
    ----------
    shapes
        The shapes of the layer's inputs in Pellucid.
    flattened
        The shape (C, H, W) of the image if the input is a flattened one.
    constants
        Numbers among the inputs.
    pad
        The padding layer before this one, if this layer may do the padding instead.
    """

    shapes: tuple[Shape, ...]
    flattened: Shape | None
    constants: dict[str, Any]
    pad: nn.Pad2d | None


class Converted(NamedTuple):
    """A layer that a layer of Keras is converted to; some are converted to several.

    Attributes
    ----------
    suffix
        What is added to the Keras layer's name.
    layer
        The layer.
    any_order, keeps_order
        Whether it accepts a flattened image with channels first, and whether its output is again
        one with channels first.
    flattened
        The shape (C, H, W) of the image that it flattens.
    takes_pad
        Whether it does the padding of the layer before it.
    """

    suffix: str
    layer: nn.Layer
    any_order: bool = False
    keeps_order: bool = False
    flattened: Shape | None = None
    takes_pad: bool = False
