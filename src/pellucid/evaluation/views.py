"""Test-time augmentation: average predictions over several views of an image.

Views should be changes that the network was trained with, such as mirroring after ``"flip"``, or so
small that they do not matter. A shift by one pixel is small in an image of 32×32, and not in one of
8×8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pellucid import ops
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


SHIFTS = (shifted(-1, -1), shifted(1, 1))
"""Shifts by one pixel along the diagonal, up and down."""


def averaged(plain: Array, others: Sequence[Array]) -> Array:
    """Return the mean prediction for images and their views, (N, classes).

    It is the geometric mean of the probabilities, in which the image itself counts as much as all
    its views together; without views it is `plain`::

        p ∝ √(p₀ · (p₁ · … · pₖ)^(1/k))

    The arithmetic mean would be less certain than each of its parts, which worsens the loss.

    Parameters
    ----------
    plain
        Probabilities for the images themselves, (N, classes).
    others
        Probabilities for each view of them.

    Examples
    --------
    >>> averaged(np.array([[0.5, 0.5]]), [np.array([[0.9, 0.1]])]).round(2)
    array([[0.75, 0.25]])
    """
    return geometric_mean([plain, geometric_mean(others)]) if others else plain


def geometric_mean(parts: Sequence[Array]) -> Array:
    """Return the geometric mean of probabilities (N, classes), scaled so that rows sum to 1.

    >>> geometric_mean([np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]])]).round(2)
    array([[0.75, 0.25]])
    """
    tiny = np.finfo(parts[0].dtype).tiny
    return ops.softmax(np.mean([np.log(np.maximum(p, tiny)) for p in parts], axis=0), 1)
