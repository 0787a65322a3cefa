"""Checks without expected numbers: functions are adjoint, a gradient is the slope."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pellucid.types import Array


def adjoint_error(
    forward: Callable[[Array], Array], adjoint: Callable[[Array], Array], x: Array
) -> float:
    """Return the difference of ⟨forward(x), y⟩ and ⟨x, adjoint(y)⟩ relative to ‖forward(x)‖·‖y‖.

    >>> matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> adjoint_error(lambda x: matrix @ x, lambda y: matrix.T @ y, np.array([1.0, -1.0])) < 1e-15
    True
    """
    image = np.asarray(forward(x))
    y = image + np.random.default_rng(1).normal(size=image.shape)
    there, here = np.vdot(image, y), np.vdot(x, adjoint(y))
    return float(abs(there - here) / (np.linalg.norm(image) * np.linalg.norm(y)))


def slope_error(
    loss: Callable[[Array], float], x: Array, gradient: Array, h: float = 1e-5
) -> float:
    """Return the error of `gradient` against slopes of `loss` at x, relative to the largest one.

    >>> x = np.array([1.0, 2.0])
    >>> slope_error(lambda x: float((x**2).sum()), x, 2 * x) < 1e-9
    True
    """
    slopes = np.empty_like(x)
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = h
        slopes[at] = (loss(x + step) - loss(x - step)) / (2 * h)
    return float(np.abs(slopes - gradient).max() / np.abs(slopes).max())
