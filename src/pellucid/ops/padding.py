"""Padding of images, and its gradient."""

from __future__ import annotations

from pellucid import reference
from pellucid.errors import PellucidError, ShapeError, unknown
from pellucid.geometry import Sides, resolve_padding
from pellucid.ops.checks import check_shape
from pellucid.types import Array, Padding, Shape

PAD_MODES = ("constant", "zeros", "reflect", "replicate", "circular")


def pad2d(x: Array, padding: Padding, mode: str = "constant", value: float = 0.0) -> Array:
    """Return images with padding on all sides.

    Parameters
    ----------
    x
        Images (N, C, H, W).
    padding
        All sides, (vertical, horizontal), or ((top, bottom), (left, right)).
    mode
        ``"constant"`` (default): fill with `value`. ``"zeros"``: fill with 0. ``"reflect"``: mirror
        at the outermost pixels without repeating them. ``"replicate"``: repeat the outermost
        pixels. ``"circular"``: continue with the opposite side.
    value
        Value for the mode ``"constant"``. Default: 0.

    Returns
    -------
    ndarray of shape (N, C, H + top + bottom, W + left + right)
        The padded images, with the batch last in memory.

    Raises
    ------
    ShapeError
        For ``"reflect"``, if a side is not smaller than the image; for ``"circular"``, if it is
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
    """Return dx of `input_shape`: each pixel gets the sum of dy over all places that show it."""
    sides = padding_sides(input_shape, padding, mode)
    check_shape("pad2d_gradient", "dy", dy, padded_shape(input_shape, sides))
    return reference.pad2d_gradient(dy, sides, mode)


def padded_shape(input_shape: Shape, sides: Sides) -> Shape:
    """Return the shape of images of `input_shape` with `sides` of padding."""
    N, C, H, W = input_shape
    return N, C, H + sum(sides[0]), W + sum(sides[1])


def padding_sides(input_shape: Shape, padding: Padding, mode: str, value: float = 0.0) -> Sides:
    """Return ((top, bottom), (left, right)), after checking it for images of `input_shape`."""
    check_pad_mode(mode, value)
    if isinstance(padding, str):
        raise PellucidError(
            f"padding '{padding}' depends on a kernel, which pad2d does not have; give numbers"
        )
    if len(input_shape) != 4:
        raise ShapeError(f"padding expects images of shape (N, C, H, W), got {input_shape}")
    height, width = input_shape[2:]
    sides = resolve_padding(padding, (height, width), (1, 1), (1, 1), (1, 1))
    check_sides(sides, (height, width), mode)
    return sides


def check_pad_mode(mode: str, value: float = 0.0) -> None:
    """Raise an error unless the mode exists."""
    if mode not in PAD_MODES:
        raise PellucidError(unknown("padding mode", mode, PAD_MODES))
    if value and mode != "constant":
        raise PellucidError(f"padding mode '{mode}' takes no value; use 'constant' for {value}")


def check_sides(sides: Sides, size: tuple[int, int], mode: str) -> None:
    """Raise an error if the image is too small for this padding."""
    for side, length in zip(sides, size, strict=True):
        most = {"reflect": length - 1, "circular": length}.get(mode, max(side))
        if max(side) > most or (mode == "replicate" and length == 0):
            raise ShapeError(
                f"padding mode '{mode}' can add at most {most} pixels to a side of {length}, "
                f"not {max(side)}"
            )
