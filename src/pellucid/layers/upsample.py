"""Upsampling of images."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid import ops
from pellucid.layers.base import Layer, StepContext
from pellucid.ops.resize import Factor, resize_plan
from pellucid.types import Array, Pair, Shape


@dataclass(eq=False, repr=False)
class Upsample(Layer):
    """Resize images by nearest-neighbour or bilinear interpolation.

    In each direction, with input size I and output size O, output o reads at the position::

        nearest                   ⌊o · I/O⌋
        bilinear                  (o + ½) · I/O − ½,  between the two nearest pixels
        bilinear, align_corners   o · (I − 1)/(O − 1)

    The operation is linear; in the backward pass, each input receives the gradients of the outputs
    to which it contributed, with the same weights.

    Parameters
    ----------
    size
        Size (OH, OW) of the output, or one int for both.
    scale_factor
        Alternative to `size`: ``OH = ⌊H · factor⌋``; the factor replaces O/I above.
    mode
        ``nearest`` or ``bilinear``. Default: ``nearest``.
    align_corners
        For bilinear: whether to align the centres of the corner pixels, rather than the corners of
        the images. Default: False.

    Examples
    --------
    >>> Upsample(scale_factor=2).output_shape((64, 16, 7, 7))
    (64, 16, 14, 14)
    """

    size: Pair | None = None
    scale_factor: Factor | None = None
    mode: str = "nearest"
    align_corners: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output_shape((1, 1, 2**16, 2**16))  # large enough for every sensible factor

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        y = ops.upsample2d(x, self.size, self.scale_factor, self.mode, self.align_corners)
        return y, x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        if not input_gradient:
            return dy
        return ops.upsample2d_gradient(
            dy, cache, self.size, self.scale_factor, self.mode, self.align_corners
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        size, _ = resize_plan(
            input_shape, self.size, self.scale_factor, self.mode, self.align_corners
        )
        return *input_shape[:2], *size
