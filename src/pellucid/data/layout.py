"""The memory layout of images: channels first, channels last, or one flat row."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from pellucid.data.assumptions import assume
from pellucid.errors import DataError, ShapeError
from pellucid.types import Array, Shape

_USUAL_CHANNELS = (1, 3, 4)
_OPTION = "channels_last=True or False (--channels-last, --channels-first)"
_SAMPLE = 256
_COLOURS = {"r": 0, "red": 0, "g": 1, "green": 1, "b": 2, "blue": 2}
_COLOUR_WORD = re.compile(r"(?<![a-z])(red|green|blue|r|g|b)(?![a-z])")


def channels_first(images: Array, channels_last: bool | None = None, name: str = "data") -> Array:
    """Return images as (N, C, H, W), contiguous.

    Parameters
    ----------
    images
        Array of shape (N, H, W), (N, C, H, W) or (N, H, W, C).
    channels_last
        Whether an array of four dimensions is (N, H, W, C). By default the shape decides:
        images have 1, 3 or 4 channels; if this leaves both readings open, the one with square
        images is assumed, with an `AssumptionWarning`.

    Raises
    ------
    ShapeError
        The array does not hold images, or the shape does not tell which axis holds the channels.

    Examples
    --------
    >>> channels_first(np.zeros((10, 28, 28))).shape
    (10, 1, 28, 28)
    >>> channels_first(np.zeros((10, 32, 32, 3))).shape
    (10, 3, 32, 32)
    """
    if images.ndim == 3:
        return np.ascontiguousarray(images)[:, None]
    if images.ndim != 4:
        raise ShapeError(
            f"{name}: images are (N, H, W), (N, C, H, W) or (N, H, W, C), not {images.shape}"
        )
    if channels_last is None:
        channels_last = has_channels_last(images.shape, name)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2) if channels_last else images)


def has_channels_last(shape: Shape, name: str) -> bool:
    """Return whether a shape is (N, H, W, C); warn if it could also be (N, C, H, W)."""
    _, first, middle, last = shape
    usual_first, usual_last = first in _USUAL_CHANNELS, last in _USUAL_CHANNELS
    square_first, square_last = middle == last, first == middle
    if first == middle == last == 1:
        return False  # one pixel: both readings are the same
    if usual_first != usual_last:
        chosen = usual_last
        if square_first == square_last or square_last == chosen:
            return chosen
    elif square_first == square_last and not usual_first:
        raise ShapeError(
            f"{name}: images of shape {shape[1:]} may have {first} channels, first, or {last} "
            f"channels, last; give {_OPTION}"
        )
    else:
        chosen = square_last and not square_first
    channels, sides = (last, (first, middle)) if chosen else (first, (middle, last))
    assume(name, f"{shape[1:]} is read as {channels} channels of {sides[0]}×{sides[1]}", _OPTION)
    return chosen


def images_from_rows(
    rows: Array,
    shape: Shape | None = None,
    channels_last: bool | None = None,
    columns: Sequence[str] | None = None,
    name: str = "data",
) -> Array:
    """Return images (N, C, H, W) from rows of pixels (N, C·H·W).

    Parameters
    ----------
    shape
        (C, H, W) or (H, W). By default a square number of pixels is read as a grey image, and three
        times a square number as a colour image.
    channels_last
        Whether pixels are interleaved (red, green, blue, red, …) rather than stored as one plane
        per channel. By default, names of columns such as ``r0, g0, b0`` decide; without such names,
        the reading whose neighbouring pixels differ less is assumed, with an `AssumptionWarning`.
    columns
        Names of the columns, if there are any.

    Examples
    --------
    >>> images_from_rows(np.zeros((2, 64), np.uint8)).shape
    (2, 1, 8, 8)
    >>> images_from_rows(np.arange(12)[None], channels_last=True)[0, 0].tolist()
    [[0, 3], [6, 9]]
    """
    channels, height, width = image_shape(rows.shape[1], shape, name)
    if channels > 1 and height * width > 1 and channels_last is None:
        channels_last = _channel_order(columns, channels)
        if channels_last is None:
            channels_last = _looks_interleaved(rows, channels, height, width)
            order = (
                "pixel by pixel (r, g, b, r, …)" if channels_last else "in planes (r, r, …, g, …)"
            )
            assume(name, f"colours are read {order}", _OPTION)
    if channels > 1 and channels_last:
        images = rows.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        return np.ascontiguousarray(images)
    return rows.reshape(-1, channels, height, width)


def image_shape(pixels: int, shape: Shape | None, name: str) -> tuple[int, int, int]:
    """Return the shape (C, H, W) of an image with this number of pixels."""
    if shape is not None:
        full = tuple(shape) if len(shape) == 3 else (1, *shape)
        if len(full) != 3 or math.prod(full) != pixels:
            raise DataError(f"{name} has {pixels} pixels a row, not images of {tuple(shape)}")
        return full
    for channels in (1, 3):
        side = math.isqrt(pixels // channels)
        if pixels and side**2 * channels == pixels:
            return channels, side, side
    raise DataError(
        f"{name} has {pixels} pixels a row, neither a square number nor three times one; "
        "give shape=(C, H, W) (--size HxW), or the column of the class, label= (--label)"
    )


def _channel_order(columns: Sequence[str] | None, channels: int) -> bool | None:
    """Return whether the names of columns imply channels last, or None if they do not tell."""
    found = [_COLOUR_WORD.findall(column.lower()) for column in columns or ()]
    if channels != 3 or not found or any(len(words) != 1 for words in found):
        return None
    order = [_COLOURS[words[0]] for words in found]
    if order == [0, 1, 2] * (len(order) // 3):
        return True
    return False if order == sorted(order) else None


def _looks_interleaved(rows: Array, channels: int, height: int, width: int) -> bool:
    spread = np.unique(np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.intp))
    sample = rows[spread].astype(np.float64)
    planes = sample.reshape(-1, channels, height, width)
    together = sample.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
    return _roughness(together) < _roughness(planes)


def _roughness(images: Array) -> float:
    """Return the mean absolute difference of neighbouring pixels along rows plus along columns."""
    return float(
        sum(abs(np.diff(images, axis=axis)).mean() for axis in (2, 3) if images.shape[axis] > 1)
    )
