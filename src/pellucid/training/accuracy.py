"""Count correct classifications."""

from __future__ import annotations

import numpy as np

from pellucid.losses import BinaryCrossEntropy, CrossEntropy, Loss
from pellucid.types import Array


def count_correct(loss: Loss, outputs: Array, targets: Array) -> int | None:
    """Return the number of correct outputs of a batch, or None if outputs are not classes.

    For cross entropy, the largest output (N, K) is the prediction; targets that are probabilities,
    as after mixing images, count as their largest class. For binary cross entropy with one output
    per sample, its sign is the prediction.

    >>> count_correct(CrossEntropy(), np.array([[0.1, 2.0], [3.0, 1.0]]), np.array([1, 1]))
    1
    """
    if isinstance(loss, CrossEntropy) and outputs.ndim == 2:
        labels = targets if targets.ndim == 1 else targets.argmax(axis=1)
        return int(np.count_nonzero(outputs.argmax(axis=1) == labels))
    if isinstance(loss, BinaryCrossEntropy) and outputs.size == len(outputs):
        return int(np.count_nonzero((outputs > 0) == (targets > 0.5)))
    return None
