"""The linear layer: matrix products, a tile of outputs at a time, in registers.

An input (N, I) lies in memory as (I, N), the images innermost. A tile holds some rows of the result
and some dozens of its columns, and stays in registers from its first product to its last.
"""

from functools import cache
from typing import Any

import numpy as np

from pellucid.compiled.arithmetic import add_rows, multiply_add_apart, turn
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_sized
from pellucid.compiled.layout import channel_sums, contiguous
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    REGISTERS,
    live_lanes,
    load_square,
    store_tile,
    zero_tile,
)
from pellucid.runtime.workspace import empty
from pellucid.types import Array

_VECTORS = 4 if REGISTERS == 32 else 2


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return ``y = x Wᵀ + b`` for x (N, I)."""
    if x.ndim != 2:
        return reference.linear(x, weight, bias)
    return product(weight, _columns(x), bias).T  # (O, I) × (I, N) -> (O, N)


def linear_input_gradient(dy: Array, weight: Array) -> Array:
    """Return ``dx = dy W``."""
    if dy.ndim != 2:
        return reference.linear_input_gradient(dy, weight)
    return product(weight.T, _columns(dy)).T  # (I, O) × (O, N) -> (I, N)


def linear_weight_gradient(dy: Array, x: Array) -> Array:
    """Return ``dW = dyᵀ x``."""
    if dy.ndim != 2:
        return reference.linear_weight_gradient(dy, x)
    return product(_columns(dy), _rows(x))  # (O, N) × (N, I) -> (O, I)


def linear_bias_gradient(dy: Array) -> Array:
    """Return ``db = Σ dy``."""
    return channel_sums(dy) if dy.ndim == 2 else reference.linear_bias_gradient(dy)


def product(a: Array, b: Array, bias: Array | None = None) -> Array:
    """Return a (M, K) times b (K, L), plus one number for each row."""
    (M, K), L = a.shape, b.shape[1]
    y = empty((M, L), np.float32)
    offsets = np.zeros(M, np.float32) if bias is None else bias
    vectors = min(_VECTORS, -(-L // LANES))
    rows = min(M, next((r for r in (6, 5, 4) if M % r == 0), 4))
    inner = a if a.T.flags.c_contiguous else contiguous(a)
    row, step = inner.strides[0] // a.itemsize, inner.strides[1] // a.itemsize
    numbers = inner.T.reshape(-1) if row < step else inner.reshape(-1)
    _product(rows, vectors)(M * K * L // 64, numbers, row, step, b, offsets, y)
    return y


@cache
def _product(ROWS: int, VECTORS: int) -> Any:
    WIDTH = VECTORS * LANES

    @jit_sized
    def kernel(mine, a, row, step, b, bias, y):
        """``y = a b + bias``, (M, K) × (K, L), a tile of ROWS × WIDTH at a time, for `product`.

        a's numbers lie `row` and `step` apart, so that it may be a transposed matrix.
        """
        M, (K, L) = len(y), b.shape
        bs, ys, widths = b.reshape(-1), y.reshape(-1), -(-L // WIDTH)
        for item in share_of(mine, -(-M // ROWS) * widths):
            # the last tile moves back until it is full
            m, n = min(item // widths * ROWS, M - ROWS), item % widths * WIDTH
            lanes, tile = live_lanes(L - n, VECTORS), zero_tile(ROWS, VECTORS)
            ai, bi = m * row, n
            # (rows, K) × (K, width) -> (rows, width)
            for _ in range(K):
                tile = multiply_add_apart(tile, a, ai, row, bs, bi, lanes)
                ai += step
                bi += L
            store_tile(add_rows(tile, bias, m), ys, m * L + n, L, ROWS, lanes)

    return kernel


def _columns(x: Array) -> Array:
    """Return x (N, I) as contiguous memory (I, N)."""
    return x.T if x.T.flags.c_contiguous else _turned(x)


def _rows(x: Array) -> Array:
    """Return x (N, I) as contiguous memory (N, I)."""
    return x if x.flags.c_contiguous else _turned(x.T)


def _turned(x: Array) -> Array:
    """Return x (A, B) written as (B, A)."""
    if not x.flags.c_contiguous:
        return contiguous(x.T)
    y = empty(x.T.shape, np.float32)
    _turn(x.size, x, y)
    return y


@jit_sized
def _turn(mine, x, y):
    """(A, B) -> (B, A), a square of LANES × LANES at a time, for `_turned`."""
    A, B = x.shape
    xs, ys = x.reshape(-1), y.reshape(-1)
    for block in share_of(mine, -(-B // LANES)):
        b = block * LANES
        across = live_lanes(B - b, 1)
        for a in range(0, A, LANES):
            square = load_square(xs, a * B + b, B, min(LANES, A - a), across)
            store_tile(turn(square), ys, b * A + a, A, min(LANES, B - b), live_lanes(A - a, 1))
