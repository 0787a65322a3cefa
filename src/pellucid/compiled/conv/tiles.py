"""Divide sums over filters × channels into tiles and shares, and add the shares up again."""

from functools import cache

import numpy as np

from pellucid.compiled.arithmetic import add
from pellucid.compiled.jit import jit_exact, jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    REGISTERS,
    live_lanes,
    read_tile,
    store_tile,
    zero_tile,
)
from pellucid.runtime.workspace import empty
from pellucid.types import Array

ROWS = {1: 16, 2: 8, 3: 8, 4: 6} if REGISTERS == 32 else {1: 8, 2: 4, 3: 3, 4: 2}
"""How many filters fill the registers beside so many registers of channels."""

_SUMS = 2 << 20  # bytes of sums that all shares of the work together should not exceed


@cache
def tile_of(F: int, C: int) -> tuple[int, int]:
    """Return a tile's numbers of filters and channel registers, without remainder if possible."""
    across = -(-C // LANES)
    columns = next(n for n in (4, 3, 2, 1) if across % n == 0)
    most = min(ROWS[columns], F)
    fitting = (r for r in range(most, most // 2, -1) if F % r == 0)
    return next(fitting, most), columns


def shares_of(size: int) -> int:
    """Return among how many shares the work is divided, each with `size` bytes of sums.

    The number does not depend on the number of threads, and so neither does rounding.
    """
    return max(4, min(16, _SUMS // size))


def add_shares(sums: Array, f_blocks: int, c_blocks: int, rows: int, wide: int, dw: Array) -> None:
    """Add up sums (shares, f_blocks, c_blocks, rows, wide) into dw (F, C, 1)."""
    _add_shares(sums.size, sums.reshape(-1), len(sums), f_blocks, c_blocks, rows, wide, dw)


@jit_sized
def _add_shares(mine, sums, shares, f_blocks, c_blocks, rows, wide, dw):
    """Add up sums (shares, f_blocks, c_blocks, rows, wide) into dw (F, C, 1), for `add_shares`."""
    F, C, _ = dw.shape
    found, size = dw.reshape(-1), f_blocks * c_blocks * rows * wide
    for f in share_of(mine, F):
        # filter f is in a block that begins at a multiple of `rows`, or in the last, moved back
        block = min(f // rows, f_blocks - 1)
        row = f - min(block * rows, F - rows)
        for c in range(0, C, LANES):
            at = ((block * c_blocks + c // wide) * rows + row) * wide + c % wide
            total = zero_tile(1, 1)
            for share in range(shares):
                total = add(total, read_tile(1, 1, sums, share * size + at))
            store_tile(total, found, f * C + c, 0, 1, live_lanes(C - c, 1))


def sum_of_shares(found: Array) -> Array:
    """Return the sum of found (shares, …) over the shares."""
    total: Array = found[0]
    if len(found) > 1:
        total = empty(found.shape[1:], np.float32)
        _add_up(found.reshape(len(found), -1), total.reshape(-1))
    return total


@jit_exact
def _add_up(found, total):
    """Write into total (n,) the sum of found (shares, n)."""
    for i in range(len(total)):
        total[i] = found[0, i]
        for share in range(1, len(found)):
            total[i] += found[share, i]
