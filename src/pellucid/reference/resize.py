"""Resize images: a linear map along each axis.

Every output row is a weighted sum of input rows, and every output column of input columns. So for
each image and channel, with matrices V (OH, H) for the rows and U (OW, W) for the columns::

    Y = V X Uᵀ          and its adjoint, the gradient:          dX = Vᵀ dY U

which is the same function with transposed matrices. Nearest-neighbour, bilinear and averaging
differ only in their matrices.
"""

from __future__ import annotations

import numpy as np

from pellucid.reference import memory
from pellucid.types import Array, Shape

Scales = tuple[float | None, float | None]


def upsample2d(
    x: Array, output_size: tuple[int, int], scales: Scales, mode: str, align_corners: bool
) -> Array:
    """Resize images (N, C, H, W) to `output_size` by nearest-neighbour or bilinear interpolation.

    `scales` are the factors given by the user, vertical and horizontal, or None.

    >>> x = np.array([[[[1.0, 2.0]]]])
    >>> upsample2d(x, (1, 4), (None, None), "nearest", align_corners=False)
    array([[[[1., 1., 2., 2.]]]])
    """
    return resize2d(x, *_matrices(x.shape, output_size, scales, mode, align_corners))


def upsample2d_gradient(
    dy: Array, input_shape: Shape, scales: Scales, mode: str, align_corners: bool
) -> Array:
    """Return dx: the adjoint, which is the same map with transposed matrices."""
    V, U = _matrices(input_shape, (dy.shape[2], dy.shape[3]), scales, mode, align_corners)
    return resize2d(dy, V.T, U.T)


def _matrices(
    input_shape: Shape,
    output_size: tuple[int, int],
    scales: Scales,
    mode: str,
    align_corners: bool,
) -> tuple[Array, Array]:
    sides = list(zip(input_shape[2:], output_size, scales, strict=True))
    if mode == "nearest":
        V, U = (nearest_matrix(*side) for side in sides)
    else:
        V, U = (bilinear_matrix(*side, align_corners) for side in sides)
    return V, U


def resize2d(x: Array, vertical: Array, horizontal: Array) -> Array:
    """Return ``Y = V X Uᵀ`` for every image and channel.

    Because 0·∞ is NaN, a non-finite pixel affects its whole rows and columns.

    Parameters
    ----------
    x
        Images (N, C, H, W).
    vertical, horizontal
        Matrices V (OH, H) and U (OW, W).

    Returns
    -------
    ndarray of shape (N, C, OH, OW)
        The resized images. The gradient is ``resize2d(dy, vertical.T, horizontal.T)``.

    Examples
    --------
    >>> halves = np.array([[0.5, 0.5]])
    >>> resize2d(np.array([[[[1.0, 2.0], [3.0, 6.0]]]]), halves, halves).item()
    3.0
    """
    N, C, H, W = x.shape
    V, U = vertical.astype(x.dtype, copy=False), horizontal.astype(x.dtype, copy=False)
    rows = V @ memory.batch_last(x).reshape(C, H, W * N)  # (OH, H) × (C, H, W·N) -> (C, OH, W·N)
    y = U @ rows.reshape(C, len(V), W, N)  # (OW, W) × (C, OH, W, N) -> (C, OH, OW, N)
    return memory.batch_first(y)


def nearest_matrix(size: int, output_size: int, scale: float | None = None) -> Array:
    """Return the (O, I) matrix that maps input ``⌊o · I/O⌋`` to output o.

    A given scale factor replaces O/I, unless the size stays or doubles. The step is a float32, as
    in PyTorch: for some sizes, rounding decides which neighbour is the nearest.

    >>> nearest_matrix(2, 4)
    array([[1., 0.],
           [1., 0.],
           [0., 1.],
           [0., 1.]])
    """
    if scale is None or output_size in (size, 2 * size):
        step = np.float32(size) / np.float32(output_size)
    else:
        step = np.float32(1 / scale)
    source = np.floor(np.arange(output_size, dtype=np.float32) * step).astype(np.intp)
    matrix: Array = np.eye(size)[np.minimum(source, size - 1)]
    return matrix


def bilinear_matrix(
    size: int, output_size: int, scale: float | None = None, align_corners: bool = False
) -> Array:
    """Return the (O, I) matrix of linear interpolation between the two inputs around a position.

    Output o is at the input position ``(o + ½) · I/O − ½``, because pixels are squares with their
    centres at integers; with `align_corners` at ``o · (I − 1)/(O − 1)``, so that the outermost
    centres coincide. Beyond the outermost centres the value is constant. A given scale factor
    replaces O/I, unless the size stays.

    >>> bilinear_matrix(2, 4)
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]])
    """
    outputs = np.arange(output_size)
    if align_corners:
        position = outputs * ((size - 1) / max(output_size - 1, 1))
    else:
        step = size / output_size if scale is None or output_size == size else 1 / scale
        position = (outputs + 0.5) * step - 0.5
    distance = np.abs(position.clip(0, size - 1)[:, None] - np.arange(size))
    matrix: Array = np.maximum(1 - distance, 0)
    return matrix


def averaging_matrix(size: int, output_size: int) -> Array:
    """Return the (O, I) matrix whose output o is the mean of ``⌊o·I/O⌋ ≤ i < ⌈(o + 1)·I/O⌉``.

    >>> averaging_matrix(3, 2)
    array([[0.5, 0.5, 0. ],
           [0. , 0.5, 0.5]])
    """
    matrix = np.zeros((output_size, size))
    for row, cell in zip(matrix, cells(size, output_size), strict=True):
        row[cell] = 1 / (cell.stop - cell.start)
    return matrix


def cells(size: int, output_size: int) -> list[slice]:
    """Return O parts of 0 … I − 1 of nearly equal size, which overlap if O does not divide I.

    >>> cells(3, 2)
    [slice(0, 2, None), slice(1, 3, None)]
    """
    return [
        slice(o * size // output_size, -(-(o + 1) * size // output_size))
        for o in range(output_size)
    ]
