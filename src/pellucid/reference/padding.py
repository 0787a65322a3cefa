"""Padding of images.

The value at each padded position p is ``x[source(p)]``, where the source depends on the mode::

    p           -3 -2 -1 |  0  1  2  3 |  4  5  6
    constant     v  v  v |  0  1  2  3 |  v  v  v
    reflect      3  2  1 |  0  1  2  3 |  2  1  0
    replicate    0  0  0 |  0  1  2  3 |  3  3  3
    circular     1  2  3 |  0  1  2  3 |  0  1  2

Rows and columns are padded one after the other. The adjoint sums, for each source, the gradients of
all positions that show its value.
"""

from __future__ import annotations

import numpy as np

from pellucid.geometry import Sides
from pellucid.reference import memory
from pellucid.types import Array


def pad2d(x: Array, sides: Sides, mode: str, value: float) -> Array:
    """Return `x` (N, C, H, W) with padding `sides` = ((top, bottom), (left, right)).

    Parameters
    ----------
    mode
        ``zeros``, ``constant`` (filled with `value`), ``reflect``, ``replicate`` or ``circular``.

    Examples
    --------
    >>> pad2d(np.array([[[[1, 2, 3]]]]), ((0, 0), (2, 1)), "reflect", 0).ravel()
    array([3, 2, 1, 2, 3, 2])
    """
    if mode in _SOURCES:
        H, W = x.shape[2:]
        images = x.transpose(1, 2, 3, 0)
        images = images.take(_source(H, sides[0], mode), axis=1)
        return memory.batch_first(images.take(_source(W, sides[1], mode), axis=2))
    (N, C, H, W), ((top, bottom), (left, right)) = x.shape, sides
    rows, columns = slice(top, top + H), slice(left, left + W)
    y = memory.empty((N, C, top + H + bottom, left + W + right), x.dtype)
    y[:, :, : rows.start] = y[:, :, rows.stop :] = value
    y[:, :, rows, : columns.start] = y[:, :, rows, columns.stop :] = value
    y[:, :, rows, columns] = x
    return y


def pad2d_gradient(dy: Array, sides: Sides, mode: str) -> Array:
    """Return dx: the gradients of the padding are added to those of the pixels it shows.

    >>> pad2d_gradient(np.ones((1, 1, 1, 6)), ((0, 0), (2, 1)), "reflect").ravel()
    array([1., 3., 2.])
    """
    return _fold(_fold(dy, 3, sides[1], mode), 2, sides[0], mode)


def _fold(dy: Array, axis: int, side: tuple[int, int], mode: str) -> Array:
    """Return the adjoint of padding along one axis."""
    along = np.moveaxis(dy, axis, 0)
    before, stop = side[0], len(along) - side[1]
    dx = along[before:stop].copy(order="K")
    if mode in _SOURCES:
        source = _source(len(dx), side, mode)
        for p in (*range(before), *range(stop, len(along))):
            dx[source[p]] += along[p]
    return np.moveaxis(dx, 0, axis)


def _source(size: int, side: tuple[int, int], mode: str) -> Array:
    """Return the source of each padded position."""
    source: Array = _SOURCES[mode](np.arange(-side[0], size + side[1]), size)
    return source


_SOURCES = {
    "reflect": lambda p, size: size - 1 - abs(size - 1 - abs(p)),
    "replicate": lambda p, size: p.clip(0, size - 1),
    "circular": lambda p, size: p % size,
}
