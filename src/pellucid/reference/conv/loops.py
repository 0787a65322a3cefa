"""The definition of convolution, in plain loops. ::

    y[n, f, oh, ow] = Σ over c, i, j of  x[n, c, oh·S + i·D − P, ow·S + j·D − P] · w[f, c, i, j]

Every output is a sum of products, from which both gradients follow directly: where the forward pass
reads x and w and adds to y, the backward passes read dy and w and add to dx, or read dy and x and
add to dw. With groups, c runs only over the channels of f's own group.

It is slow and simple: a reference for testing the other algorithms, and the best place to start
reading.

Error: each result is a sum of n products in some order, so ``|error| ≤ γₙ · Σ|x|·|w|`` with γₙ =
n·u / (1 − n·u), u = 2⁻²⁴ in float32 and 2⁻⁵³ in float64 (Higham, "Accuracy and Stability of
Numerical Algorithms", 2002, eq. 3.5); n = C/groups·KH·KW for y, F/groups·KH·KW for dx, N·OH·OW for
dw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pellucid.geometry import Window
from pellucid.reference import memory
from pellucid.reference.padding import pad2d
from pellucid.types import Array, Shape

Index = tuple[int | slice, ...]


def supports(window: Window, groups: int) -> str | None:
    """Return None: all convolutions are supported."""
    return None


def forward(x: Array, weight: Array, window: Window, groups: int) -> Array:
    """Return y (N, F, OH, OW) for x (N, C, H, W) and weight (F, C/groups, KH, KW)."""
    padded = pad2d(x, window.padding, "zeros", 0.0)
    shape = (len(x), len(weight), *window.output_size)
    y = memory.empty(shape, np.result_type(x, weight))
    for output, read in _reads(shape, weight.shape, window, groups):
        f = output[1]
        y[output] = np.sum(padded[read] * weight[f])
    return y


def input_gradient(dy: Array, weight: Array, window: Window, groups: int) -> Array:
    """Return dx (N, C, H, W): each product passes ``dy · w`` on to the x that it used."""
    shape = (len(dy), weight.shape[1] * groups, *window.padded_size)
    padded = memory.zeros(shape, np.result_type(dy, weight))
    for output, read in _reads(dy.shape, weight.shape, window, groups):
        f = output[1]
        padded[read] += dy[output] * weight[f]
    return padded[:, :, *window.inner]


def weight_gradient(dy: Array, x: Array, window: Window, groups: int) -> Array:
    """Return dw (F, C/groups, KH, KW): each product passes ``dy · x`` on to its w."""
    padded = pad2d(x, window.padding, "zeros", 0.0)
    shape = (dy.shape[1], x.shape[1] // groups, *window.kernel)
    dw = np.zeros(shape, np.result_type(dy, x))
    for output, read in _reads(dy.shape, shape, window, groups):
        f = output[1]
        dw[f] += dy[output] * padded[read]
    return dw


def multiplications(input_shape: Shape, weight_shape: Shape, window: Window, groups: int) -> int:
    """Return N·F·OH·OW·(C/groups)·KH·KW."""
    return input_shape[0] * math.prod(weight_shape) * math.prod(window.output_size)


def scratch_bytes(
    input_shape: Shape, weight_shape: Shape, window: Window, groups: int, itemsize: int
) -> int:
    """Return the memory in bytes that `forward` needs for the padded input."""
    return math.prod(input_shape[:2]) * math.prod(window.padded_size) * itemsize


def _reads(
    output_shape: Shape, weight_shape: Shape, window: Window, groups: int
) -> Iterator[tuple[tuple[int, int, int, int], Index]]:
    """Yield the index of every output, and the index of its inputs in the padded image."""
    F, channels = weight_shape[:2]
    N, _, OH, OW = output_shape
    for n in range(N):
        for f in range(F):
            group = f // (F // groups)
            own = slice(group * channels, (group + 1) * channels)
            for oh in range(OH):
                for ow in range(OW):
                    yield (n, f, oh, ow), (n, own, *window.patch(oh, ow))
