"""Test-time augmentation: probabilities are the mean over several views of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pellucid.types import Array

View = Callable[[Array], Array]
"""Returns images (N, C, H, W) as they are seen another way, of the same shape."""


def mirrored(images: Array) -> Array:
    """Return images mirrored left to right.

    >>> mirrored(np.array([[[[1, 2]]]])).tolist()
    [[[[2, 1]]]]
    """
    return images[..., ::-1]


def shifted(rows: int, columns: int) -> View:
    """Return the view that moves images down and to the right; what enters repeats the edge.

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
"""By one pixel in each of four directions."""


def seen(images: Array, views: Sequence[View]) -> list[Array]:
    """Return the images, and how they look in each view."""
    return [images, *(np.ascontiguousarray(view(images)) for view in views)]
