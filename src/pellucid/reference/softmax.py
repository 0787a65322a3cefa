"""Softmax and its logarithm along one axis.

Both subtract from each row its own maximum m, which does not change the quotient and makes the
largest exponent 0. The maximum over the whole array would prevent overflow too, but the
exponentials of a row far below it would all underflow to 0.
"""

from __future__ import annotations

import numpy as np

from pellucid.types import Array


def softmax(x: Array, dim: int = 1) -> Array:
    """Return ``yᵢ = exp(xᵢ − m) / Σⱼ exp(xⱼ − m)`` along `dim`.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    y: Array = np.exp(x - x.max(axis=dim, keepdims=True))
    y /= y.sum(axis=dim, keepdims=True)
    return y


def softmax_gradient(dy: Array, y: Array, dim: int = 1) -> Array:
    """Return ``dxᵢ = yᵢ·(dyᵢ − Σⱼ dyⱼ·yⱼ)``."""
    dx: Array = y * (dy - (dy * y).sum(axis=dim, keepdims=True))
    return dx


def log_softmax(x: Array, dim: int = 1) -> Array:
    """Return ``yᵢ = xᵢ − m − log Σⱼ exp(xⱼ − m)`` along `dim`.

    >>> log_softmax(np.array([[1000.0, 0.0]]))
    array([[    0., -1000.]])
    """
    y: Array = x - x.max(axis=dim, keepdims=True)
    y -= np.log(np.exp(y).sum(axis=dim, keepdims=True))
    return y


def log_softmax_gradient(dy: Array, y: Array, dim: int = 1) -> Array:
    """Return ``dxᵢ = dyᵢ − exp(yᵢ)·Σⱼ dyⱼ``."""
    dx: Array = dy - np.exp(y) * dy.sum(axis=dim, keepdims=True)
    return dx
