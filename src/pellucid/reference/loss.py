"""Loss functions: one number for a batch, and its gradient for the outputs.

All means and weights are in the coefficients a, which the caller computes, so each loss is a plain
sum. It is computed in float64.
"""

from __future__ import annotations

import numpy as np

from pellucid.reference.activation import sigmoid
from pellucid.reference.softmax import log_softmax
from pellucid.types import Array


def cross_entropy(z: Array, a: Array) -> tuple[float, Array]:
    """Return ``L = −Σ aₙₖ·log pₙₖ`` with p = softmax(z) along axis 1, and its gradient.

    ``∂L/∂zₙⱼ = pₙⱼ·Σₖ aₙₖ − aₙⱼ``, as ``∂ log pₙₖ/∂zₙⱼ = [j = k] − pₙⱼ``. For a score of −∞, p is
    0; if a is 0 too, the term is 0, as always for ``0·log 0``.

    Parameters
    ----------
    z, a
        Scores and coefficients, both (N, K, …).
        (N, K, …)

    Examples
    --------
    >>> value, gradient = cross_entropy(np.zeros((1, 2)), np.array([[1.0, 0.0]]))
    >>> round(value, 4), gradient.tolist()
    (0.6931, [[-0.5, 0.5]])
    """
    log_p = log_softmax(z, 1)
    gradient: Array = np.exp(log_p) * a.sum(axis=1, keepdims=True) - a
    return -_total(_product(a, log_p)), gradient


def mean_squared_error(y: Array, t: Array, a: Array) -> tuple[float, Array]:
    """Return ``L = Σ a·(y − t)²`` and ``∂L/∂y = 2a·(y − t)``; a is broadcast to y's shape.

    >>> mean_squared_error(np.array([3.0]), np.array([1.0]), np.array([0.5]))
    (2.0, array([2.]))
    """
    difference = y - t
    gradient: Array = 2 * a * difference
    return _total(a * difference * difference), gradient


def binary_cross_entropy(z: Array, t: Array, a: Array) -> tuple[float, Array]:
    """Return ``L = −Σ a·(t·log σ(z) + (1 − t)·log(1 − σ(z)))`` and ``∂L/∂z = a·(σ(z) − t)``.

    Computed as ``Σ a·((1 − t)·max(z, 0) − t·min(z, 0) + log(1 + exp(−|z|)))``, which does not
    overflow, and is 0 for infinite z of the right sign.

    >>> value, gradient = binary_cross_entropy(np.zeros(1), np.ones(1), np.ones(1))
    >>> round(value, 4), gradient.tolist()
    (0.6931, [-0.5])
    """
    above, below = np.maximum(z, 0), np.minimum(z, 0)
    each = _product(1 - t, above) - _product(t, below) + np.log1p(np.exp(-np.abs(z)))
    gradient: Array = a * (sigmoid(z) - t)
    return _total(_product(a, each)), gradient


def _product(a: Array, logarithm: Array) -> Array:
    """Return ``a·logarithm``, or 0 where a is 0 and the logarithm infinite."""
    counts = (a != 0) | ~np.isinf(logarithm)
    product: Array = np.multiply(a, logarithm, out=np.zeros_like(logarithm), where=counts)
    return product


def _total(terms: Array) -> float:
    return float(terms.sum(dtype=np.float64))
