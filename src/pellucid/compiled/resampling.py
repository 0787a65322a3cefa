"""Average pooling and resizing: along each axis, an output is a weighted sum of some inputs. ::

    Y = V X Uᵀ,     y[o, p] = Σ_i Σ_j V[o, i] · U[p, j] · x[i, j]

The matrices V and U are those of `pellucid.reference`, of which only what is not 0 is read. A
gradient is the same with both transposed.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pellucid.compiled.arithmetic import fma
from pellucid.compiled.epilogue_kernels import VECTORS, WIDTH
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit
from pellucid.compiled.layout import in_lanes, new_array
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    fetch_runs_ahead,
    live_lanes,
    load_run,
    store_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.reference.resize import averaging_matrix, bilinear_matrix, nearest_matrix
from pellucid.types import Array, Shape

Scales = tuple[float | None, float | None]


class Rows(NamedTuple):
    """A matrix without its zeros: row o has the entries ``first[o] … first[o + 1]``."""

    first: Array
    source: Array
    weight: Array


def avg_pool2d(x: Array, window: Window, count_include_pad: bool) -> Array:
    """Return the mean of each window."""
    rows = _windows(window, count_include_pad, False)
    if rows is None or x.size == 0:
        return reference.avg_pool2d(x, window, count_include_pad)
    return _resampled(x, rows)


def avg_pool2d_gradient(dy: Array, window: Window, count_include_pad: bool) -> Array:
    """Return dx: each value of a window receives the same share."""
    rows = _windows(window, count_include_pad, True)
    if rows is None or dy.size == 0:
        return reference.avg_pool2d_gradient(dy, window, count_include_pad)
    return _resampled(dy, rows)


def means_of_cells(x: Array, output_size: tuple[int, int]) -> Array:
    """Return the mean of each cell of adaptive pooling."""
    return _resampled(x, _cells((x.shape[2], x.shape[3]), output_size, False))


def means_of_cells_gradient(dy: Array, input_shape: Shape) -> Array:
    """Return dx: each value of a cell receives the same share."""
    size, cells = (input_shape[2], input_shape[3]), (dy.shape[2], dy.shape[3])
    return _resampled(dy, _cells(size, cells, True))


def upsample2d(
    x: Array, output_size: tuple[int, int], scales: Scales, mode: str, align_corners: bool
) -> Array:
    """Return images resized to `output_size`."""
    if x.size == 0:
        return reference.upsample2d(x, output_size, scales, mode, align_corners)
    return _resampled(x, _resizing(x.shape[2:], output_size, scales, mode, align_corners, False))


def upsample2d_gradient(
    dy: Array, input_shape: Shape, scales: Scales, mode: str, align_corners: bool
) -> Array:
    """Return dx: each input sums the dy of the outputs that it contributed to."""
    if dy.size == 0:
        return reference.upsample2d_gradient(dy, input_shape, scales, mode, align_corners)
    size = dy.shape[2], dy.shape[3]
    return _resampled(dy, _resizing(input_shape[2:], size, scales, mode, align_corners, True))


@lru_cache(maxsize=512)
def _windows(window: Window, count_padding: bool, gradient: bool) -> tuple[Rows, Rows] | None:
    """Return the means of windows along both axes; None if a window has nothing to average."""
    both = []
    for axis in (0, 1):
        size, outputs, before = window.size[axis], window.output_size[axis], window.padding[axis]
        matrix, padded = np.zeros((outputs, size)), size + sum(before)
        for output, _, source in window.meetings(axis):
            matrix[output, source] = 1
        begins = np.arange(outputs)[:, None] * window.stride[axis]
        taps = begins + np.arange(window.kernel[axis]) * window.dilation[axis]
        counts = (taps < padded).sum(axis=1) if count_padding else matrix.sum(axis=1)
        if not counts.all():
            return None
        both.append(_rows(matrix / counts[:, None], gradient))
    return both[0], both[1]


@lru_cache(maxsize=512)
def _cells(size: tuple[int, int], cells: tuple[int, int], gradient: bool) -> tuple[Rows, Rows]:
    down, across = (averaging_matrix(*each) for each in zip(size, cells, strict=True))
    return _rows(down, gradient), _rows(across, gradient)


@lru_cache(maxsize=512)
def _resizing(
    size: Shape, output_size: Shape, scales: Scales, mode: str, align_corners: bool, gradient: bool
) -> tuple[Rows, Rows]:
    sides = list(zip(size, output_size, scales, strict=True))
    if mode == "nearest":
        down, across = (nearest_matrix(*side) for side in sides)
    else:
        down, across = (bilinear_matrix(*side, align_corners) for side in sides)
    return _rows(down, gradient), _rows(across, gradient)


def _rows(matrix: Array, gradient: bool) -> Rows:
    """Return a matrix, or its transpose, without its zeros."""
    turned = matrix.T if gradient else matrix
    row, source = np.nonzero(turned)
    first = np.searchsorted(row, np.arange(len(turned) + 1))
    return Rows(first, source, turned[row, source])


def _resampled(x: Array, rows: tuple[Rows, Rows]) -> Array:
    down, across = rows
    y = new_array((*x.shape[:2], len(down.first) - 1, len(across.first) - 1))
    most = int(np.diff(down.first).max() * np.diff(across.first).max())
    _kernel(in_lanes(x), *down, *across, most, in_lanes(y))
    return y


@jit
def _kernel(
    mine, x, row_first, row_source, row_weight, column_first, column_source, column_weight, most, y
):
    """Write y from x, both as `in_lanes` returns them; an output has at most `most` inputs."""
    _, W, C, N = x.shape
    OH, OW, height = len(row_first) - 1, y.shape[1], y.shape[0]
    # pixels of an image, of which some may lie one below the other
    size = x.shape[0] * W * OH // height
    xs, ys = x.reshape(-1), y.reshape(-1)
    pixels, weights = np.empty(most, np.int64), np.empty(most, np.float32)
    for position in share_of(mine, height * OW):
        oh, ow, start = position // OW % OH, position % OW, position // (OW * OH) * size
        count = 0
        for i in range(row_first[oh], row_first[oh + 1]):
            for j in range(column_first[ow], column_first[ow + 1]):
                pixels[count] = start + row_source[i] * W + column_source[j]
                weights[count] = row_weight[i] * column_weight[j]
                count += 1
        for c in range(C):
            for n in range(0, N, WIDTH):
                lanes = live_lanes(N - n, VECTORS)
                total = zero_tile(1, VECTORS)
                for k in range(count):
                    at = (pixels[k] * C + c) * N + n
                    fetch_runs_ahead(xs, at, VECTORS)
                    total = fma(load_run(xs, at, VECTORS, lanes), weights[k], total)
                o = (position * C + c) * N + n
                fetch_runs_ahead(ys, o, VECTORS)
                store_tile(total, ys, o, N, 1, lanes)
