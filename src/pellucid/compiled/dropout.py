"""Dropout: NumPy computes it fast enough; this file records the call for replay."""

import numpy as np

from pellucid.reference.dropout import scale_kept
from pellucid.runtime.recording import recorded
from pellucid.types import Array


def dropout(x: Array, draws: Array, p: float) -> Array:
    """Return ``y = x · [u ≥ p] / (1 − p)``."""
    y = np.empty_like(x)
    _scale_kept(x, draws, p, y)
    return y


@recorded
def _scale_kept(x: Array, draws: Array, p: float, y: Array) -> None:
    with np.errstate(invalid="ignore"):  # in a rehearsal, nothing has written x
        scale_kept(x, draws, p, y)
