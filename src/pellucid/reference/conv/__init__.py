"""Convolution: one algorithm per file. All compute the same functions, which `loops` defines.

==============  ====================================================================================
``loops``       the definition
``im2col``      patches as columns, one matrix product: for all shapes
``fft``         one product per frequency: for large kernels
``winograd2``   F(2×2, 3×3): for 3×3 kernels with stride 1
``winograd4``   F(4×4, 3×3): the same with fewer multiplications and larger rounding errors
==============  ====================================================================================

Convolution means cross-correlation here, as in all frameworks.
"""

from __future__ import annotations

import numpy as np

from pellucid.contract import Convolution
from pellucid.geometry import Window
from pellucid.reference.conv import choose
from pellucid.types import Array


def conv2d(x: Array, weight: Array, bias: Array | None, convolution: Convolution) -> Array:
    """Return ``y[f] = Σ over c of x[c] ⋆ w[f, c] + b[f]``, (N, F, OH, OW).

    >>> x, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> window = Window.of((3, 3), kernel_size=2)
    >>> conv2d(x, weight, np.array([0.5]), Convolution(x.shape, weight.shape, window))[0, 0]
    array([[4.5, 4.5],
           [4.5, 4.5]])
    """
    algorithm = _algorithm(convolution)
    y = algorithm.forward(x, weight, convolution.window, convolution.groups)
    if bias is not None:
        y += bias[:, None, None]
    return y


def conv2d_input_gradient(dy: Array, weight: Array, convolution: Convolution) -> Array:
    """Return ``dx[c] = Σ over f of dy[f] ∗ w[f, c]``, (N, C, H, W)."""
    algorithm = _algorithm(convolution)
    return algorithm.input_gradient(dy, weight, convolution.window, convolution.groups)


def conv2d_weight_gradient(dy: Array, x: Array, convolution: Convolution) -> Array:
    """Return ``dw[f, c] = Σ over n of x[n, c] ⋆ dy[n, f]``, (F, C/groups, KH, KW)."""
    algorithm = _algorithm(convolution)
    return algorithm.weight_gradient(dy, x, convolution.window, convolution.groups)


def conv2d_bias_gradient(dy: Array) -> Array:
    """Return ``db = Σ dy`` over batch and positions, (F,)."""
    return np.asarray(dy.sum(axis=(0, 2, 3)))


def conv2d_algorithm(convolution: Convolution) -> str:
    """Return the name of the requested algorithm, or of the one chosen by shape.

    >>> conv2d_algorithm(Convolution((1, 3, 8, 8), (4, 3, 5, 5), Window.of((8, 8), 5)))
    'im2col'
    """
    return choose.resolve(convolution)


def _algorithm(convolution: Convolution) -> choose.Algorithm:
    """Return the requested algorithm, or the one chosen by shape."""
    known = choose.ALGORITHMS.get(convolution.algorithm)
    return choose.get(choose.resolve(convolution)) if known is None else known
