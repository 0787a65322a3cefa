"""Padding of images, and its gradient."""

from __future__ import annotations

from pellucid import reference
from pellucid.errors import PellucidError, ShapeError, unknown
from pellucid.geometry import Sides, resolve_padding
from pellucid.types import Array, Padding, Shape

PAD_MODES = ("constant", "zeros", "reflect", "replicate", "circular")


def pad2d(x: Array, padding: Padding, mode: str = "constant", value: float = 0.0) -> Array:
    """Return `x` with padding around each image.

    Parameters
    ----------
    x
        (N, C, H, W).
    padding
        All sides, (vertical, horizontal), or ((top, bottom), (left, right)).
    mode
        ``constant``: `value` all around. ``zeros``: the same with 0. ``reflect``: mirrored at the
        outermost pixels, which are not repeated. ``replicate``: the outermost pixels repeated.
        ``circular``: as if the image went on from its other side.
    value
        For ``constant``.

    Returns
    -------
    (N, C, H + top + bottom, W + left + right), the batch last in memory.

    Raises
    ------
    ShapeError
        For ``reflect`` where a side is not smaller than the image, and for ``circular`` where it is
        larger.

    Examples
    --------
    >>> import numpy as np
    >>> pad2d(np.array([[[[1, 2, 3]]]]), (0, 2), "reflect")
    array([[[[3, 2, 1, 2, 3, 2, 1]]]])
    """
    return reference.pad2d(x, padding_sides(x.shape, padding, mode, value), mode, value)


def pad2d_gradient(
    dy: Array, input_shape: Shape, padding: Padding, mode: str = "constant"
) -> Array:
    """Return dx of `input_shape`: each pixel's gradient is the sum over all places that hold it."""
    sides = padding_sides(input_shape, padding, mode)
    expected = padded_shape(input_shape, sides)
    if dy.shape != expected:
        raise ShapeError(f"pad2d_gradient expects dy of shape {expected}, got {dy.shape}")
    return reference.pad2d_gradient(dy, sides, mode)


def padded_shape(input_shape: Shape, sides: Sides) -> Shape:
    """Return the shape of images of `input_shape` with `sides` of padding."""
    N, C, H, W = input_shape
    return N, C, H + sum(sides[0]), W + sum(sides[1])


def padding_sides(input_shape: Shape, padding: Padding, mode: str, value: float = 0.0) -> Sides:
    """Return ((top, bottom), (left, right)), checked for images of `input_shape`."""
    check_pad_mode(mode, value)
    if isinstance(padding, str):
        raise PellucidError(
            f"padding '{padding}' follows from a kernel, and here is none; give numbers"
        )
    if len(input_shape) != 4:
        raise ShapeError(f"padding expects images of shape (N, C, H, W), got {input_shape}")
    height, width = input_shape[2:]
    sides = resolve_padding(padding, (height, width), (1, 1), (1, 1), (1, 1))
    check_sides(sides, (height, width), mode)
    return sides


def check_pad_mode(mode: str, value: float = 0.0) -> None:
    """Raise an error unless there is such a mode."""
    if mode not in PAD_MODES:
        raise PellucidError(unknown("padding mode", mode, PAD_MODES))
    if value and mode != "constant":
        raise PellucidError(f"padding mode '{mode}' takes no value; use 'constant' for {value}")


def check_sides(sides: Sides, size: tuple[int, int], mode: str) -> None:
    """Raise an error where there is not enough image to reflect or to go around."""
    for side, length in zip(sides, size, strict=True):
        most = {"reflect": length - 1, "circular": length}.get(mode, max(side))
        if max(side) > most or (mode == "replicate" and length == 0):
            raise ShapeError(
                f"padding mode '{mode}' can add at most {most} pixels to a side of {length}, "
                f"not {max(side)}"
            )
