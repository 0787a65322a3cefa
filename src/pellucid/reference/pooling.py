"""Max and average pooling over windows.

Both loop over the positions of the kernel (taps), with one operation on whole arrays for each.
Where windows overlap, an input belongs to several outputs, and their gradients add.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.geometry import Window
from pellucid.reference import memory
from pellucid.types import Array


def max_pool2d(x: Array, window: Window) -> tuple[Array, Array]:
    """Return the maximum of each window, and its position.

    ``y[n, c, o, p] = max over (i, j) of x[n, c, o·S + i·D − P, p·S + j·D − P]``. Padding is never
    the maximum. Of equal maxima the first in scan order counts. The maximum of a window with a NaN
    is NaN.

    Parameters
    ----------
    x
        Images (N, C, H, W).
    window
        How the kernel slides over the image.

    Returns
    -------
    y
        The maxima, (N, C, OH, OW).
    indices
        The tap ``i·KW + j`` of each maximum, as small integers of the same shape.

    Examples
    --------
    >>> y, indices = max_pool2d(np.array([[[[1.0, 3.0], [3.0, 0.0]]]]), Window.of((2, 2), 2))
    >>> y.item(), indices.item()
    (3.0, 1)
    """
    shape = (*x.shape[:2], *window.output_size)
    y = memory.full(shape, -np.inf, x.dtype)
    indices = memory.empty(shape, np.min_scalar_type(window.kernel[0] * window.kernel[1] - 1))
    indices[...] = _first_inside(window)
    for k, (_, _, outputs, image) in enumerate(window.inner_taps()):
        values, best, winner = x[:, :, *image], y[:, :, *outputs], indices[:, :, *outputs]
        # k increases, so the maximum is the latest tap that won; masks are much slower
        np.maximum(winner, (values > best) * indices.dtype.type(k), out=winner)
        np.maximum(best, values, out=best)
    if np.isnan(y).any():  # the maximum propagated NaN, but comparisons with it are false
        for k, (_, _, outputs, image) in enumerate(window.inner_taps()):
            indices[:, :, *outputs][np.isnan(x[:, :, *image])] = k
    return y, indices


def max_pool2d_gradient(dy: Array, indices: Array, window: Window) -> Array:
    """Return dx: pass each dy to the position of its maximum, ``dx[tap k] += dy · [indices = k]``.

    With the indices fixed, max pooling is linear, and this is its adjoint.
    """
    dx, overlap = memory.zeros((*dy.shape[:2], *window.size), dy.dtype), _overlap(window)
    for k, (_, _, outputs, image) in enumerate(window.inner_taps()):
        part, won = dx[:, :, *image], indices[:, :, *outputs] == k
        if overlap:
            part += dy[:, :, *outputs] * won
        else:
            np.multiply(dy[:, :, *outputs], won, out=part)
    return dx


def avg_pool2d(x: Array, window: Window, count_include_pad: bool) -> Array:
    """Return ``y[n, c, o, p] = 1/count · Σ over (i, j) of x[n, c, o·S + i − P, p·S + j − P]``.

    The count is the number of the window's values, with or without padding (which adds zeros).
    Positions beyond the padding, in the partial windows of `ceil_mode`, never count.

    >>> x = np.array([[[[1.0, 3.0], [3.0, 1.0]]]])
    >>> avg_pool2d(x, Window.of((2, 2), 2), count_include_pad=True).item()
    2.0
    """
    y = memory.zeros((*x.shape[:2], *window.output_size), x.dtype)
    for _, _, outputs, image in window.inner_taps():
        y[:, :, *outputs] += x[:, :, *image]
    y /= _counts(window, count_include_pad).astype(x.dtype)
    return y


def avg_pool2d_gradient(dy: Array, window: Window, count_include_pad: bool) -> Array:
    """Return dx: each value of a window receives the same share, ``dx[tap] += dy / count``."""
    share = dy / _counts(window, count_include_pad).astype(dy.dtype)
    dx = memory.zeros((*dy.shape[:2], *window.size), dy.dtype)
    for _, _, outputs, image in window.inner_taps():
        dx[:, :, *image] += share[:, :, *outputs]
    return dx


def _overlap(window: Window) -> bool:
    """Return whether an input can belong to several windows."""
    return any(s < e for s, e in zip(window.stride, window.extent, strict=True))


def _first_inside(window: Window) -> Array:
    """Return, for each output (OH, OW), its first tap inside the image."""
    first = np.zeros(window.output_size, np.intp)
    for k, (_, _, outputs, _) in reversed(list(enumerate(window.inner_taps()))):
        first[outputs] = k
    return first


def _counts(window: Window, include_padding: bool) -> Array:
    """Return, for each output (OH, OW), the number of taps that are averaged."""
    if include_padding:  # treat the padded image as an image without padding
        (H, W), (vertical, horizontal) = window.size, window.padding
        size = (H + sum(vertical), W + sum(horizontal))
        window = replace(window, size=size, padding=((0, 0), (0, 0)))
    counts = np.zeros(window.output_size, np.intp)
    for _, _, outputs, _ in window.inner_taps():
        counts[outputs] += 1
    return counts
