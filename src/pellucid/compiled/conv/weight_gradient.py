"""The gradient of a convolution for its weights. ::

    dw[f, c, kh, kw] = Σ_{oh, ow, n} dy[oh, ow, f, n] · x[oh·S + kh·D − P, ow·S + kw·D − P, c, n]

A tile in registers holds partial sums, one for each lane, of some filters × some weights, and runs
over positions and images; at the very end its lanes are added up. What a short run of positions
needs of dy stays in the first cache while all channels pass by.
"""

from functools import cache
from typing import Any

import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import add_sums, outer_add, outer_add_some
from pellucid.compiled.conv.tiles import sum_of_shares
from pellucid.compiled.jit import jit
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    REGISTERS,
    live_lanes,
    read_tile,
    write_tile,
)
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape


def weight_gradient(dy: Array, x: Array, weight_shape: Shape, window: Window, groups: int) -> Array:
    """Return dw of `weight_shape` (F, C/groups, KH, KW), summed over the batch.

    The columns of a tile are neighbouring taps of one channel, or for 1×1 kernels some channels.
    """
    F, C, KH, KW = weight_shape
    OH, OW = window.output_size
    shares = _shares(OH, OW * dy.shape[0] // LANES)
    found = empty((shares, *weight_shape), np.float32)
    room = 24 if REGISTERS == 32 else 12
    columns = min(KW, room) if KW > 1 else min(C, 4 if REGISTERS == 32 else 2)
    rows = max(r for r in _GRADIENT_ROWS if r == 1 or r <= min(F // groups, room // columns))
    (top, _), (left, _) = window.padding
    arguments = (
        layout.memory(dy), layout.memory(x), found, groups,
        *window.stride, *window.dilation, top, left,
    )  # fmt: skip
    if KW == 1:
        _channel_kernel(rows, columns)(*arguments)
    else:
        sums = C * rows * columns * LANES  # of one row of the kernel
        _tap_kernel(rows, columns)(*arguments, KH if KH * sums <= _NEAR else 1)
    return sum_of_shares(found)


_GRADIENT_ROWS = (1, 2, 3, 4, 6, 8, 12)
_NEAR = 8192  # as many sums stay in near memory while dy and x pass by
_LEAST = 128  # registers of images that a sum runs over: fewer are not worth its end


def _shares(rows: int, registers: int) -> int:
    """Return among how many shares the rows of dy, of so many registers each, are divided.

    A thread should read only the rows that it wrote, and will write again: memory that another
    thread has read is several times slower to write.
    """
    return next((n for n in (4, 2) if n <= rows and rows * registers >= n * _LEAST), 1)


@cache
def _tap_kernel(ROWS: int, COLUMNS: int) -> Any:
    SIZE = ROWS * COLUMNS * LANES
    CHUNK = 8  # pixels: what they need of dy stays in the first cache for all channels

    @jit
    def kernel(mine, dy, x, parts, groups, SH, SW, DH, DW, top, left, height):
        """Write parts of dw for dy (OH, OW, F, N) and x (H, W, C, N), for `weight_gradient`.

        An item of work is a share of the rows of dy, a tile of ROWS filters × COLUMNS taps and
        `height` rows of the kernel: all of them for few channels, so that dy is read once. Its
        sums for all channels stay in near memory while dy and x pass by.
        """
        H, W, C_all, N = x.shape
        OH, OW, F_all, _ = dy.shape
        shares, _, C, KH, KW = parts.shape
        F = F_all // groups
        f_blocks, tap_blocks = -(-F // ROWS), -(-KW // COLUMNS)
        dys, xs = dy.reshape(-1), x.reshape(-1)
        step = DW * C_all * N
        sums = np.empty(height * C * SIZE, np.float32)
        found = np.empty(ROWS * COLUMNS, np.float32)
        bands = KH // height
        blocks = groups * f_blocks * tap_blocks * bands
        for item in share_of(mine, shares * blocks):
            share, block = item // blocks, item % blocks
            sums[:] = 0
            kh_first, rest = block % bands * height, block // bands
            kw, rest = min(rest % tap_blocks * COLUMNS, KW - COLUMNS), rest // tap_blocks
            group, f = rest // f_blocks, min(rest % f_blocks * ROWS, F - ROWS)
            # from `low` to before `high`, all taps of the tile meet the image
            offset, whole = kw * DW - left, N - N % LANES
            low = max(0, -(offset // SW))
            high = max(low, min(OW, (W - 1 - offset - (COLUMNS - 1) * DW) // SW + 1))
            for oh in range(OH * share // shares, OH * (share + 1) // shares):
                d_row = oh * OW * F_all + group * F + f
                for start in range(0, OW, CHUNK):
                    end = min(start + CHUNK, OW)
                    for part in range(height * C):
                        kh, c = kh_first + part // C, part % C
                        ih = oh * SH + kh * DH - top
                        if ih < 0 or ih >= H:
                            continue
                        x_row = ih * W * C_all + group * C
                        tile = read_tile(ROWS, COLUMNS, sums, part * SIZE)
                        for ow in range(max(start, low), min(end, high)):
                            di = (d_row + ow * F_all) * N
                            xi = (x_row + (ow * SW + offset) * C_all + c) * N
                            for n in range(0, whole, LANES):
                                tile = outer_add(tile, dys, di + n, N, xs, xi + n, step)
                        for ow in range(start, end):
                            inside = low <= ow and ow < high
                            if inside and whole == N:
                                continue
                            iw = ow * SW + offset
                            first = max(0, -(iw // DW))
                            last = min(COLUMNS, (W - 1 - iw) // DW + 1)
                            di, xi = (d_row + ow * F_all) * N, (x_row + iw * C_all + c) * N
                            for n in range(whole if inside else 0, N, LANES):
                                lanes = live_lanes(N - n, 1)
                                tile = outer_add_some(
                                    tile, dys, di + n, N, xs, xi + n, step, lanes, first, last
                                )
                        write_tile(tile, sums, part * SIZE)
            for part in range(height * C):
                kh, c = kh_first + part // C, part % C
                found[:] = 0
                add_sums(read_tile(ROWS, COLUMNS, sums, part * SIZE), found, 0)
                for r in range(ROWS):
                    for k in range(COLUMNS):
                        parts[share, group * F + f + r, c, kh, kw + k] = found[r * COLUMNS + k]

    return kernel


@cache
def _channel_kernel(ROWS: int, COLUMNS: int) -> Any:
    SIZE = ROWS * COLUMNS * LANES
    CHUNK = 8  # columns of the picture: what they need stays in the first cache for all taps

    @jit
    def kernel(mine, dy, x, parts, groups, SH, SW, DH, DW, top, left):
        """Write parts of dw for dy (OH, OW, F, N) and x (H, W, C, N), for `weight_gradient`.

        An item of work is a share of the rows of dy, a tile of ROWS filters × COLUMNS channels and
        one row of the kernel; its sums for all channels stay in near memory while dy and x pass by.
        """
        H, W, C_all, N = x.shape
        OH, OW, F_all, _ = dy.shape
        shares, _, C, KH, KW = parts.shape
        F = F_all // groups
        f_blocks, c_blocks = -(-F // ROWS), -(-C // COLUMNS)
        dys, xs, whole = dy.reshape(-1), x.reshape(-1), N - N % LANES
        sums = np.empty(KW * c_blocks * SIZE, np.float32)
        found = np.empty(ROWS * COLUMNS, np.float32)
        blocks = groups * f_blocks * KH
        for item in share_of(mine, shares * blocks):
            share, block = item // blocks, item % blocks
            sums[:] = 0
            kh, rest = block % KH, block // KH
            # the last block of filters, or of channels, moves back until it is full
            group, f = rest // f_blocks, min(rest % f_blocks * ROWS, F - ROWS)
            for oh in range(OH * share // shares, OH * (share + 1) // shares):
                ih = oh * SH + kh * DH - top
                if ih < 0 or ih >= H:
                    continue
                for start in range(0, OW, CHUNK):
                    end = min(start + CHUNK, OW)
                    for part in range(KW * c_blocks):
                        kw, c = part // c_blocks, min(part % c_blocks * COLUMNS, C - COLUMNS)
                        offset = kw * DW - left
                        low = max(start, -(offset // SW))
                        high = min(end, (W - 1 - offset) // SW + 1)
                        tile = read_tile(ROWS, COLUMNS, sums, part * SIZE)
                        for ow in range(low, high):
                            di = ((oh * OW + ow) * F_all + group * F + f) * N
                            xi = ((ih * W + ow * SW + offset) * C_all + group * C + c) * N
                            for n in range(0, whole, LANES):
                                tile = outer_add(tile, dys, di + n, N, xs, xi + n, N)
                            if whole < N:
                                lanes = live_lanes(N - whole, 1)
                                tile = outer_add_some(
                                    tile, dys, di + whole, N, xs, xi + whole, N, lanes, 0, COLUMNS
                                )
                        write_tile(tile, sums, part * SIZE)
            for part in range(KW * c_blocks):
                kw, c = part // c_blocks, min(part % c_blocks * COLUMNS, C - COLUMNS)
                found[:] = 0
                add_sums(read_tile(ROWS, COLUMNS, sums, part * SIZE), found, 0)
                for r in range(ROWS):
                    for k in range(COLUMNS):
                        parts[share, group * F + f + r, c + k, kh, kw] = found[r * COLUMNS + k]

    return kernel
