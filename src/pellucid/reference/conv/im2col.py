"""Arrange patches as columns, then compute one matrix product. ::

    columns[c·KH·KW + i·KW + j, (oh·OW + ow)·N + n] = x[n, c, oh·S + i·D − P, ow·S + j·D − P]

    y  = W · columns              (F, K) × (K, M) -> (F, M)            K = C·KH·KW, M = OH·OW·N
    dx = col2im(Wᵀ · dy)          (K, F) × (F, M) -> (K, M)
    dw = dy · columnsᵀ            (F, M) × (M, K) -> (F, K)

Each column holds what one output reads, so that a convolution becomes a matrix product, which BLAS
libraries compute very efficiently. The batch is last in memory, so the product *is* the output,
without a transposition. With groups, each group has its own product. The columns are made for a
piece of the output at a time, to save memory.

Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing", 2006.

Error: each result is a sum of n products in some order, so ``|error| ≤ γₙ · Σ|x|·|w|`` with γₙ =
n·u / (1 − n·u), u = 2⁻²⁴ in float32 and 2⁻⁵³ in float64 (Higham 2002, eq. 3.5); n = C/groups·KH·KW
for y, F/groups·KH·KW for dx, N·OH·OW for dw.
"""

from __future__ import annotations

import math

import numpy as np

from pellucid.geometry import Window
from pellucid.reference import memory
from pellucid.reference.conv import pieces
from pellucid.reference.conv.patches import batch_innermost, gather, scatter
from pellucid.types import Array, Shape


def im2col(x: Array, window: Window) -> Array:
    """Return the columns (C·KH·KW, OH·OW·N) of images `x` (N, C, H, W), one for each output.

    If each output reads one pixel, and every pixel is read, the columns are a view of `x`.

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> im2col(x, Window.of((3, 3), kernel_size=2))
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    patches = gather(x, window)
    return patches.reshape(math.prod(patches.shape[:3]), -1)


def col2im(columns: Array, input_shape: Shape, window: Window) -> Array:
    """Return images of `input_shape` (N, C, H, W): the sum of all columns at their positions.

    The adjoint of `im2col`: ⟨im2col(x), columns⟩ = ⟨x, col2im(columns)⟩.

    Examples
    --------
    >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), Window.of((3, 3), kernel_size=2))[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    dx = memory.zeros(input_shape, columns.dtype)
    N, C = input_shape[:2]
    scatter(columns.reshape(C, *window.kernel, *window.output_size, N), window, dx)
    return dx


def supports(window: Window, groups: int) -> str | None:
    """Return None: all windows are supported."""
    return None


def forward(x: Array, weight: Array, window: Window, groups: int) -> Array:
    """Return y (N, F, OH, OW) for x (N, C, H, W) and weight (F, C/groups, KH, KW)."""
    W = _grouped(weight, groups)
    shape = (len(x), len(weight), *window.output_size)
    y = memory.empty(shape, np.result_type(x, weight))
    row_bytes = _row_bytes(weight.shape, window, groups, y.itemsize)
    for piece in pieces.pieces(window, len(x), row_bytes):
        part = y[piece.images, :, piece.rows].transpose(1, 2, 3, 0)
        read = x[piece.images, :, piece.image_rows]
        # for each group: (F/G, K) × (K, M) -> (F/G, M)
        part[...] = _product(W, _columns(read, piece.window, groups)).reshape(part.shape)
    return y


def input_gradient(dy: Array, weight: Array, window: Window, groups: int) -> Array:
    """Return dx (N, C, H, W): distribute each output's gradient over the column it read."""
    W = _grouped(weight, groups).transpose(0, 2, 1)
    C = weight.shape[1] * groups
    dx = memory.zeros((len(dy), C, *window.size), np.result_type(dy, weight))
    row_bytes = _row_bytes(weight.shape, window, groups, dx.itemsize)
    for piece in pieces.pieces(window, len(dy), row_bytes):
        part = dy[piece.images, :, piece.rows]
        shape = (C, *window.kernel, *piece.window.output_size, len(part))
        read = dx[piece.images, :, piece.image_rows]
        # for each group: (K, F/G) × (F/G, M) -> (K, M)
        scatter(_product(W, _outputs(part, groups)).reshape(shape), piece.window, read)
    return dx


def weight_gradient(dy: Array, x: Array, window: Window, groups: int) -> Array:
    """Return dw (F, C/groups, KH, KW): sum each output's gradient times the column it read."""
    shape = (dy.shape[1], x.shape[1] // groups, *window.kernel)
    dw = np.zeros((groups, math.prod(shape[1:]), shape[0] // groups), np.result_type(dy, x))
    row_bytes = _row_bytes(shape, window, groups, dw.itemsize)
    for piece in pieces.pieces(window, len(x), row_bytes):
        part = dy[piece.images, :, piece.rows]
        read = x[piece.images, :, piece.image_rows]
        # for each group: (K, M) × (M, F/G) -> (K, F/G), the faster of the two orders
        dw += _columns(read, piece.window, groups) @ _outputs(part, groups).transpose(0, 2, 1)
    return dw.transpose(0, 2, 1).reshape(shape)


def multiplications(input_shape: Shape, weight_shape: Shape, window: Window, groups: int) -> int:
    """Return N·F·OH·OW·(C/groups)·KH·KW, as in the definition."""
    return input_shape[0] * math.prod(weight_shape) * math.prod(window.output_size)


def scratch_bytes(
    input_shape: Shape, weight_shape: Shape, window: Window, groups: int, itemsize: int
) -> int:
    """Return the memory in bytes that `forward` needs for the columns of a piece."""
    row_bytes = _row_bytes(weight_shape, window, groups, itemsize)
    return pieces.scratch_bytes(window, input_shape[0], row_bytes)


def _row_bytes(weight_shape: Shape, window: Window, groups: int, itemsize: int) -> int:
    """Return the bytes for an output row of an image: columns, their inputs, and the result."""
    F, channels, KH, KW = weight_shape
    C, OW = channels * groups, window.output_size[1]
    read = C * window.extent[0] * window.size[1]
    return (C * KH * KW * OW + read + F * OW) * itemsize


def _grouped(weight: Array, groups: int) -> Array:
    """Return `weight` (F, C/G, KH, KW) as one matrix per group, (G, F/G, K)."""
    return weight.reshape(groups, len(weight) // groups, -1)


def _columns(x: Array, window: Window, groups: int) -> Array:
    """Return the columns of each group, (G, K, M)."""
    columns = im2col(x, window)
    return columns.reshape(groups, len(columns) // groups, -1)


def _outputs(dy: Array, groups: int) -> Array:
    """Return `dy` (N, F, OH, OW) as one matrix per group, (G, F/G, M)."""
    F = dy.shape[1]
    return batch_innermost(dy).reshape(groups, F // groups, -1)


def _product(a: Array, b: Array) -> Array:
    """Return a·b; if each sum has one term, without the overhead of a matrix product."""
    return a * b if a.shape[-1] == 1 else a @ b
