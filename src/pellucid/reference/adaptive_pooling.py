"""Adaptive pooling: the image is cut into a given number of cells, one output for each.

Output o of O takes the inputs ``⌊o·I/O⌋ ≤ i < ⌈(o + 1)·I/O⌉``, along each direction.
"""

from __future__ import annotations

import numpy as np

from pellucid.reference import memory
from pellucid.reference.resize import averaging_matrix, cells, resize2d
from pellucid.types import Array, Shape


def adaptive_avg_pool2d(x: Array, output_size: tuple[int, int]) -> Array:
    """Return the mean of each cell: (N, C, H, W) -> (N, C, OH, OW).

    >>> adaptive_avg_pool2d(np.array([[[[1.0, 2.0], [3.0, 6.0]]]]), (1, 1)).item()
    3.0
    """
    (H, W), (OH, OW) = x.shape[2:], output_size
    return resize2d(x, averaging_matrix(H, OH), averaging_matrix(W, OW))


def adaptive_avg_pool2d_gradient(dy: Array, input_shape: Shape) -> Array:
    """Return dx: each value of a cell receives the same share of its dy; averaging is linear."""
    (H, W), (OH, OW) = input_shape[2:], dy.shape[2:]
    return resize2d(dy, averaging_matrix(H, OH).T, averaging_matrix(W, OW).T)


def adaptive_max_pool2d(x: Array, output_size: tuple[int, int]) -> tuple[Array, Array]:
    """Return the maximum of each cell, and where it was.

    Of equal maxima the first in scan order wins. A cell that holds NaN gives NaN.

    Returns
    -------
    y
        (N, C, OH, OW).
    indices
        Of the same shape: the position ``h·W + w`` in the image.

    Examples
    --------
    >>> y, indices = adaptive_max_pool2d(np.array([[[[1.0, 2.0], [6.0, 6.0]]]]), (1, 1))
    >>> y.item(), indices.item()
    (6.0, 2)
    """
    N, C, H, W = x.shape
    y = memory.empty((N, C, *output_size), x.dtype)
    indices = memory.empty(y.shape, np.intp)
    positions = np.arange(H * W).reshape(H, W)
    for o, rows in enumerate(cells(H, output_size[0])):
        for p, columns in enumerate(cells(W, output_size[1])):
            here = positions[rows, columns].ravel()
            cell = x[:, :, rows, columns].reshape(N, C, here.size)
            winner = cell.argmax(axis=2)
            y[:, :, o, p] = np.take_along_axis(cell, winner[:, :, None], axis=2)[:, :, 0]
            indices[:, :, o, p] = here[winner]
    return y, indices


def adaptive_max_pool2d_gradient(dy: Array, indices: Array, input_shape: Shape) -> Array:
    """Return dx: each dy goes to where its maximum was; where cells overlap, they add."""
    N, C, H, W = input_shape
    plane = (np.arange(N)[:, None] + np.arange(C) * H * W * N)[:, :, None, None]
    places = indices * N + plane  # the place of (n, c, h, w) in memory is ((c·H + h)·W + w)·N + n
    dx = np.bincount(places.ravel(), weights=dy.ravel(), minlength=N * C * H * W)
    return memory.batch_first(dx.reshape(C, H, W, N).astype(dy.dtype))
