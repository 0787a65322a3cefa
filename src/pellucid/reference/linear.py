"""The linear layer: y = x Wᵀ + b along the last axis.

With the batch last in memory, each image is a column, so no matrix has to be transposed.
"""

from __future__ import annotations

import numpy as np

from pellucid.reference.memory import batch_first, batch_last
from pellucid.types import Array


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return ``y = x Wᵀ + b`` for x (N, …, I), weight (O, I), bias (O).

    >>> linear(np.array([[1.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([0.5, 0.0]))
    array([[3.5, 6. ]])
    """
    y = weight @ batch_last(x)  # (O, I) × (…, I, N) -> (…, O, N)
    if bias is not None:
        y += bias[:, None]
    return batch_first(y)


def linear_input_gradient(dy: Array, weight: Array) -> Array:
    """Return ``dx = dy W``."""
    dx = weight.T @ batch_last(dy)  # (I, O) × (…, O, N) -> (…, I, N)
    return batch_first(dx)


def linear_weight_gradient(dy: Array, x: Array) -> Array:
    """Return ``dW = Σ dyᵀ x`` over all but the last axis."""
    batch = tuple(range(dy.ndim - 1))
    return np.tensordot(dy, x, (batch, batch))  # (O, N…) × (N…, I) -> (O, I)


def linear_bias_gradient(dy: Array) -> Array:
    """Return ``db = Σ dy`` over all but the last axis."""
    return np.asarray(dy.sum(axis=tuple(range(dy.ndim - 1))))
