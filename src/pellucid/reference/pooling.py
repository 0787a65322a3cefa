"""Pooling: one number for each window, its maximum or its mean.

Both go over the positions of the kernel, the taps, one pass over whole arrays for each. Where
windows overlap, one input value serves several outputs, and their gradients add.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.geometry import Window
from pellucid.reference import memory
from pellucid.types import Array


def max_pool2d(x: Array, window: Window) -> tuple[Array, Array]:
    """Return the maximum of each window, and where it was.

    ``y[n, c, o, p] = max over (i, j) of x[n, c, o·S + i·D − P, p·S + j·D − P]``. Padding never
    wins. Of equal maxima the first in scan order wins. A window that holds NaN gives NaN.

    Parameters
    ----------
    x
        (N, C, H, W).
    window
        How the kernel slides.

    Returns
    -------
    y
        (N, C, OH, OW).
    indices
        Of the same shape, small integers: the tap that won, ``i·KW + j``.

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
        # k only grows, so the larger number is the later winner; a choice by mask is much slower
        np.maximum(winner, (values > best) * indices.dtype.type(k), out=winner)
        np.maximum(best, values, out=best)
    if np.isnan(y).any():  # NaN has passed through the maximum, but no comparison found it
        for k, (_, _, outputs, image) in enumerate(window.inner_taps()):
            indices[:, :, *outputs][np.isnan(x[:, :, *image])] = k
    return y, indices


def max_pool2d_gradient(dy: Array, indices: Array, window: Window) -> Array:
    """Return dx: each dy goes to where its maximum was, ``dx[tap k] += dy · [indices = k]``.

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

    The count is that of the window's values, padding included (it adds zeros) or not. What lies
    beyond the padding, in the partial windows of `ceil_mode`, never counts.

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
    """Return whether one input value can lie in several windows."""
    return any(s < e for s, e in zip(window.stride, window.extent, strict=True))


def _first_inside(window: Window) -> Array:
    """Return for each output (OH, OW) its first tap that reads the image and not the padding."""
    first = np.zeros(window.output_size, np.intp)
    for k, (_, _, outputs, _) in reversed(list(enumerate(window.inner_taps()))):
        first[outputs] = k
    return first


def _counts(window: Window, include_padding: bool) -> Array:
    """Return for each output (OH, OW) how many of its taps are averaged over."""
    if include_padding:  # the padded image as if all of it were image
        (H, W), (vertical, horizontal) = window.size, window.padding
        size = (H + sum(vertical), W + sum(horizontal))
        window = replace(window, size=size, padding=((0, 0), (0, 0)))
    counts = np.zeros(window.output_size, np.intp)
    for _, _, outputs, _ in window.inner_taps():
        counts[outputs] += 1
    return counts
