"""Convolution by its definition, with the filters in the lanes. ::

    y[p, f] = Σ_{tap, c} x[p + tap, c] · weight[tap, c, f]

for some positions p, anywhere in any image, and some dozens of filters f at once: the same tile of
sums as in `conv.direct`, in which images and filters have changed places. The gradient for the
input is the same sum over the kernel turned by 180°.
"""

from functools import cache
from typing import Any

import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import add, add_columns
from pellucid.compiled.conv.channels_last.positions import positions
from pellucid.compiled.jit import jit, jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.rows import load_rows, multiply_add_rows, store_rows
from pellucid.compiled.tile import LANES, REGISTERS, live_lanes, zero_tile
from pellucid.geometry import Window
from pellucid.runtime.recording import copy
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

_ROWS = {1: 12, 2: 10, 3: 8, 4: 6} if REGISTERS == 32 else {1: 8, 2: 5}
"""How many positions fill the registers beside so many registers of filters."""

_WEIGHTS = 640 << 10  # bytes

_CHANNELS = 8  # whose weights are laid out together
_TOGETHER = 16  # tiles of an item of work: what they read stays in near memory for all filters


def forward(x: Array, weight: Array, bias: Array | None, window: Window) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (F, C, KH, KW), plus bias."""
    y = layout.new_channels_last((x.shape[0], len(weight), *window.output_size))
    return _run(x, weight, bias, y, window, gradient=False)


def input_gradient(
    dy: Array, weight: Array, input_shape: Shape, window: Window, onto: Array | None = None
) -> Array:
    """Return dx: each dy goes back along the tap that it came by; added to `onto` if there."""
    dx = layout.new_channels_last(input_shape) if onto is None else onto
    if not np.shares_memory(dx, layout.channels_last(dx)):  # it lies otherwise
        return layout.add_to(dx, input_gradient(dy, weight, input_shape, window))
    return _run(dy, weight, None, dx, window, gradient=True, onto=onto is not None)


def _run(
    x: Array, weight: Array, bias: Array | None, y: Array, window: Window, gradient: bool,
    onto: bool = False,
) -> Array:  # fmt: skip
    (F, C), taps = weight.shape[1::-1] if gradient else weight.shape[:2], weight.shape[2:]
    vectors = vectors_for(F, C * taps[0] * taps[1])
    rows = _ROWS[vectors]
    packed, offsets = pack(weight, bias, vectors * LANES, turned=gradient)
    tables = positions(window, gradient, len(x), (C, F), rows)
    _kernel(rows, vectors)(
        layout.channels_last(x), packed, offsets, layout.channels_last(y),
        taps[0] * taps[1], *tables, onto,
    )  # fmt: skip
    return y


def vectors_for(filters: int, terms: int) -> int:
    """Return how many registers of filters a tile has.

    Few lanes should stay empty, and the weights of so many filters fit into the second cache.
    """
    registers = -(-filters // LANES)
    fitting = [v for v in _ROWS if v == 1 or v * LANES * terms * 4 <= _WEIGHTS]
    return min(reversed(fitting), key=lambda v: -(-registers // v) * v)


def pack(weight: Array, bias: Array | None, span: int, turned: bool = False) -> tuple[Array, Array]:
    """Return weights (blocks, KH · KW, C, span) and biases (blocks · span), for `span` filters.

    `turned` is by 180°, with inputs and outputs in each other's place.
    """
    F, C = weight.shape[1::-1] if turned else weight.shape[:2]
    blocks, taps = -(-F // span), weight.shape[2] * weight.shape[3]
    packed = empty((blocks, taps, C, span), np.float32)
    _pack(packed.size, layout.contiguous(weight).reshape(-1), turned, F, packed)
    offsets = np.zeros(blocks * span, np.float32)
    if bias is not None:
        copy(offsets[:F], bias)
    return packed.reshape(-1), offsets


@jit_sized
def _pack(mine, weight, turned, F, packed):
    """Write weights (F, C, taps), or turned ones (C, F, taps), as (blocks, taps, C, span).

    Of a few channels at a time, so that both sides stay in the first cache.
    """
    blocks, taps, C, span = packed.shape
    chunks, places = -(-C // _CHANNELS), packed.reshape(-1)
    start, step, step_f, step_c = 0, 1, C * taps, taps
    if turned:
        start, step, step_f, step_c = taps - 1, -1, taps, F * taps
    for item in share_of(mine, blocks * chunks):
        block, first = item // chunks, item % chunks * _CHANNELS
        for r in range(span):
            f = block * span + r
            for c in range(first, min(first + _CHANNELS, C)):
                to, at = (block * taps * C + c) * span + r, f * step_f + c * step_c + start
                for k in range(taps):
                    w = np.float32(0)
                    if f < F:
                        w = weight[at + k * step]
                    places[to + k * C * span] = w


@cache
def _kernel(ROWS: int, VECTORS: int) -> Any:
    SPAN = VECTORS * LANES

    @jit
    def kernel(mine, x, w, bias, y, taps, source, target, kind, first, tap, distance, length, onto):
        """Write into y (N, OH, OW, F) the correlation of x (N, H, W, C), for `_run`.

        w (blocks, taps, C, SPAN) and bias are those of `pack`; source to length are `Positions`. An
        item of work is some tiles of positions, with all filters.
        """
        C, F = x.shape[3], y.shape[3]
        xs, ys, blocks, tiles = x.reshape(-1), y.reshape(-1), len(bias) // SPAN, len(kind)
        for item in share_of(mine, -(-tiles // _TOGETHER)):
            for block in range(blocks):
                f = block * SPAN
                lanes = live_lanes(F - f, VECTORS)
                for t in range(item * _TOGETHER, min((item + 1) * _TOGETHER, tiles)):
                    tile = zero_tile(ROWS, VECTORS)
                    for i in range(first[kind[t]], first[kind[t] + 1]):
                        wi, xi = (block * taps + tap[i]) * C * SPAN, distance[i] * C
                        for _ in range(length[i] * C):
                            tile = multiply_add_rows(tile, xs, source, t * ROWS, xi, w, wi)
                            xi += 1
                            wi += SPAN
                    tile = add_columns(tile, bias, f)
                    if onto:
                        tile = add(tile, load_rows(ROWS, VECTORS, ys, target, t * ROWS, f, lanes))
                    store_rows(tile, ys, target, t * ROWS, f, lanes)

    return kernel
