"""The gradient for the weights of a 1×1 convolution: one matrix product over all positions. ::

    dw[f, c] = Σ_{p, n} dy[p, f, n] · x[p, c, n]

Positions and images are summed over alike. Of a few pixels at a time, one of the two is turned so
that its channels lie innermost, the one that has fewer; what belongs to a channel of the other is
laid side by side. Both stay in near memory while the tiles of all rows × columns pass by.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import multiply_add_apart, turn
from pellucid.compiled.conv.deferred import (
    UNCHANGED,
    DeferredNorm,
    normalized,
    normalized_square,
    source,
)
from pellucid.compiled.conv.direct import fetch_part, is_pointwise
from pellucid.compiled.conv.tiles import add_shares, shares_of, tile_of
from pellucid.compiled.jit import jit, jit_apart, room_for_threads
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    live_lanes,
    load_run,
    load_square,
    read_tile,
    store_tile,
    write_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

TERMS = 128  # terms of the sum at a time


def supports(weight_shape: Shape, window: Window, groups: int) -> bool:
    """Return whether it is such a product, with enough channels to fill a register."""
    return is_pointwise(window, groups) and min(weight_shape[:2]) >= LANES // 2


def weight_gradient(dy: Array, x: Array | DeferredNorm) -> Array:
    """Return dw (F, C, 1, 1), summed over the batch."""
    slopes, values = (layout.memory(dy), UNCHANGED), source(x)
    if dy.shape[1] < x.shape[1]:
        return _product(values, slopes).T[:, :, None, None]
    return _product(slopes, values)[:, :, None, None]


def _product(a: tuple[Array, Array], b: tuple[Array, Array]) -> Array:
    """Return ``Σ a[p, i, n]·b[p, j, n]``, (I, J), for memory and the norm to read it through."""
    H, W, C, N = b[0].shape
    F = a[0].shape[2]
    rows, columns = tile_of(F, C)
    blocks = -(-F // rows), -(-C // (columns * LANES))
    size = blocks[0] * blocks[1] * rows * columns * LANES
    shares = min(H * W, shares_of(4 * size))
    pixels = max(1, TERMS // N)
    # a row's length that is no power of two, or rows would push each other out of the cache
    length = pixels * N + LANES
    turned = blocks[1] * pixels * N * columns * LANES
    room = room_for_threads(turned + F * length)
    sums = empty((shares, size), np.float32)
    _kernel(rows, columns)(*a, *b, pixels, length, turned, room, sums)
    found = empty((F, C, 1), np.float32)
    add_shares(sums, *blocks, rows, columns * LANES, found)
    return found[:, :, 0]


@cache
def _kernel(ROWS: int, COLUMNS: int) -> Any:
    SIZE, WIDE = ROWS * COLUMNS * LANES, COLUMNS * LANES

    @jit
    def kernel(mine, a, a_norm, b, b_norm, pixels, length, turned, room, sums):
        """Add up sums (shares, tiles) for `_product`; a (H, W, F, N), b (H, W, C, N).

        An item of work is a share of the positions, of which `pixels` at a time are laid out in the
        thread's room: `turned` numbers of b, then a in rows of `length`. A norm is applied on the
        way.
        """
        H, W, C, N = b.shape
        F, shares = a.shape[2], len(sums)
        f_blocks, c_blocks = -(-F // ROWS), -(-C // WIDE)
        rows, lanes, every = a.reshape(-1), b.reshape(-1), live_lanes(WIDE, COLUMNS)
        for share in share_of(mine, shares):
            own, totals = room[numba.get_thread_id()], sums[share]
            v, d = own[:turned], own[turned:]
            begin, end = H * W * share // shares, H * W * (share + 1) // shares
            for first in range(begin, end, pixels):
                count = min(pixels, end - first)
                turn_pixels(lanes, b_norm, first, count, C, N, v, WIDE, pixels * N * WIDE)
                gather_pixels(rows, a_norm, first, count, F, N, d, length)
                for c_block in range(c_blocks):
                    for block in range(f_blocks):
                        at = (block * c_blocks + c_block) * SIZE
                        part, parts = c_block * f_blocks + block, f_blocks * c_blocks
                        fetch_part(lanes, (first + count) * C * N, count * C * N, part, parts)
                        fetch_part(rows, (first + count) * F * N, count * F * N, part, parts)
                        tile = zero_tile(ROWS, COLUMNS)
                        if first > begin:
                            tile = read_tile(ROWS, COLUMNS, totals, at)
                        # the last block of filters moves back until it is full
                        di = min(block * ROWS, F - ROWS) * length
                        vi = c_block * pixels * N * WIDE
                        # (F, T) × (T, C) -> (F, C)
                        for _ in range(count * N):
                            tile = multiply_add_apart(tile, d, di, length, v, vi, every)
                            di += 1
                            vi += WIDE
                        write_tile(tile, totals, at)

    return kernel


@jit_apart
def turn_pixels(xs, norm, first, count, C, N, v, wide, block):
    """``v[c // wide, (p, n), c % wide] = x[first + p, c, n]``, read through a normalisation."""
    one = live_lanes(LANES, 1)
    for p in range(count):
        for c in range(0, C, LANES):
            to = c // wide * block + p * N * wide + c % wide
            for n in range(0, N, LANES):
                xi, images = ((first + p) * C + c) * N + n, min(LANES, N - n)
                square = load_square(xs, xi, N, min(LANES, C - c), live_lanes(images, 1))
                square = turn(square)
                if norm.size > 0:
                    square = normalized_square(square, norm, c, live_lanes(C - c, 1))
                store_tile(square, v, to + n * wide, wide, images, one)


@jit_apart
def gather_pixels(ys, norm, first, count, F, N, d, length):
    """``d[f, (p, n)] = y[first + p, f, n]``, read through a normalisation."""
    for p in range(count):
        for f in range(F):
            for n in range(0, N, 4 * LANES):
                lanes = live_lanes(N - n, 4)
                run = load_run(ys, ((first + p) * F + f) * N + n, 4, lanes)
                if norm.size > 0:
                    run = normalized(run, norm, f)
                store_tile(run, d, f * length + p * N + n, 0, 1, lanes)
