"""Convolution by its definition, with the filters in the lanes. ::

    y[p, f] = Σ_{tap, c} x[p + tap, c] · weight[tap, c, f]

for some positions p, anywhere in any image, and some dozens of filters f at once: the same tile of
sums as in `conv.direct`, in which images and filters have changed places. The gradient for the
input is the same sum over the kernel turned by 180°.
"""

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import add, add_columns, relu_tile
from pellucid.compiled.conv.channels_last.positions import positions
from pellucid.compiled.jit import jit_inline, jit_sized
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
_PRODUCTS = 12  # that take as long as a step of a loop in `WORK_OF_ONE`


class Packed(NamedTuple):
    """Weights (blocks, KH · KW, C, span) and biases (blocks · span): `span` filters innermost."""

    weight: Array
    bias: Array
    vectors: int
    taps: int


def forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    window: Window,
    relu: bool = False,
) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (F, C, KH, KW), plus bias."""
    y = layout.new_channels_last((x.shape[0], len(weight), *window.output_size))
    run(x, pack(weight, bias), y, window, relu)
    return y


def input_gradient(
    dy: Array, weight: Array, input_shape: Shape, window: Window, onto: Array | None = None
) -> Array:
    """Return dx: each dy goes back along the tap that it came by; added to `onto` if there."""
    dx = layout.new_channels_last(input_shape) if onto is None else onto
    if not np.shares_memory(dx, layout.channels_last(dx)):  # it lies otherwise
        return layout.add_to(dx, input_gradient(dy, weight, input_shape, window))
    run(dy, pack(weight, None, turned=True), dx, window, gradient=True, shortcut=onto)
    return dx


def run(
    x: Array, packed: Packed, y: Array, window: Window, relu: bool = False,
    gradient: bool = False, shortcut: Array | None = None,
) -> None:  # fmt: skip
    """Write the convolution into y, plus a shortcut like y if there is one, and ReLU if wanted."""
    N, C, F, pixels = *x.shape[:2], y.shape[1], y.size // y.shape[1]
    rows, inner = 1 if pixels == 1 else _ROWS[packed.vectors], layout.channels_last(x)
    tables = positions(window, gradient, N, (C, F), rows)
    if not gradient and len(tables.kind) > 1.25 * -(-pixels // rows):
        inner, window = _padded(inner, window)
        tables = positions(window, gradient, N, (C, F), rows)
    others = layout.NO_IMAGES if shortcut is None else layout.channels_last(shortcut)
    products = packed.weight.size * pixels
    _kernel(rows, packed.vectors)(
        products // _PRODUCTS, inner, packed.weight, packed.bias, layout.channels_last(y),
        packed.taps, *tables, others, relu,
    )  # fmt: skip


def _padded(x: Array, window: Window) -> tuple[Array, Window]:
    """Return x (N, H, W, C) with zeros around it, and the window on it.

    In a small image a good part of the positions is near a border, where few have the same taps.
    """
    N, H, W, C = x.shape
    (top, bottom), (left, right) = window.padding
    size = H + top + bottom, W + left + right
    y = empty((N, *size, C), np.float32)
    _pad(y.size, x, y, top, left)
    return y, replace(window, size=size, padding=((0, 0), (0, 0)))


@jit_sized
def _pad(mine, x, y, top, left):
    """Write x (N, H, W, C) into y with zeros around it, for `_padded`."""
    _, H, W, C = x.shape
    N, HP, WP, _ = y.shape
    for item in share_of(mine, N * HP):
        n, h = item // HP, item % HP - top
        for w in range(WP):
            inside = h >= 0 and h < H and left <= w and w < left + W
            for c in range(C):
                y[n, item % HP, w, c] = x[n, h, w - left, c] if inside else np.float32(0)


def vectors_for(filters: int, terms: int) -> int:
    """Return how many registers of filters a tile has.

    Few lanes should stay empty, and the weights of so many filters fit into the second cache.
    """
    registers = -(-filters // LANES)
    fitting = [v for v in _ROWS if v == 1 or v * LANES * terms * 4 <= _WEIGHTS]
    return min(reversed(fitting), key=lambda v: -(-registers // v) * v)


def pack(weight: Array, bias: Array | None, turned: bool = False) -> Packed:
    """Return the weights (F, C, KH, KW) and biases (F,) as the kernel reads them.

    `turned` is by 180°, with inputs and outputs in each other's place.
    """
    F, C = weight.shape[1::-1] if turned else weight.shape[:2]
    taps = weight.shape[2] * weight.shape[3]
    vectors = vectors_for(F, C * taps)
    span = vectors * LANES
    blocks = -(-F // span)
    packed = empty((blocks, taps, C, span), np.float32)
    _pack(packed.size, layout.contiguous(weight).reshape(-1), turned, F, packed)
    offsets = np.zeros(blocks * span, np.float32)
    if bias is not None:
        copy(offsets[:F], bias)
    return Packed(packed.reshape(-1), offsets, vectors, taps)


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


@jit_inline
def _together(tiles, blocks, threads):
    """Return how many tiles of positions are an item of work.

    Of few tiles each thread takes as many; or all of them with filters of its own, if these can be
    divided evenly: then its part of the weights stays in its near memory.
    """
    if tiles >= 2 * threads * _TOGETHER:
        return _TOGETHER
    return tiles if blocks % threads == 0 else -(-tiles // threads)


@cache
def _kernel(ROWS: int, VECTORS: int) -> Any:
    SPAN = VECTORS * LANES

    @jit_sized
    def kernel(
        mine, x, w, bias, y, taps,
        source, target, kind, first, tap, distance, length, shortcut, relu,
    ):  # fmt: skip
        """Write into y (N, OH, OW, F) the correlation of x (N, H, W, C), for `run`.

        w and bias are `Packed`; source to length are `Positions`; an empty shortcut is none. An
        item of work is some tiles of positions, with a block of filters.
        """
        C, F, others = x.shape[3], y.shape[3], shortcut.reshape(-1)
        xs, ys, blocks, tiles = x.reshape(-1), y.reshape(-1), len(bias) // SPAN, len(kind)
        together = _together(tiles, blocks, mine[1])
        for item in share_of(mine, -(-tiles // together) * blocks):
            start, block = item // blocks * together, item % blocks
            f = block * SPAN
            lanes = live_lanes(F - f, VECTORS)
            for t in range(start, min(start + together, tiles)):
                tile = zero_tile(ROWS, VECTORS)
                for i in range(first[kind[t]], first[kind[t] + 1]):
                    wi, xi = (block * taps + tap[i]) * C * SPAN, distance[i] * C
                    for _ in range(length[i] * C):
                        tile = multiply_add_rows(tile, xs, source, t * ROWS, xi, w, wi)
                        xi += 1
                        wi += SPAN
                tile = add_columns(tile, bias, f)
                if len(others) > 0:
                    other = load_rows(ROWS, VECTORS, others, target, t * ROWS, f, lanes)
                    tile = add(tile, other)
                if relu:
                    tile = relu_tile(tile)
                store_rows(tile, ys, target, t * ROWS, f, lanes)

    return kernel
