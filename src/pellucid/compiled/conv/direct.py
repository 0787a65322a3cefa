"""Convolution by its definition, a tile of outputs at a time, in registers.

For a position (oh, ow), `ROWS` filters f and some dozens of images n at once::

    y[oh, ow, f, n] = Σ_{kh, kw, c} weight[f, c, kh, kw] · x[oh·S + kh·D − P, ow·S + kw·D − P, c, n]

The sum stays in vector registers from its first product to its last. One load of a run of images
serves all filters of the tile, and one weight serves all its images. The gradient for the input is
the same sum over the kernel turned by 180°, so it is the same function with other lists of taps.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.conv.taps import forward_taps, gradient_taps
from pellucid.compiled.jit import jit_sized
from pellucid.compiled.tile import (
    LANES,
    REGISTERS,
    add_rows,
    live_lanes,
    multiply_add,
    store_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.types import Array, Shape
from pellucid.workspace import empty

_ROWS = (
    {1: (4, 16), 2: (4, 12), 3: (4, 8), 4: (4, 6)} if REGISTERS == 32 else {1: (4, 8), 2: (4, 6)}
)


def forward(x: Array, weight: Array, bias: Array | None, window: Window, groups: int) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (F, C/groups, KH, KW), plus bias."""
    y = layout.new_images((len(x), len(weight), *window.output_size))
    offsets = np.zeros(len(weight), np.float32) if bias is None else bias
    correlate(layout.memory(x), weight, offsets, layout.memory(y), forward_taps(window), groups)
    return y


def input_gradient(
    dy: Array, weight: Array, input_shape: Shape, window: Window, groups: int
) -> Array:
    """Return the gradient for x: each dy goes back along the tap that it came by."""
    dx = layout.new_images(input_shape)
    zeros = np.zeros(input_shape[1], np.float32)
    taps = gradient_taps(window)
    kernels = turned(weight, groups)
    correlate(layout.memory(dy), kernels, zeros, layout.memory(dx), taps, groups)
    return dx


def correlate(x: Array, weight: Array, bias: Array, y: Array, taps: Any, groups: int) -> None:
    F, N = len(weight) // groups, x.shape[3]
    rows, vectors = tile_shape(F, N)
    KH, KW = weight.shape[2:]
    blocks = groups * -(-F // rows)
    packed = empty((blocks * KH * KW * weight.shape[1] * rows,), np.float32)
    _pack(packed.size, weight, groups, rows, packed)
    # few positions leave cores without work, then blocks of filters are shared out too
    widths = -(-N // (vectors * LANES))
    shares = min(blocks, -(-32 // (y.shape[0] * y.shape[1] * widths)))
    padded = np.zeros((groups, blocks // groups * rows), np.float32)
    padded[:, :F] = bias.reshape(groups, F)
    products = weight.size * y.shape[0] * y.shape[1] * N
    _kernel(rows, vectors)(
        products // 64,
        x,
        packed,
        padded.reshape(-1),
        y,
        *taps[0],
        *taps[1],
        KH,
        KW,
        groups,
        shares,
    )


def turned(weight: Array, groups: int) -> Array:
    """Return the kernels turned by 180°, inputs and outputs in each other's place.

    (G·F, C, KH, KW) -> (G·C, F, KH, KW)
    """
    F, C, KH, KW = weight.shape
    grouped = weight.reshape(groups, F // groups, C, KH, KW)[..., ::-1, ::-1]
    return grouped.swapaxes(1, 2).reshape(groups * C, F // groups, KH, KW)


def tile_shape(filters: int, images: int) -> tuple[int, int]:
    """Return (filters, vectors) of the tile that wastes least for so many filters and images."""
    vectors = min(max(_ROWS), -(-images // LANES))
    small, large = _ROWS[vectors]
    blocks = -(-filters // large)
    # the large tile is some 8 % faster a product, unless its last block is mostly empty
    return (large if blocks * large < 1.08 * (-(-filters // small) * small) else small), vectors


@jit_sized
def _pack(work, weight, groups, rows, packed):
    """(G·F, C, KH, KW) -> (G, blocks, KH, KW, C, rows): a block's filters lie side by side."""
    F, (C, KH, KW) = weight.shape[0] // groups, weight.shape[1:]
    blocks = -(-F // rows)
    for block in numba.prange(groups * blocks):
        group, f0 = block // blocks, block % blocks * rows
        start = block * KH * KW * C * rows
        for r in range(rows):
            f = group * F + f0 + r
            for tap in range(KH * KW):
                to = start + tap * C * rows + r
                if f0 + r < F:
                    for c in range(C):
                        packed[to + c * rows] = weight[f, c, tap // KW, tap % KW]
                else:
                    for c in range(C):
                        packed[to + c * rows] = 0


@cache
def _kernel(ROWS: int, VECTORS: int) -> Any:
    WIDTH = VECTORS * LANES

    @jit_sized
    def kernel(
        work, x, w, bias, y,
        row_first, row_tap, row_source, row_length,
        column_first, column_tap, column_source, column_length,
        KH, KW, groups, shares,
    ):  # fmt: skip
        _, W, C, N = x.shape
        OH, OW, F, _ = y.shape
        C_group, F_group = C // groups, F // groups
        blocks, widths = -(-F_group // ROWS), -(-N // WIDTH)
        xs, ys = x.reshape(-1), y.reshape(-1)
        for item in numba.prange(OH * OW * widths * shares):
            share, rest = item % shares, item // shares
            n, position = rest % widths * WIDTH, rest // widths
            oh, ow = position // OW, position % OW
            lanes = live_lanes(N - n, VECTORS)
            for block in range(
                groups * blocks * share // shares, groups * blocks * (share + 1) // shares
            ):
                group, f = block // blocks, block % blocks * ROWS
                tile = zero_tile(ROWS, VECTORS)
                for i in range(row_first[oh], row_first[oh + 1]):
                    for r in range(row_length[i]):
                        for j in range(column_first[ow], column_first[ow + 1]):
                            tap = (row_tap[i] + r) * KW + column_tap[j]
                            pixel = (row_source[i] + r) * W + column_source[j]
                            wi = (block * KH * KW + tap) * C_group * ROWS
                            # with one group, neighbouring taps' channels follow each other
                            steps = column_length[j] if groups > 1 else 1
                            run = C_group * (column_length[j] if groups == 1 else 1)
                            for step in range(steps):
                                xi = ((pixel + step) * C + group * C_group) * N + n
                                for _ in range(run):
                                    tile = multiply_add(tile, w, wi, xs, xi, lanes)
                                    wi += ROWS
                                    xi += N
                tile = add_rows(tile, bias, block * ROWS)
                yi = (position * F + group * F_group + f) * N + n
                store_tile(tile, ys, yi, N, F_group - f, lanes)

    return kernel
