"""Winograd's F(4×4, 3×3): sixteen outputs for 36 multiplications instead of 144.

What was a convolution is one product for each of the 36 places of `transforms`. Over channels and
images these are 36 matrix products, done by the same tiles in registers as in `direct`::

    m[k] = u[k] · v[k]              (F, C) × (C, N) -> (F, N)             outputs
    du[k] = Σ d[k] · v[k]ᵀ          (F, T·N) × (T·N, C) -> (F, C)         gradient for the weights

The gradient for the input is a convolution with kernels turned by 180°. That for the weights is the
adjoint of all three transforms, and its sum runs over the T patches of the picture as well.

For 3×3 kernels with stride 1. Points as large as 2 cost accuracy: errors are some ten times those
of `direct`. Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015.
"""

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import add, add_rows, multiply_add, relu_tile
from pellucid.compiled.conv.deferred import UNCHANGED, DeferredNorm, source
from pellucid.compiled.conv.transforms import (
    VECTORS,
    WIDTH,
    fetch_pixel,
    transform_back,
    transform_columns,
    transform_columns_back,
    transform_rows,
    transform_weights,
)
from pellucid.compiled.jit import jit, jit_inline, jit_sized, room_for_threads
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    REGISTERS,
    live_lanes,
    load_run,
    store_tile,
    write_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

_CHANNELS = 8  # channels whose kernels are transformed side by side


def supports(window: Window, groups: int) -> bool:
    """Return whether Winograd's algorithm supports this convolution."""
    plain = window.stride == window.dilation == (1, 1)
    return plain and window.kernel == (3, 3) and groups == 1


