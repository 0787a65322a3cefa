"""Test-time augmentation: average the probabilities over several views of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pellucid.types import Array

View = Callable[[Array], Array]
"""A function that changes images (N, C, H, W) and keeps their shape."""


def mirrored(images: Array) -> Array:
    """Return images mirrored left to right.

    >>> mirrored(np.array([[[[1, 2]]]])).tolist()
    [[[[2, 1]]]]
    """
    return images[..., ::-1]


def shifted(rows: int, columns: int) -> View:
    """Return a view that shifts images down and to the right, repeating the edge.

    >>> shifted(0, 1)(np.array([[[[1, 2, 3]]]])).tolist()
    [[[[1, 1, 2]]]]
    """

    def view(images: Array) -> Array:
        height, width = images.shape[2:]
        from_rows = np.clip(np.arange(height) - rows, 0, height - 1)
        from_columns = np.clip(np.arange(width) - columns, 0, width - 1)
        return images[:, :, from_rows[:, None], from_columns]

    return view


SHIFTS = tuple(shifted(*by) for by in ((-1, 0), (1, 0), (0, -1), (0, 1)))
"""Shifts by one pixel in each of four directions."""


def seen(images: Array, views: Sequence[View]) -> list[Array]:
    """Return the images and all their views."""
    return [images, *(np.ascontiguousarray(view(images)) for view in views)]
