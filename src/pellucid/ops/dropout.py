"""Dropout with given random numbers."""

from __future__ import annotations

from pellucid import engine
from pellucid.errors import ShapeError
from pellucid.types import Array


def dropout(x: Array, draws: Array, p: float) -> Array:
    """Return ``y = x · [u ≥ p] / (1 − p)`` for random numbers u in [0, 1), the draws.

    They have the shape of x, or the size 1 along axes in which values share a draw.

    >>> import numpy as np
    >>> dropout(np.ones(2), np.array([0.2, 0.7]), p=0.5)
    array([0., 2.])
    """
    sizes = zip(x.shape, draws.shape, strict=False)
    if draws.ndim != x.ndim or any(drawn not in (1, size) for size, drawn in sizes):
        raise ShapeError(
            f"dropout expects draws of the shape of x, {x.shape}, or with the size 1 along axes "
            f"in which values share a draw, got {draws.shape}"
        )
    return engine.for_floats("dropout", x).dropout(x, draws, p)
