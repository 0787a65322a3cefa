"""The gradient for the weights, with the channels in the lanes: a product over positions. ::

    dw[f, (tap, c)] = Σ_p dy[p, f] · x[p + tap, c]

What some positions p read is laid out as the rows of a matrix, (tap, c) innermost, with zeros where
a tap meets padding, and normalised on the way if wanted. It stays in near memory while the tiles of
all filters pass by.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import multiply_add
from pellucid.compiled.conv.channels_last.winograd import source
from pellucid.compiled.conv.deferred import DeferredNorm, normalized_square
from pellucid.compiled.conv.direct import fetch_part
from pellucid.compiled.conv.taps import forward_taps
from pellucid.compiled.conv.tiles import ROWS, tile_of
from pellucid.compiled.jit import jit_regions, jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    live_lanes,
    load_run,
    read_tile,
    store_tile,
    write_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

_NEAR = 1 << 19  # bytes of what some positions read
_FEWEST, _MOST = 64, 512  # positions together
_BLOCKS = 8  # of filters in an item of work


def weight_gradient(
    dy: Array, x: Array | DeferredNorm, weight_shape: Shape, window: Window
) -> Array:
    """Return dw of `weight_shape` (F, C, KH, KW), summed over the batch.

    Each tap has a matrix of its own, or all together have one if the channels of a pixel do not
    fill registers.
    """
    F, C, KH, KW = weight_shape
    (inner, norm), outer = source(x), layout.channels_last(dy)
    parts, terms = (KH * KW, C) if C % (4 * LANES) == 0 else (1, KH * KW * C)
    columns = tile_of(F, terms)[1]
    rows = min(ROWS[columns], F)
    f_blocks, blocks = -(-F // rows), -(-terms // (columns * LANES))
    count, wide = outer.size // F, blocks * columns * LANES + LANES
    together = max(
        _FEWEST, min(_MOST, _NEAR // (4 * parts * wide)), F * parts * terms // (F + parts * terms)
    )
    together = min(count, together)
    v = empty((parts, together, wide), np.float32)
    sums = empty((f_blocks, parts * blocks, rows, columns * LANES), np.float32)
    down, across = forward_taps(window)
    _kernel(rows, columns)(outer, inner, norm, KH, KW, *down, *across, v, sums)
    dw = empty(weight_shape, np.float32)
    _by_tap(dw.size, sums.reshape(-1), parts, blocks, rows, columns * LANES, dw)
    return dw


@cache
def _kernel(ROWS: int, COLUMNS: int) -> Any:
    SIZE, WIDE = ROWS * COLUMNS * LANES, COLUMNS * LANES

    @jit_regions
    def kernel(
        dy, x, norm, KH, KW,
        row_first, row_tap, row_source, row_length,
        column_first, column_tap, column_source, column_length,
        v, sums,
    ):  # fmt: skip
        """Add up sums (f_blocks, parts · blocks, tile) for `weight_gradient`.

        dy (N, OH, OW, F), x (N, H, W, C). Of some positions at a time, v (parts, positions, …) is
        what they read, d (positions, …) their dy.
        """
        _, H, W, C = x.shape
        N, OH, OW, F = dy.shape
        f_blocks, all_blocks = sums.shape[:2]
        parts, together, v_row = v.shape
        blocks, groups = all_blocks // parts, -(-f_blocks // _BLOCKS)
        xs, ys, vs, totals = x.reshape(-1), dy.reshape(-1), v.reshape(-1), sums.reshape(-1)
        every, positions = live_lanes(WIDE, COLUMNS), N * OH * OW
        deferred = norm.size > 0
        by_pixel = parts > 1 or deferred
        for begin in range(0, positions, together):
            count = min(together, positions - begin)
            for t in numba.prange(count):
                n, oh, ow = (
                    (begin + t) // (OH * OW), (begin + t) // OW % OH, (begin + t) % OW
                )  # fmt: skip
                rows, columns = row_first[oh + 1] - row_first[oh], 0
                for i in range(row_first[oh], row_first[oh + 1]):
                    rows += row_length[i] - 1
                for j in range(column_first[ow], column_first[ow + 1]):
                    columns += column_length[j]
                if rows * columns < KH * KW:  # a tap that meets padding reads zeros
                    for i in range(0, parts * v_row, LANES):
                        at = (i // v_row * together + t) * v_row + i % v_row
                        write_tile(zero_tile(1, 1), vs, at)
                for i in range(row_first[oh], row_first[oh + 1]):
                    for r in range(row_length[i]):
                        for j in range(column_first[ow], column_first[ow + 1]):
                            tap = (row_tap[i] + r) * KW + column_tap[j]
                            pixel = (n * H + row_source[i] + r) * W + column_source[j]
                            # neighbouring pixels are one run if nothing has to be known of channels
                            pixels, size = (
                                (column_length[j], C) if by_pixel else (1, column_length[j] * C)
                            )  # fmt: skip
                            for s in range(pixels):
                                to = t * v_row + (
                                    (tap + s) * together * v_row if parts > 1 else (tap + s) * C
                                )
                                for c in range(0, size, LANES):
                                    lanes = live_lanes(size - c, 1)
                                    run = load_run(xs, (pixel + s) * C + c, 1, lanes)
                                    if deferred:
                                        run = normalized_square(run, norm, c, lanes)
                                    store_tile(run, vs, to + c, 0, 1, lanes)
            for item in numba.prange(all_blocks * groups):
                fetch_part(ys, (begin + count) * F, count * F, item, all_blocks * groups)
                fetch_part(xs, (begin + count) * C, count * C, item, all_blocks * groups)
                group, part, c_block = (
                    item % groups, item // groups // blocks, item // groups % blocks
                )  # fmt: skip
                for block in range(group * _BLOCKS, min((group + 1) * _BLOCKS, f_blocks)):
                    at = (block * all_blocks + item // groups) * SIZE
                    tile = zero_tile(ROWS, COLUMNS)
                    if begin > 0:
                        tile = read_tile(ROWS, COLUMNS, totals, at)
                    # the last block of filters moves back until it is full
                    di = begin * F + min(block * ROWS, F - ROWS)
                    vi = part * together * v_row + c_block * WIDE
                    # (F, T) × (T, terms) -> (F, terms)
                    for _ in range(count):
                        tile = multiply_add(tile, ys, di, vs, vi, every)
                        di += F
                        vi += v_row
                    write_tile(tile, totals, at)

    return kernel


@jit_sized
def _by_tap(mine, sums, parts, blocks, rows, wide, dw):
    """(f_blocks, parts · blocks, rows, wide) -> dw (F, C, KH, KW), for `weight_gradient`."""
    F, C, KH, KW = dw.shape
    found, taps, size = dw.reshape(-1), KH * KW, rows * wide
    for f in share_of(mine, F):
        # filter f is in a block that begins at a multiple of `rows`, or in the last, moved back
        block = min(f // rows, -(-F // rows) - 1)
        row = (f - min(block * rows, F - rows)) * wide
        if parts > 1:  # a tap's channels are whole tiles
            for c in range(0, C, wide):
                start = (block * parts * blocks + c // wide) * size + row
                for i in range(wide):
                    for k in range(taps):
                        found[(f * C + c + i) * taps + k] = sums[start + k * blocks * size + i]
        else:
            for c in range(C):
                for k in range(taps):
                    i = k * C + c
                    at = (block * blocks + i // wide) * size + row + i % wide
                    found[(f * C + c) * taps + k] = sums[at]
