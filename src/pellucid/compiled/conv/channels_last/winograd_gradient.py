"""The gradient for the weights by Winograd's adjoint, with the channels in the lanes. ::

    du[k] = d[k]ᵀ · v[k]            (F, T) × (T, C) -> (F, C),   v = Bᵀ x B,  d = A dy Aᵀ
    dw = Gᵀ du G

The channels lie innermost already, so nothing is turned. See `conv.winograd_gradient`.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import multiply_add
from pellucid.compiled.conv.channels_last.patches import (
    patch_of,
    row_length,
    transform_inputs,
    transform_outputs,
)
from pellucid.compiled.conv.channels_last.winograd import patches_together, source
from pellucid.compiled.conv.deferred import DeferredNorm
from pellucid.compiled.conv.tiles import ROWS, tile_of
from pellucid.compiled.conv.transforms import WIDTH
from pellucid.compiled.conv.winograd_gradient import put_together
from pellucid.compiled.jit import jit_regions, room_for_threads
from pellucid.compiled.tile import LANES, live_lanes, read_tile, write_tile, zero_tile
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape


def weight_gradient(
    dy: Array, x: Array | DeferredNorm, weight_shape: Shape, window: Window
) -> Array:
    """Return dw of `weight_shape` (F, C, 3, 3), summed over the batch."""
    F, C = weight_shape[:2]
    (top, _), (left, _) = window.padding
    (inner, norm), outer = source(x), layout.channels_last(dy)
    columns = tile_of(F, C)[1]
    rows = min(ROWS[columns], F)
    patches = len(dy) * -(-outer.shape[1] // 4) * -(-outer.shape[2] // 4)
    together = min(patches, patches_together(C, F))
    v = empty((36, together, row_length(C)), np.float32)
    d = empty((36, together, row_length(F)), np.float32)
    across = -(-C // LANES) // columns
    sums = empty((1, 36, -(-F // rows), across, rows, columns * LANES), np.float32)
    room = room_for_threads(36 * WIDTH)
    _kernel(rows, columns)(inner, norm, outer, top, left, patches, together, v, d, sums, room)
    dw = empty(weight_shape, np.float32)
    put_together(sums, F, C, 9 * C, 9, dw)
    return dw


@cache
def _kernel(ROWS: int, COLUMNS: int) -> Any:
    SIZE = ROWS * COLUMNS * LANES

    @jit_regions
    def kernel(x, norm, dy, top, left, patches, together, v, d, sums, room):
        """Add up sums (1, 36, f_blocks, c_blocks, tile) for `weight_gradient`: transformed dw.

        x (N, H, W, C) and dy (N, OH, OW, F). Of `together` patches at a time both sides are
        transformed, and then each of the 36 products has its share added.
        """
        _, H, W, C = x.shape
        _, OH, OW, F = dy.shape
        f_blocks, c_blocks = sums.shape[2:4]
        xs, ys, totals = x.reshape(-1), dy.reshape(-1), sums.reshape(-1)
        vs, ds = v.reshape(-1), d.reshape(-1)
        v_row, d_row = v.shape[2], d.shape[2]
        v_step, d_step = v.shape[1] * v_row, d.shape[1] * d_row
        across, down = -(-OW // 4), -(-OH // 4)
        every = live_lanes(COLUMNS * LANES, COLUMNS)
        for begin in range(0, patches, together):
            count = min(together, patches - begin)
            for t in numba.prange(count):
                n, oh, ow = patch_of(begin + t, across, down)
                own = room[numba.get_thread_id()]
                transform_inputs(
                    xs, norm, H, W, C, n, oh - top, ow - left, own, vs, t * v_row, v_step
                )
                transform_outputs(ys, OH, OW, F, n, oh, ow, own, ds, t * d_row, d_step)
            for item in numba.prange(36 * c_blocks):
                k, c_block = item // c_blocks, item % c_blocks
                for block in range(f_blocks):
                    at = ((k * f_blocks + block) * c_blocks + c_block) * SIZE
                    tile = zero_tile(ROWS, COLUMNS)
                    if begin > 0:
                        tile = read_tile(ROWS, COLUMNS, totals, at)
                    # the last block of filters moves back until it is full
                    di = k * d_step + min(block * ROWS, F - ROWS)
                    vi = k * v_step + c_block * COLUMNS * LANES
                    # (F, T) × (T, C) -> (F, C)
                    for _ in range(count):
                        tile = multiply_add(tile, ds, di, vs, vi, every)
                        di += d_row
                        vi += v_row
                    write_tile(tile, totals, at)

    return kernel
