"""Adaptive pooling: divide an image into a given number of cells, with one output for each.

Output o of O covers the inputs ``⌊o·I/O⌋ ≤ i < ⌈(o + 1)·I/O⌉`` in each direction.
"""

from __future__ import annotations

import numpy as np

from pellucid.reference import memory
from pellucid.reference.resize import averaging_matrix, cells, resize2d
from pellucid.types import Array, Shape


def adaptive_avg_pool2d(x: Array, output_size: tuple[int, int]) -> Array:
    """Return the mean of each cell: (N, C, H, W) to (N, C, OH, OW).

    >>> adaptive_avg_pool2d(np.array([[[[1.0, 2.0], [3.0, 6.0]]]]), (1, 1)).item()
    3.0
    """
    (H, W), (OH, OW) = x.shape[2:], output_size
    return resize2d(x, averaging_matrix(H, OH), averaging_matrix(W, OW))


def adaptive_avg_pool2d_gradient(dy: Array, input_shape: Shape) -> Array:
    """Return dx: each value of a cell receives the same share of its dy."""
    (H, W), (OH, OW) = input_shape[2:], dy.shape[2:]
    return resize2d(dy, averaging_matrix(H, OH).T, averaging_matrix(W, OW).T)


def adaptive_max_pool2d(x: Array, output_size: tuple[int, int]) -> tuple[Array, Array]:
    """Return the maximum of each cell, and its position.

    Of equal maxima the first in scan order counts. The maximum of a cell with a NaN is NaN.

    Returns
    -------
    y
        The maxima, (N, C, OH, OW).
    indices
        The position ``h·W + w`` of each maximum in the image, an array of the same shape.

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
    """Return dx: pass each dy to the position of its maximum, and add where cells overlap."""
    N, C, H, W = input_shape
    plane = (np.arange(N)[:, None] + np.arange(C) * H * W * N)[:, :, None, None]
    places = indices * N + plane  # (n, c, h, w) is stored at ((c·H + h)·W + w)·N + n
    dx = np.bincount(places.ravel(), weights=dy.ravel(), minlength=N * C * H * W)
    return memory.batch_first(dx.reshape(C, H, W, N).astype(dy.dtype))
