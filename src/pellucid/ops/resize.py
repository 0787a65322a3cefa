"""Resize images by nearest-neighbour or bilinear interpolation."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pellucid import engine
from pellucid.arguments import LARGEST_SIZE, Positive, shown
from pellucid.errors import PellucidError, ShapeError, unknown
from pellucid.geometry import pair
from pellucid.ops.checks import check_floating, check_shape
from pellucid.ops.pooling import image_size
from pellucid.types import Array, Pair, Shape

Factor = Annotated[Positive | tuple[Positive, Positive], "one positive number or two"]
"""One factor for both directions, or (vertical, horizontal)."""

MODES = ("nearest", "bilinear")


def upsample2d(
    x: Array,
    size: Pair | None = None,
    scale_factor: Factor | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Array:
    """Return images resized to another size, larger or smaller.

    In each direction, with input size I and output size O, output o reads at the input
    position::

        nearest                   ⌊o · I/O⌋
        bilinear                  (o + ½) · I/O − ½,  between the two nearest pixels
        bilinear, align_corners   o · (I − 1)/(O − 1)

    Parameters
    ----------
    x
        Images (N, C, H, W).
    size
        Size (OH, OW) of the output, or one int for both.
    scale_factor
        Alternative to `size`: ``OH = ⌊H · factor⌋``; the factor replaces O/I above.
    mode
        ``"nearest"`` (default) or ``"bilinear"``.
    align_corners
        For bilinear: whether to align the centres of the corner pixels, rather than the corners of
        the images. Default: False.

    Returns
    -------
    ndarray of shape (N, C, OH, OW)
        The resized images.

    Examples
    --------
    >>> import numpy as np
    >>> upsample2d(np.array([[[[0.0, 4.0]]]]), size=(1, 4), mode="bilinear")
    array([[[[0., 1., 3., 4.]]]])
    """
    check_floating("upsample2d", x)
    output_size, scales = resize_plan(x.shape, size, scale_factor, mode, align_corners)
    return engine.current(x).upsample2d(x, output_size, scales, mode, align_corners)


def upsample2d_gradient(
    dy: Array,
    input_shape: Shape,
    size: Pair | None = None,
    scale_factor: Factor | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Array:
    """Return dx: each input sums the dy of the outputs it contributed to, with the same weights."""
    output_size, scales = resize_plan(input_shape, size, scale_factor, mode, align_corners)
    check_shape("upsample2d_gradient", "dy", dy, (*input_shape[:2], *output_size))
    return engine.for_floats("upsample2d_gradient", dy).upsample2d_gradient(
        dy, input_shape, scales, mode, align_corners
    )


def resize_plan(
    input_shape: Shape,
    size: Pair | None,
    scale_factor: Factor | None,
    mode: str,
    align_corners: bool,
) -> tuple[tuple[int, int], tuple[float | None, float | None]]:
    """Return (OH, OW) for images of `input_shape`, and the two factors, or (None, None).

    >>> resize_plan((1, 3, 8, 5), None, 1.5, "nearest", False)
    ((12, 7), (1.5, 1.5))
    """
    H, W = image_size("upsample2d", input_shape)
    if mode not in MODES:
        raise PellucidError(unknown("mode", mode, MODES))
    if align_corners and mode == "nearest":
        raise PellucidError("align_corners requires mode='bilinear'")
    if (size is None) == (scale_factor is None):
        raise PellucidError("give either size or scale_factor, not both or neither")
    if size is not None:
        return pair(size, "size"), (None, None)
    factors: Any = scale_factor if isinstance(scale_factor, tuple) else (scale_factor,) * 2
    good = len(factors) == 2 and all(math.isfinite(factor) and factor > 0 for factor in factors)
    if not good:
        raise ShapeError(
            f"scale_factor must be a positive number or two, not {shown(scale_factor)}"
        )
    height, width = H * factors[0], W * factors[1]
    if min(height, width) < 1:
        raise ShapeError(f"scale_factor {scale_factor} would make an image of {H}×{W} empty")
    if max(height, width) > LARGEST_SIZE:
        raise ShapeError(f"scale_factor {scale_factor} is too large for an image of {H}×{W}")
    output_size = math.floor(height), math.floor(width)
    return output_size, (factors[0], factors[1])
