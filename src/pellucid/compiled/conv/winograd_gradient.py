"""The gradient of a convolution for its weights, by the adjoint of Winograd's transforms. ::

    du[k] = Σ v[k]·d[k]       v = Bᵀ x B of a patch, d = A dy Aᵀ of its 4×4 outputs, at 36 places k
    dw = Gᵀ du G

A product's sum runs over the images and over the patches of the picture. What one patch and some
dozens of images need stays in the second cache, and its share is added to sums that stay there
too. So that no sum has to be taken over the lanes of a register, the filters are brought innermost
first, since there are fewer outputs in a patch than inputs: the tile then holds channels × filters.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import add, multiply_add_apart
from pellucid.compiled.conv.deferred import DeferredNorm, source
from pellucid.compiled.conv.tiles import shares_of, tile_of
from pellucid.compiled.conv.transforms import (
    OUTPUTS,
    VECTORS,
    WIDTH,
    fetch_pixel,
    transform_columns,
    transform_outputs,
    transform_rows,
    transform_weights_back,
)
from pellucid.compiled.jit import jit, room_for_threads
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    live_lanes,
    read_tile,
    write_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape


def weight_gradient(
    dy: Array, x: Array | DeferredNorm, weight_shape: Shape, window: Window
) -> Array:
    """Return dw of `weight_shape` (F, C, 3, 3), summed over the batch."""
    F, C = weight_shape[:2]
    OH, OW = window.output_size
    (top, _), (left, _) = window.padding
    rows, columns = tile_of(C, F)
    across, patches = -(-F // LANES), -(-OH // 4) * -(-OW // 4) * -(-len(dy) // WIDTH)
    shares = min(patches, shares_of(36 * C * across * LANES * 4))
    sums = empty((shares, 36, -(-C // rows), across // columns, rows, columns * LANES), np.float32)
    # a patch's inputs and outputs
    room = room_for_threads(36 * (C * WIDTH + WIDTH * across * LANES + LANES) + OUTPUTS)
    _kernel(rows, columns)(*source(x), layout.memory(dy), top, left, patches, sums, room)
    dw = empty(weight_shape, np.float32)
    put_together(sums, C, F, 9, 9 * C, dw)
    return dw


@cache
def _kernel(ROWS: int, COLUMNS: int) -> Any:
    SIZE = ROWS * COLUMNS * LANES

    @jit
    def kernel(mine, x, norm, dy, top, left, patches, sums, room):
        """Add up sums (shares, 36, c_blocks, f_blocks, tile) for `weight_gradient`: transformed dw.

        x (H, W, C, N) and dy (OH, OW, F, N). An item of work is a share of the patches; both sides
        of each are transformed in the thread's room, dy with its filters turned innermost.
        """
        H, W, C, N = x.shape
        OH, OW, F, _ = dy.shape
        shares, _, c_blocks, f_blocks = sums.shape[:4]
        wide, widths, across = -(-OW // 4), -(-N // WIDTH), f_blocks * COLUMNS * LANES
        xs, ys, totals = x.reshape(-1), dy.reshape(-1), sums.reshape(-1)
        apart = WIDTH * across + LANES  # no power of two, or places would push each other out
        every = live_lanes(COLUMNS * LANES, COLUMNS)
        for share in share_of(mine, shares):
            own, size = room[numba.get_thread_id()], 36 * C * WIDTH
            v, turned, d = own[:size], own[size : size + OUTPUTS], own[size + OUTPUTS :]
            begin, end = patches * share // shares, patches * (share + 1) // shares
            for item in range(begin, end):
                n, place = item % widths * WIDTH, item // widths
                oh, ow = place // wide * 4, place % wide * 4
                ih, iw, lanes = oh - top, ow - left, live_lanes(N - n, VECTORS)
                transform_columns(xs, norm, H, W, C, N, ih, iw, n, lanes, v)
                transform_rows(v, C)
                transform_outputs(ys, OH, OW, F, N, oh, ow, n, turned, d, across, apart)
                at = share * 36 * c_blocks * f_blocks * SIZE
                # (C, N) × (N, F) -> (C, F), for each of the 36 places
                next_item = min(item + 1, end - 1)  # what comes then may be another thread's
                following, next_n = next_item // widths, next_item % widths * WIDTH
                next_h, next_w = following // wide * 4, following % wide * 4
                for k in range(36):  # what is read next is asked for meanwhile
                    fetch_pixel(
                        xs, H, W, C, N, next_h - top + k // 6, next_w - left + k % 6, next_n
                    )
                    if k < 16:
                        fetch_pixel(ys, OH, OW, F, N, next_h + k // 4, next_w + k % 4, next_n)
                    for block in range(c_blocks):
                        c = min(block * ROWS, C - ROWS)
                        for f_block in range(f_blocks):
                            tile = zero_tile(ROWS, COLUMNS)
                            if item > begin:
                                tile = read_tile(ROWS, COLUMNS, totals, at)
                            vi = (k * C + c) * WIDTH
                            di = k * apart + f_block * COLUMNS * LANES
                            for _ in range(min(WIDTH, N - n)):
                                tile = multiply_add_apart(tile, v, vi, WIDTH, d, di, every)
                                vi += 1
                                di += across
                            write_tile(tile, totals, at)
                            at += SIZE

    return kernel


@jit
def put_together(mine, sums, rows, columns, row_step, column_step, dw):
    """Add up (shares, 36, r_blocks, c_blocks, ROWS, lanes), and transform the sum back.

    The kernels of neighbouring rows and columns lie so many numbers apart in dw.
    """
    shares, _, r_blocks, c_blocks, ROWS, wide = sums.shape
    totals, place, found = sums.reshape(-1), r_blocks * c_blocks * ROWS * wide, dw.reshape(-1)
    u, w = np.empty(36 * LANES, np.float32), np.empty(9 * LANES, np.float32)
    for row in share_of(mine, rows):
        # it is in a block that begins at a multiple of ROWS, or in the last, moved back
        block = min(row // ROWS, r_blocks - 1)
        r = row - min(block * ROWS, rows - ROWS)
        for c in range(0, columns, LANES):
            at = ((block * c_blocks + c // wide) * ROWS + r) * wide + c % wide
            for k in range(36):
                total = zero_tile(1, 1)
                for share in range(shares):
                    total = add(total, read_tile(1, 1, totals, (share * 36 + k) * place + at))
                write_tile(total, u, k * LANES)
            transform_weights_back(u, w)
            for lane in range(min(LANES, columns - c)):
                for k in range(9):
                    found[row * row_step + (c + lane) * column_step + k] = w[k * LANES + lane]
