"""What stands around an image: ours in numbers, Keras's by a word or as a layer of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

from pellucid import layers as nn
from pellucid.geometry import Sides, Window
from pellucid.interchange.keras.pair import UnwritableError
from pellucid.types import Shape

_NOTHING: Sides = ((0, 0), (0, 0))


class Border(NamedTuple):
    """Values to be put around an image.

    Attributes
    ----------
    sides
        ((top, bottom), (left, right)).
    mode, value
        ``constant`` with a value, or ``reflect``.
    """

    sides: Sides
    mode: str
    value: float


def around(layer: Any, shape: Shape, value: float) -> tuple[str, Border | None]:
    """Return Keras's `padding`, and what has to be put around the image before.

    ``"same"`` is used where it means the same for images of every size.

    Parameters
    ----------
    layer
        A convolution or pooling of ours.
    shape, value
        Of its input, and what it sees beyond the edge.
    """
    window = Window.of(
        (shape[2], shape[3]),
        layer.kernel_size,
        stride=layer.kernel_size if layer.stride is None else layer.stride,
        padding=layer.padding,
        dilation=getattr(layer, "dilation", 1),
        ceil_mode=getattr(layer, "ceil_mode", False),
    )
    (top, bottom), (left, right) = window.padding
    sides = (top, bottom + window.extra[0]), (left, right + window.extra[1])
    mode = getattr(layer, "padding_mode", "zeros")
    if sides == _NOTHING:
        return "valid", None
    averaged = isinstance(layer, nn.AvgPool2d)
    always = layer.padding == "same" or (window.stride == (1, 1) and sides == _same(window))
    if always and mode == "zeros" and not (averaged and layer.count_include_pad):
        return "same", None
    if averaged and (window.extra != (0, 0) or not layer.count_include_pad):
        raise UnwritableError("Keras cannot leave this padding out of the mean")
    return "valid", Border(sides, "reflect" if mode == "reflect" else "constant", value)


def _same(window: Window) -> Sides:
    return Window.of(
        window.size,
        window.kernel,
        stride=window.stride,
        padding="same",
        dilation=window.dilation,
    ).padding
