"""The result of converting one Keras layer, and the context that the conversion needs."""

from __future__ import annotations

from typing import Any, NamedTuple

from pellucid import layers as nn
from pellucid.types import Shape


class Context(NamedTuple):
    """The surroundings of a layer in a Keras model.

    Attributes
    ----------
    shapes
        Shapes of the layer's inputs, in Pellucid's order of axes.
    flattened
        Shape (C, H, W) of the image that was flattened to make the input, if one was.
    constants
        Constants among the inputs.
    pad
        The padding layer before this one, if it may be merged into this layer.
    """

    shapes: tuple[Shape, ...]
    flattened: Shape | None
    constants: dict[str, Any]
    pad: nn.Pad2d | None


class Converted(NamedTuple):
    """One of the Pellucid layers that a Keras layer is converted to.

    Attributes
    ----------
    suffix
        Text added to the Keras layer's name to name this layer.
    layer
        The Pellucid layer.
    any_order, keeps_order
        Whether the layer accepts a flattened image with channels first, and whether its output is
        again one with channels first.
    flattened
        Shape (C, H, W) of the image that this layer flattens.
    takes_pad
        Whether the layer includes the padding of the layer before it.
    """

    suffix: str
    layer: nn.Layer
    any_order: bool = False
    keeps_order: bool = False
    flattened: Shape | None = None
    takes_pad: bool = False
