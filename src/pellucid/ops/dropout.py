"""Dropout with given random numbers."""

from __future__ import annotations

from pellucid import engine
from pellucid.types import Array


def dropout(x: Array, draws: Array, p: float) -> Array:
    """Return ``y = x · [u ≥ p] / (1 − p)`` for random numbers u in [0, 1).

    >>> import numpy as np
    >>> dropout(np.ones(2), np.array([0.2, 0.7]), p=0.5)
    array([0., 2.])
    """
    return engine.current(x).dropout(x, draws, p)
