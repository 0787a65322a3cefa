"""The nearest semi-orthogonal matrix, by Newton–Schulz iterations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pellucid.types import Array

Product = Callable[[Array, Array], Array]
"""A function that returns the matrix product of two matrices."""

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients (a, b, c) of the polynomial, chosen by Jordan so that small values grow fast."""


def orthogonalize(matrix: Array, steps: int = 5, product: Product = np.matmul) -> Array:
    """Return approximately U Vᵀ for a matrix with the singular value decomposition U S Vᵀ::

        X ← M / ‖M‖
        X ← a·X + b·(X Xᵀ) X + c·(X Xᵀ)² X        `steps` times

    Each step applies the odd polynomial ``p(s) = a·s + b·s³ + c·s⁵`` to every singular value s and
    leaves U and V as they are. Five steps bring values between 0.005 and 1 to between 0.68 and
    1.14, which suffices for `Muon`; more steps do not bring them closer to 1.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; the
    iteration is from Björck and Bowie, "An iterative algorithm for computing the best estimate of
    an orthogonal matrix", 1971.

    >>> matrix = np.diag([1.0, 10.0, 100.0])
    >>> np.linalg.svd(orthogonalize(matrix), compute_uv=False).round(2)
    array([0.71, 0.7 , 0.7 ])
    """
    a, b, c = COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = np.ascontiguousarray(matrix.T if is_tall else matrix)  # the smaller Gram matrix
    x = x / (np.sqrt(np.sum(np.square(x, dtype=np.float64))) + 1e-7).astype(x.dtype)
    for _ in range(steps):
        gram = product(x, x.T)
        x = a * x + product(b * gram + c * product(gram, gram), x)
    return np.asarray(x.T if is_tall else x)
