"""Check that a network fits the images for which it is built."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import TypeVar

from pellucid.arguments import plain
from pellucid.errors import PellucidError, ShapeError
from pellucid.layers import Layer
from pellucid.types import Shape

_LARGEST_SIDE = 1024

L = TypeVar("L", bound=Layer)


def fitted(name: str, make: Callable[[Shape], L], input_shape: Shape, classes: int) -> L:
    """Return ``make(input_shape)``, checked to map one input to one score per class.

    Parameters
    ----------
    name
        Name of the network in messages.
    make
        Function that builds the network for an input shape. If `input_shape` is too small, larger
        ones are tried, so that the message can say what would fit.
    input_shape
        Shape (C, H, W) or (features,).
    classes
        Number of scores.

    Raises
    ------
    PellucidError
        As raised by `make`, with the name, and the smallest image size that fits.
    """
    shape = checked_shape(name, input_shape)
    if not isinstance(classes, int) or classes < 1:
        raise ShapeError(f"{name}: classes must be a positive int, not {classes!r}")
    try:
        model = make(shape)
        output = model.output_shape((1, *shape))
    except PellucidError as error:
        raise type(error)(f"{name}: {error}{_hint(name, make, shape)}") from error
    if output != (1, classes):
        raise ShapeError(
            f"{name} returns outputs of shape {output[1:]} for one image; for {classes} classes "
            f"its last layer must return ({classes},)"
        )
    return model


def checked_shape(name: str, input_shape: Shape) -> Shape:
    """Return `input_shape` as a tuple, after checking that it is (C, H, W) or (features,)."""
    shape: Shape = plain(tuple(input_shape))
    if len(shape) not in (1, 3) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ShapeError(
            f"{name}: input_shape must be (channels, height, width) or (features,), "
            f"not {input_shape!r}"
        )
    return shape


def _hint(name: str, make: Callable[[Shape], Layer], shape: Shape) -> str:
    """Return the image size that is needed, if `shape` is an image and too small."""
    if len(shape) != 3:
        return ""
    channels, height, width = shape

    def fits(side: int) -> bool:
        image = (channels, side, side)
        try:
            make(image).output_shape((1, *image))
        except PellucidError:
            return False
        return True

    side = 1 + bisect_left(range(1, _LARGEST_SIDE), True, key=fits)
    if side > min(height, width) and fits(side):
        return f". The images are {height}×{width}; {name} needs at least {side}×{side}"
    return ""
