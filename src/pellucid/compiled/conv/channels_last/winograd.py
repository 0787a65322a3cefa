"""Winograd's F(4×4, 3×3), with the filters in the lanes: 36 products of patches × filters. ::

    m[k] = v[k] · u[k]              (T, C) × (C, F) -> (T, F)

for T patches of 4×4 outputs, of all images. The transformed weights u are larger than the near
caches: so many patches are transformed together that they are read few times. See `conv.winograd`.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import multiply_add_apart
from pellucid.compiled.conv.channels_last.patches import (
    patch_of,
    row_length,
    transform_back,
    transform_inputs,
)
from pellucid.compiled.conv.deferred import UNCHANGED, DeferredNorm, materialize
from pellucid.compiled.conv.transforms import WIDTH
from pellucid.compiled.conv.winograd import Packed
from pellucid.compiled.conv.winograd import pack as pack_blocks
from pellucid.compiled.jit import jit_regions, room_for_threads
from pellucid.compiled.tile import LANES, REGISTERS, live_lanes, store_tile, zero_tile
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

_ROWS = {1: 12, 2: 10, 3: 8, 4: 6} if REGISTERS == 32 else {1: 8, 2: 5}


def forward(
    x: Array | DeferredNorm,
    weight: Array,
    bias: Array | None,
    window: Window,
    relu: bool = False,
) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (F, C, 3, 3), plus bias."""
    y = layout.new_channels_last((x.shape[0], len(weight), *window.output_size))
    run(x, pack(weight, bias), y, window, relu)
    return y


def input_gradient(
    dy: Array, weight: Array, input_shape: Shape, window: Window, onto: Array | None = None
) -> Array:
    """Return dx, dy convolved with the kernels turned by 180°, added to `onto` if there is one."""
    dx = layout.new_channels_last(input_shape) if onto is None else onto
    if not np.shares_memory(dx, layout.channels_last(dx)):
        return layout.add_to(dx, input_gradient(dy, weight, input_shape, window))
    run(dy, pack(weight, None, turned=True), dx, window, gradient=True, shortcut=onto)
    return dx


def pack(weight: Array, bias: Array | None, turned: bool = False) -> Packed:
    """Return the transformed weights (F, C, 3, 3) and biases (F,), or those `turned` by 180°."""
    registers = -(-(weight.shape[1] if turned else len(weight)) // LANES)
    vectors = next(n for n in (4, 3, 2, 1) if n in _ROWS and registers % n == 0)
    return pack_blocks(weight, bias, vectors * LANES, turned)


def run(
    x: Array | DeferredNorm, packed: Packed, y: Array, window: Window, relu: bool = False,
    gradient: bool = False, shortcut: Array | None = None,
) -> None:  # fmt: skip
    """Write the convolution into y, plus a shortcut like y if there is one, and ReLU if wanted."""
    (inner, norm), outer = source(x), layout.channels_last(y)
    (top, _), (left, _) = window.padding
    if gradient:
        top, left = 2 - top, 2 - left
    C, F, vectors = inner.shape[3], outer.shape[3], packed.rows // LANES
    rows = _ROWS[vectors]
    patches = len(inner) * -(-outer.shape[1] // 4) * -(-outer.shape[2] // 4)
    together = min(patches, patches_together(C, F))
    v = empty((36, together + rows, row_length(C)), np.float32)
    m = empty((36, together + rows, row_length(F)), np.float32)
    others = layout.NO_IMAGES if shortcut is None else layout.channels_last(shortcut)
    _kernel(rows, vectors)(
        inner, norm, packed.weight, packed.bias, outer, top, left, others, relu, patches, together,
        v, m, room_for_threads(36 * WIDTH),
    )  # fmt: skip


def source(x: Array | DeferredNorm) -> tuple[Array, Array]:
    """Return memory (N, H, W, C), and the norm that a kernel applies as it reads."""
    if isinstance(x, DeferredNorm) and x.relu:
        return layout.channels_last(x.z), x.norm
    return layout.channels_last(materialize(x)), UNCHANGED


def patches_together(C: int, F: int) -> int:
    """Return how many patches are transformed together.

    Few, so that they stay in near memory; but where there are many weights, more, or to read the
    weights again and again would take longer.
    """
    return max(48, C * F // (C + F) // 2)


@cache
def _kernel(ROWS: int, VECTORS: int) -> Any:
    SPAN = VECTORS * LANES

    @jit_regions
    def kernel(
        x, norm, u, bias, y, top, left, shortcut, relu, patches, together, v, m, room
    ):  # fmt: skip
        """Write into y (N, OH, OW, F) the convolution of x (N, H, W, C), for `run`.

        u (blocks, 36, C, SPAN) is `Packed.weight`; v and m (36, patches, channels) are room for
        `together` patches and for what a last tile reads beyond them; an empty shortcut is none.
        """
        _, H, W, C = x.shape
        _, OH, OW, F = y.shape
        xs, ys, vs, ms = x.reshape(-1), y.reshape(-1), v.reshape(-1), m.reshape(-1)
        others = shortcut.reshape(-1)
        across, down, blocks = -(-OW // 4), -(-OH // 4), -(-F // SPAN)
        v_row, m_row = v.shape[2], m.shape[2]
        v_step, m_step = v.shape[1] * v_row, m.shape[1] * m_row
        every = live_lanes(SPAN, VECTORS)
        for begin in range(0, patches, together):
            count = min(together, patches - begin)
            for t in numba.prange(count):
                n, oh, ow = patch_of(begin + t, across, down)
                own = room[numba.get_thread_id()]
                transform_inputs(
                    xs, norm, H, W, C, n, oh - top, ow - left, own, vs, t * v_row, v_step
                )
            for item in numba.prange(36 * blocks):
                k, block = item // blocks, item % blocks
                # (rows, C) × (C, filters) -> (rows, filters)
                for t in range(0, count, ROWS):
                    tile = zero_tile(ROWS, VECTORS)
                    vi, wi = k * v_step + t * v_row, (block * 36 + k) * C * SPAN
                    for _ in range(C):
                        tile = multiply_add_apart(tile, vs, vi, v_row, u, wi, every)
                        vi += 1
                        wi += SPAN
                    to = k * m_step + t * m_row + block * SPAN
                    store_tile(tile, ms, to, m_row, ROWS, every)
            for t in numba.prange(count):
                n, oh, ow = patch_of(begin + t, across, down)
                own = room[numba.get_thread_id()]
                transform_back(
                    ms, t * m_row, m_step, bias, own, ys, OH, OW, F, n, oh, ow, others, relu
                )

    return kernel
