"""Convert between scikit-learn's arrays and images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.errors import ShapeError
from pellucid.types import Array, Shape

_CHANNELS = (1, 3, 4)


def flattened(X: Any, image_shape: Shape | None) -> tuple[Any, Shape | None]:
    """Return X with one row per image, and the shape of an image if X has it.

    >>> X, shape = flattened(np.zeros((5, 3, 8, 9)), None)
    >>> X.shape, shape
    ((5, 216), (3, 8, 9))
    """
    if not hasattr(X, "shape"):
        X = np.asarray(X)
    if len(X.shape) not in (3, 4):
        return X, None  # scikit-learn checks it
    X = np.asarray(X)
    shape = (1, *X.shape[1:]) if X.ndim == 3 else X.shape[1:]
    if X.ndim == 4 and image_shape is None and _looks_channels_last(shape):
        raise ShapeError(
            f"images must be (N, C, H, W), but X of shape {X.shape} looks like (N, H, W, C): pass "
            "X.transpose(0, 3, 1, 2), or image_shape if it is (N, C, H, W)"
        )
    return X.reshape(len(X), math.prod(shape)), shape


def _looks_channels_last(shape: Shape) -> bool:
    """Return whether `shape` is probably (H, W, C), by usual channels or square sides."""
    first, middle, last = shape
    return first not in _CHANNELS and (last in _CHANNELS or first == middle != last)


def shape_of_image(features: int, seen: Shape | None, given: Any) -> Shape:
    """Return the shape (C, H, W) of images with this many values.

    Parameters
    ----------
    features
        Number of values of an image.
    seen
        Shape from the array of images, if it has one.
    given
        The `image_shape` given by the user, (C, H, W) or (H, W), if any. Without either, the image
        is a grey square if the number is a square, otherwise one row.

    Examples
    --------
    >>> shape_of_image(64, None, None), shape_of_image(10, None, None)
    ((1, 8, 8), (1, 1, 10))
    >>> shape_of_image(768, None, (3, 16, 16))
    (3, 16, 16)
    """
    if given is None:
        side = math.isqrt(features)
        row_or_square = (1, side, side) if side * side == features else (1, 1, features)
        return row_or_square if seen is None else seen
    shape = tuple(map(int, given))
    shape = (1, *shape) if len(shape) == 2 else shape
    if len(shape) != 3 or min(shape) < 1:
        raise ShapeError(
            f"image_shape must be (channels, height, width) or (height, width), not {given}"
        )
    if seen not in (None, shape):
        raise ShapeError(f"image_shape is {shape}, but the images in X are {seen}")
    if math.prod(shape) != features:
        raise ShapeError(
            f"images of shape {shape} have {math.prod(shape)} values, but X has {features} features"
        )
    return shape


def as_images(X: Array, shape: Shape) -> Array:
    """Return rows as images (N, C, H, W)."""
    return X.reshape(len(X), *shape)
