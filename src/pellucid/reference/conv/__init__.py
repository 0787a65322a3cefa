"""Convolution, one algorithm a file. All compute the same three functions; `loops` defines them.

==============  ====================================================================================
``loops``       the definition
``im2col``      patches to columns, one matrix product: for everything
``fft``         one product per frequency: for large kernels
``winograd2``   F(2×2, 3×3): for 3×3 kernels with stride 1
``winograd4``   F(4×4, 3×3): the same with fewer multiplications and somewhat larger rounding errors
==============  ====================================================================================

Convolution means cross-correlation, as in every framework.
"""

import numpy as np

from pellucid.geometry import Window
from pellucid.reference.conv import choose
from pellucid.types import Array, Shape


def conv2d(
    x: Array, weight: Array, bias: Array | None, window: Window, groups: int, algorithm: str
) -> Array:
    """Return ``y[f] = Σ over c of x[c] ⋆ w[f, c] + b[f]``, (N, F, OH, OW).

    >>> x, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> conv2d(x, weight, np.array([0.5]), Window.of((3, 3), 2), 1, "auto")[0, 0]
    array([[4.5, 4.5],
           [4.5, 4.5]])
    """
    chosen = choose.resolve(algorithm, x.shape, weight.shape, window, groups)
    y = chosen.forward(x, weight, window, groups)
    if bias is not None:
        y += bias[:, None, None]
    return y


def conv2d_input_gradient(
    dy: Array,
    weight: Array,
    input_shape: Shape,
    window: Window,
    groups: int,
    algorithm: str,
    onto: Array | None = None,
) -> Array:
    """Return dx of `input_shape` (N, C, H, W), added to `onto` if there is one."""
    chosen = choose.resolve(algorithm, input_shape, weight.shape, window, groups)
    dx = chosen.input_gradient(dy, weight, window, groups)
    return dx if onto is None else dx + onto


def conv2d_weight_gradient(
    dy: Array, x: Array, weight_shape: Shape, window: Window, groups: int, algorithm: str
) -> Array:
    """Return dw of `weight_shape` (F, C/groups, KH, KW), summed over the batch."""
    chosen = choose.resolve(algorithm, x.shape, weight_shape, window, groups)
    return chosen.weight_gradient(dy, x, window, groups)


def conv2d_bias_gradient(dy: Array) -> Array:
    """Return ``db = Σ dy`` over batch and positions, (F,)."""
    return np.asarray(dy.sum(axis=(0, 2, 3)))


def reads_through(
    algorithm: str, input_shape: Shape, weight_shape: Shape, window: Window, groups: int
) -> bool:
    """Return whether images are read through a normalisation: here they are written first."""
    return False


def conv2d_algorithm(
    algorithm: str, input_shape: Shape, weight_shape: Shape, window: Window, groups: int
) -> str:
    """Return `algorithm` if it can do this convolution, or for ``auto`` the name of the chosen one.

    >>> conv2d_algorithm("auto", (1, 3, 8, 8), (4, 3, 5, 5), Window.of((8, 8), 5), 1)
    'im2col'
    """
    if algorithm in choose.BY_SHAPE:
        precise = algorithm == "precise"
        return choose.choose(input_shape, weight_shape, window, groups, precise).name
    choose.resolve(algorithm, input_shape, weight_shape, window, groups)
    return algorithm
