"""Padding as a layer."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid import ops
from pellucid.arguments import Extended
from pellucid.layers.base import Layer, StepContext
from pellucid.ops.padding import check_pad_mode, padded_shape, padding_sides
from pellucid.types import Array, Padding, Shape


@dataclass(eq=False, repr=False)
class Pad2d(Layer):
    """Pad images; in the backward pass, each pixel gets the sum over all places that show it.

    Parameters
    ----------
    padding
        Padding of all sides, (vertical, horizontal), or ((top, bottom), (left, right)).
    mode
        ``constant``, ``zeros``, ``reflect``, ``replicate`` or ``circular``, see `ops.pad2d`.
    value
        Value of the padding for the mode ``constant``. Default: 0.

    Examples
    --------
    >>> Pad2d(((1, 2), (3, 4)), "reflect").output_shape((64, 3, 28, 28))
    (64, 3, 31, 35)
    """

    padding: Padding
    mode: str = "constant"
    value: Extended = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_pad_mode(self.mode, self.value)
        padding_sides((1, 1, 1, 1), self.padding, "constant")

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        return ops.pad2d(x, self.padding, self.mode, self.value), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        return ops.pad2d_gradient(dy, cache, self.padding, self.mode) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        sides = padding_sides(input_shape, self.padding, self.mode, self.value)
        return padded_shape(input_shape, sides)
