"""The gradient of a convolution for its weights, by the adjoint of Winograd's transforms. ::

    du[k] = Σ v[k]ᵀ·d[k]      v = Bᵀ x B of a patch, d = A dy Aᵀ of its 4×4 outputs, at 36 places k
    dw = Gᵀ du G

A product's sum runs over the images and over the patches of the picture. What one patch and some
dozens of images need stays in the second cache, and its share is added to sums that stay there
too. So that no sum has to be taken over the lanes of a register, the channels are brought innermost
first: the tile then holds filters × channels, as in every other product.
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
    VECTORS,
    WIDTH,
    transform_columns,
    transform_outputs,
    transform_rows_turned,
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
    rows, columns = tile_of(F, C)
    across, patches = -(-C // LANES), -(-OH // 4) * -(-OW // 4) * -(-len(dy) // WIDTH)
    shares = min(patches, shares_of(36 * F * across * LANES * 4))
    sums = empty((shares, 36, -(-F // rows), across // columns, rows, columns * LANES), np.float32)
    # a patch of some channels in two steps, of all channels, and of the outputs
    room = room_for_threads((42 * LANES + 36 * across * LANES + 36 * F) * WIDTH)
    _kernel(rows, columns)(*source(x), layout.memory(dy), top, left, patches, sums, room)
    dw = empty(weight_shape, np.float32)
    put_together(sums, dw)
    return dw


@cache
def _kernel(ROWS: int, COLUMNS: int) -> Any:
    SIZE = ROWS * COLUMNS * LANES

    @jit
    def kernel(mine, x, norm, dy, top, left, patches, sums, room):
        """Add up sums (shares, 36, f_blocks, c_blocks, tile) for `weight_gradient`: transformed dw.

        x (H, W, C, N) and dy (OH, OW, F, N). An item of work is a share of the patches; both sides
        of each are transformed in the thread's room, x with its channels turned innermost.
        """
        H, W, C, N = x.shape
        OH, OW, F, _ = dy.shape
        shares, _, f_blocks, c_blocks = sums.shape[:4]
        wide, widths, across = -(-OW // 4), -(-N // WIDTH), c_blocks * COLUMNS * LANES
        xs, ys, totals = x.reshape(-1), dy.reshape(-1), sums.reshape(-1)
        every = live_lanes(COLUMNS * LANES, COLUMNS)
        for share in share_of(mine, shares):
            own = room[numba.get_thread_id()]
            t, square = own[: 36 * LANES * WIDTH], own[36 * LANES * WIDTH : 42 * LANES * WIDTH]
            v = own[42 * LANES * WIDTH : (42 * LANES + 36 * across) * WIDTH]
            d = own[(42 * LANES + 36 * across) * WIDTH :]
            begin, end = patches * share // shares, patches * (share + 1) // shares
            for item in range(begin, end):
                n, place = item % widths * WIDTH, item // widths
                oh, ow = place // wide * 4, place % wide * 4
                lanes = live_lanes(N - n, VECTORS)
                for c in range(0, C, LANES):
                    count, ih, iw = min(LANES, C - c), oh - top, ow - left
                    transform_columns(xs, norm, H, W, C, N, ih, iw, n, lanes, c, count, t)
                    transform_rows_turned(t, c, count, square, v, across)
                transform_outputs(ys, OH, OW, F, N, oh, ow, n, lanes, d)
                at = share * 36 * f_blocks * c_blocks * SIZE
                # (F, N) × (N, C) -> (F, C), for each of the 36 places
                for k in range(36):
                    for block in range(f_blocks):
                        f = min(block * ROWS, F - ROWS)
                        for c_block in range(c_blocks):
                            tile = zero_tile(ROWS, COLUMNS)
                            if item > begin:
                                tile = read_tile(ROWS, COLUMNS, totals, at)
                            di = (k * F + f) * WIDTH
                            vi = k * WIDTH * across + c_block * COLUMNS * LANES
                            for _ in range(min(WIDTH, N - n)):
                                tile = multiply_add_apart(tile, d, di, WIDTH, v, vi, every)
                                di += 1
                                vi += across
                            write_tile(tile, totals, at)
                            at += SIZE

    return kernel


@jit
def put_together(mine, sums, dw):
    """Add up (shares, 36, f_blocks, c_blocks, ROWS, lanes), and transform the sum back."""
    shares, _, f_blocks, c_blocks, ROWS, wide = sums.shape
    F, C = dw.shape[:2]
    totals, place = sums.reshape(-1), f_blocks * c_blocks * ROWS * wide
    u, w = np.empty(36 * LANES, np.float32), np.empty(9 * LANES, np.float32)
    for f in share_of(mine, F):
        # filter f is in a block that begins at a multiple of ROWS, or in the last, moved back
        block = min(f // ROWS, f_blocks - 1)
        r = f - min(block * ROWS, F - ROWS)
        for c in range(0, C, LANES):
            at = ((block * c_blocks + c // wide) * ROWS + r) * wide + c % wide
            for k in range(36):
                total = zero_tile(1, 1)
                for share in range(shares):
                    total = add(total, read_tile(1, 1, totals, (share * 36 + k) * place + at))
                write_tile(total, u, k * LANES)
            transform_weights_back(u, w)
            for lane in range(min(LANES, C - c)):
                for k in range(9):
                    dw[f, c + lane, k // 3, k % 3] = w[k * LANES + lane]
