"""Dropout: set some values to 0, and scale the others so that the mean is unchanged."""

from __future__ import annotations

import numpy as np

from pellucid.types import Array


def dropout(x: Array, draws: Array, p: float) -> Array:
    """Return ``y = x · [u ≥ p] / (1 − p)`` for random numbers u in [0, 1).

    The gradient is the same function of dy.

    >>> dropout(np.array([1.0, 1.0]), np.array([0.2, 0.7]), p=0.5)
    array([0., 2.])
    """
    y = np.empty_like(x)
    scale_kept(x, draws, p, y)
    return y


def scale_kept(x: Array, draws: Array, p: float, y: Array) -> None:
    """Write the result of `dropout` to y."""
    np.multiply(x, draws >= p, out=y)
    y *= 1 / (1 - p) if p < 1 else 0.0
