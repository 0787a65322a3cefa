"""Dropout: some values are left out, and the others scaled so that the mean stays."""

from __future__ import annotations

import numpy as np

from pellucid.types import Array


def dropout(x: Array, draws: Array, p: float) -> Array:
    """Return ``y = x · [u ≥ p] / (1 − p)`` for draws u from 0 to 1; the gradient is the same of dy.

    >>> dropout(np.array([1.0, 1.0]), np.array([0.2, 0.7]), p=0.5)
    array([0., 2.])
    """
    y = np.empty_like(x)
    scale_kept(x, draws, p, y)
    return y


def scale_kept(x: Array, draws: Array, p: float, y: Array) -> None:
    """Write `dropout` into y."""
    np.multiply(x, draws >= p, out=y)
    y *= 1 / (1 - p) if p < 1 else 0.0