def forward(
    x: Array | DeferredNorm,
    weight: Array,
    bias: Array | None,
    window: Window,
    relu: bool = False,
) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (F, C, 3, 3), plus bias."""
    y = layout.new_images((x.shape[0], len(weight), *window.output_size))
    (top, _), (left, _) = window.padding
    inner, norm = source(x)
    run(inner, pack(weight, bias), layout.memory(y), top, left, relu, norm=norm)
    return y


def input_gradient(
    dy: Array, weight: Array, input_shape: Shape, window: Window, onto: Array | None = None
) -> Array:
    """Return dx, dy convolved with the kernels turned by 180°, added to `onto` if there is one."""
    dx = layout.memory(layout.new_images(input_shape) if onto is None else onto)
    (top, _), (left, _) = window.padding
    packed = pack(weight, None, turned=True)
    run(layout.memory(dy), packed, dx, 2 - top, 2 - left, add_to_y=onto is not None)
    return layout.images(dx)


class Packed(NamedTuple):
    """Transformed weights as the kernel reads them."""

    weight: Array
    bias: Array
    rows: int


def pack(
    weight: Array,
    bias: Array | None,
    rows: int = 8 if REGISTERS == 32 else 4,
    turned: bool = False,
) -> Packed:
    """Return the transformed weights, those of a block of filters side by side.

    `turned` is by 180°, with inputs and outputs in each other's place.
    """
    F, C = weight.shape[1::-1] if turned else weight.shape[:2]
    packed = empty((-(-F // rows) * 36 * C * rows,), np.float32)
    _pack(packed.size, layout.contiguous(weight).reshape(-1), turned, F, C, rows, packed)
    return Packed(packed, np.zeros(F, np.float32) if bias is None else bias, rows)


def run(
    x: Array,
    packed: Packed,
    y: Array,
    top: int,
    left: int,
    relu: bool = False,
    add_to_y: bool = False,
    norm: Array = UNCHANGED,
) -> None:
    """Write into y (OH, OW, F, N) the convolution of x (H, W, C, N), with ReLU if wanted."""
    C, blocks = x.shape[2], -(-y.shape[2] // packed.rows)
    room = room_for_threads(36 * (C + blocks * packed.rows) * WIDTH)
    _kernel(packed.rows)(x, norm, packed.weight, packed.bias, y, top, left, relu, add_to_y, room)


@jit_sized
def _pack(mine, weight, turned, F, C, rows, packed):
    """Write weights into packed (blocks, 36, C, rows): a block's filters lie side by side.

    They lie as (F, C, 9), or are `turned`: they lie as (C, F, 9), the last tap first.
    """
    start, step, step_f, step_c = 0, 1, C * 9, 9
    if turned:
        start, step, step_f, step_c = 8, -1, 9, F * 9
    size = _CHANNELS * rows  # of some channels all filters of a block
    taps, places = np.empty(9 * size, np.float32), np.empty(36 * size, np.float32)
    for block in share_of(mine, -(-F // rows)):
        taps[:] = 0
        for first in range(0, C, _CHANNELS):
            count = min(_CHANNELS, C - first)
            for r in range(min(rows, F - block * rows)):
                for c in range(count):
                    at = (block * rows + r) * step_f + (first + c) * step_c + start
                    for k in range(9):
                        taps[k * size + c * rows + r] = weight[at + k * step]
            transform_weights(taps, places, size)
            for k in range(36):
                to = ((block * 36 + k) * C + first) * rows
                for i in range(0, count * rows, LANES):
                    lanes = live_lanes(count * rows - i, 1)
                    run = load_run(places, k * size + i, 1, lanes)
                    store_tile(run, packed, to + i, 0, 1, lanes)


@cache
def _kernel(ROWS: int) -> Any:
    @jit
    def kernel(mine, x, norm, u, bias, y, top, left, relu, add_to_y, room):
        """Write into y (OH, OW, F, N) the convolution of x (H, W, C, N), for `run`.

        u is `Packed.weight`, (blocks, 36, C, ROWS). An item of work is one patch of 4×4 outputs of
        WIDTH images: it is transformed into v (36, C, WIDTH) in the thread's room, multiplied into
        m (36, blocks·ROWS, WIDTH) and transformed back.
        """
        H, W, C, N = x.shape
        OH, OW, F, _ = y.shape
        across, widths, blocks = -(-OW // 4), -(-N // WIDTH), -(-F // ROWS)
        xs, ys = x.reshape(-1), y.reshape(-1)
        every = live_lanes(WIDTH, VECTORS)
        items = share_of(mine, -(-OH // 4) * across * widths)
        for item in items:
            own, size = room[numba.get_thread_id()], 36 * C * WIDTH
            v, m = own[:size], own[size:]
            n, place = item % widths * WIDTH, item // widths
            oh, ow = place // across * 4, place % across * 4
            lanes = live_lanes(N - n, VECTORS)
            ih, iw = oh - top, ow - left
            transform_columns(xs, norm, H, W, C, N, ih, iw, n, lanes, v)
            transform_rows(v, C)
            # (F, C) × (C, N) -> (F, N), for each of the 36 places
            next_item = min(item + 1, items.stop - 1)  # what comes then is another thread's
            following, next_n = next_item // widths, next_item % widths * WIDTH
            next_h, next_w = following // across * 4 - top, following % across * 4 - left
            for k in range(36):  # what is read and written next is asked for meanwhile
                fetch_pixel(xs, H, W, C, N, next_h + k // 6, next_w + k % 6, next_n)
                if k < 16:
                    fetch_pixel(ys, OH, OW, F, N, oh + k // 4, ow + k % 4, n)
                for block in range(blocks):
                    tile = zero_tile(ROWS, VECTORS)
                    wi, vi = (block * 36 + k) * C * ROWS, k * C * WIDTH
                    for _ in range(C):
                        tile = multiply_add(tile, u, wi, v, vi, every)
                        wi += ROWS
                        vi += WIDTH
                    write_tile(tile, m, (k * blocks + block) * ROWS * WIDTH)
            transform_columns_back(m, blocks * ROWS, F)
            for i in range(min(4, OH - oh)):
                for f in range(F):
                    s0, s1, s2, s3 = transform_back(m, blocks * ROWS, f, i)
                    yi, pixel = (((oh + i) * OW + ow) * F + f) * N + n, F * N
                    _store(s0, bias, f, relu, add_to_y, ys, yi, lanes)
                    if ow + 1 < OW:
                        _store(s1, bias, f, relu, add_to_y, ys, yi + pixel, lanes)
                    if ow + 2 < OW:
                        _store(s2, bias, f, relu, add_to_y, ys, yi + 2 * pixel, lanes)
                    if ow + 3 < OW:
                        _store(s3, bias, f, relu, add_to_y, ys, yi + 3 * pixel, lanes)

    return kernel


@jit_inline
def _store(run, bias, f, relu, add_to_y, ys, yi, lanes):
    """Add the bias of filter f, and the old values if wanted, to a run of outputs; write it."""
    run = add_rows(run, bias, f)
    if add_to_y:
        run = add(run, load_run(ys, yi, VECTORS, lanes))
    if relu:
        run = relu_tile(run)
    store_tile(run, ys, yi, 0, 1, lanes)
