"""Convert padding: numbers in Pellucid, a word or a separate layer in Keras."""

from __future__ import annotations

from typing import Any, NamedTuple

from pellucid import layers as nn
from pellucid.geometry import Sides, Window
from pellucid.interchange.keras.pair import UnwritableError
from pellucid.types import Shape

_NOTHING: Sides = ((0, 0), (0, 0))


class Border(NamedTuple):
    """Padding to be added around an image.

    Attributes
    ----------
    sides
        Padding ((top, bottom), (left, right)).
    mode, value
        ``constant`` with that value, or ``reflect``.
    """

    sides: Sides
    mode: str
    value: float


def around(layer: Any, shape: Shape, value: float) -> tuple[str, Border | None]:
    """Return Keras's `padding` argument, and the padding to be added by a layer before, if any.

    ``"same"`` is used only where it means the same padding for images of every size.

    Parameters
    ----------
    layer
        A convolution or pooling layer of Pellucid.
    shape
        Shape of its input.
    value
        Value that the layer sees beyond the edge.
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
        raise UnwritableError("Keras counts this padding in the mean")
    return "valid", Border(sides, "reflect" if mode == "reflect" else "constant", value)


def _same(window: Window) -> Sides:
    return Window.of(
        window.size,
        window.kernel,
        stride=window.stride,
        padding="same",
        dilation=window.dilation,
    ).padding
