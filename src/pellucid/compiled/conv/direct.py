"""Convolution by its definition, a tile of outputs at a time, in registers.

For a position (oh, ow), `ROWS` filters f and some dozens of images n at once::

    y[oh, ow, f, n] = Σ_{kh, kw, c} weight[f, c, kh, kw] · x[oh·S + kh·D − P, ow·S + kw·D − P, c, n]

The sum stays in vector registers from its first product to its last. One load of a run of images
serves all filters of the tile, and one weight serves all its images. The gradient for the input is
the same sum over the kernel turned by 180°, so it is the same function with other lists of taps.
"""

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import add_rows, multiply_add, relu_tile
from pellucid.compiled.conv.deferred import (
    UNCHANGED,
    DeferredNorm,
    materialize,
    normalized,
    room_for,
    source,
)
from pellucid.compiled.conv.taps import forward_taps, gradient_taps
from pellucid.compiled.jit import jit_inline, jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    REGISTERS,
    fetch_ahead,
    live_lanes,
    load_run,
    store_tile,
    write_tile,
    zero_tile,
)
from pellucid.geometry import Window
from pellucid.runtime import usual_batch
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape

_ROWS = (
    {1: (4, 16), 2: (4, 12), 3: (4, 8), 4: (4, 6)} if REGISTERS == 32 else {1: (4, 8), 2: (4, 6)}
)


def is_pointwise(window: Window, groups: int) -> bool:
    """Return whether each output is made of all channels of one pixel, and each pixel is used.

    Then `forward` reads through a norm, once for each pixel. Else it would be once for each tap.
    """
    plain = window.kernel == window.stride == (1, 1) and window.output_size == window.size
    return plain and groups == 1


def forward(
    x: Array | DeferredNorm,
    weight: Array,
    bias: Array | None,
    window: Window,
    groups: int,
    relu: bool = False,
) -> Array:
    """Return the convolution of x (N, C, H, W) with weight (F, C/groups, KH, KW), plus bias."""
    y = layout.new_images((x.shape[0], len(weight), *window.output_size))
    offsets = np.zeros(len(weight), np.float32) if bias is None else bias
    inner, norm = source(x if is_pointwise(window, groups) else materialize(x))
    rows = tile_shape(len(weight) // groups, x.shape[0])[0]
    packed = pack(weight, offsets, groups, rows)
    run(inner, packed, layout.memory(y), forward_taps(window), relu, norm)
    return y


def input_gradient(
    dy: Array, weight: Array, input_shape: Shape, window: Window, groups: int
) -> Array:
    """Return the gradient for x: each dy is passed back through the tap that contributed to it."""
    dx = layout.new_images(input_shape)
    zeros = np.zeros(input_shape[1], np.float32)
    rows = tile_shape(weight.shape[1], dy.shape[0])[0]
    packed = pack(weight, zeros, groups, rows, turned=True)
    run(layout.memory(dy), packed, layout.memory(dx), gradient_taps(window))
    return dx


class Packed(NamedTuple):
    """Weights in the kernel's order: those of a block of filters are contiguous."""

    weight: Array
    bias: Array
    rows: int
    groups: int
    kernel: tuple[int, int]


def pack(weight: Array, bias: Array, groups: int, rows: int, turned: bool = False) -> Packed:
    """Return the weights (G·F, C, KH, KW) for tiles of so many rows.

    If they are `turned`, by 180° and with inputs and outputs in each other's place, they are (G·C,
    F, KH, KW).
    """
    F, (C, KH, KW) = len(weight) // groups, weight.shape[1:]
    if turned:
        F, C = C, F
    blocks = -(-F // rows)
    packed = empty((groups * blocks * KH * KW * C * rows,), np.float32)
    offsets = empty((groups * blocks * rows,), np.float32)
    _pack(
        packed.size, layout.contiguous(weight).reshape(-1), turned, bias,
        groups, F, C, KH * KW, rows, packed, offsets,
    )  # fmt: skip
    return Packed(packed, offsets, rows, groups, (KH, KW))


def run(
    x: Array, packed: Packed, y: Array, taps: Any, relu: bool = False, norm: Array = UNCHANGED
) -> None:
    """Write into y (OH, OW, F, N) what x (H, W, C, N) and the weights are, and ReLU if wanted."""
    (C, N), F = x.shape[2:], y.shape[2]
    vectors = tile_shape(F // packed.groups, N)[1]
    # few positions leave cores without work, then blocks of filters are shared out too
    widths, blocks = -(-N // (vectors * LANES)), len(packed.bias) // packed.rows
    shares = min(blocks, -(-32 // (y.shape[0] * y.shape[1] * widths)))
    products = packed.weight.size * y.shape[0] * y.shape[1] * N
    _kernel(packed.rows, vectors)(
        products // 64, x, packed.weight, packed.bias, y, *taps[0], *taps[1],
        *packed.kernel, packed.groups, shares, relu,
        norm, room_for(norm, C * vectors * LANES),
    )  # fmt: skip


def tile_shape(filters: int, images: int) -> tuple[int, int]:
    """Return (filters, vectors) of the tile that wastes least for so many filters and images."""
    vectors = min(max(_ROWS), -(-usual_batch.for_tiles(images) // LANES))
    small, large = _ROWS[vectors]
    blocks = -(-filters // large)
    # the large tile is some 8 % faster a product, unless its last block is mostly empty
    return (large if blocks * large < 1.08 * (-(-filters // small) * small) else small), vectors


@jit_sized
def _pack(mine, weight, turned, bias, groups, F, C, K, rows, packed, offsets):
    """Write weights into packed (G, blocks, K, C, rows): a block's filters lie side by side.

    They lie as (G, F, C, K), for K taps, or are `turned`: they lie as (G, C, F, K), last tap first.
    """
    blocks = -(-F // rows)
    first, step, step_f, step_c = 0, 1, C * K, K
    if turned:
        first, step, step_f, step_c = K - 1, -1, K, F * K
    for block in share_of(mine, groups * blocks):
        group, f0 = block // blocks, block % blocks * rows
        start = block * K * C * rows
        live = min(rows, F - f0)
        for r in range(rows):
            offsets[block * rows + r] = bias[group * F + f0 + r] if r < live else 0
        for k in range(K):
            for c in range(C):
                to = start + (k * C + c) * rows
                at = group * F * C * K + f0 * step_f + c * step_c + first + k * step
                for r in range(live):
                    packed[to + r] = weight[at + r * step_f]
                for r in range(live, rows):
                    packed[to + r] = 0


@cache
def _kernel(ROWS: int, VECTORS: int) -> Any:
    WIDTH = VECTORS * LANES

    @jit_sized
    def kernel(
        mine, x, w, bias, y,
        row_first, row_tap, row_source, row_length,
        column_first, column_tap, column_source, column_length,
        KH, KW, groups, shares, relu, norm, room,
    ):  # fmt: skip
        """Write into y (OH, OW, F, N) the correlation of x (H, W, C, N), for `run`.

        w, bias
            `Packed.weight` and `Packed.bias`: a block of ROWS filters lies side by side.
        row_…, column_…
            The two `Taps`, each as its four arrays: to hand over a tuple takes Numba three times
            as long.
        shares
            Among how many items of work the blocks of filters of one position are divided.
        norm, room
            (3, C) to normalise a pixel of a 1×1 kernel as it is read, and for each thread room for
            that pixel; an empty norm leaves x as it is.
        """
        _, W, C, N = x.shape
        OH, OW, F, _ = y.shape
        C_group, F_group = C // groups, F // groups
        blocks, widths = -(-F_group // ROWS), -(-N // WIDTH)
        xs, ys = x.reshape(-1), y.reshape(-1)
        for item in share_of(mine, OH * OW * widths * shares):
            share, rest = item % shares, item // shares
            n, position = rest % widths * WIDTH, rest // widths
            oh, ow = position // OW, position % OW
            lanes = live_lanes(N - n, VECTORS)
            read, step_x = xs, N
            if norm.size > 0:  # 1×1: all blocks of filters read what is worked out here once
                read, step_x = room[numba.get_thread_id()], WIDTH
                for c in range(C):
                    z = load_run(xs, (position * C + c) * N + n, VECTORS, lanes)
                    write_tile(normalized(z, norm, c), read, c * WIDTH)
            for block in range(
                groups * blocks * share // shares, groups * blocks * (share + 1) // shares
            ):
                group, f = block // blocks, block % blocks * ROWS
                if KH * KW == 1:  # each pixel is read once, so the next is asked for meanwhile
                    part = rest % widths * groups * blocks + block
                    fetch_part(xs, (position + 1) * C * N, C * N, part, widths * groups * blocks)
                yi = (position * F + group * F_group + f) * N + n
                for i in range(0, ROWS * WIDTH, LANES):  # it will be near when it is written
                    fetch_ahead(ys, yi + i // WIDTH * N + i % WIDTH)
                tile = zero_tile(ROWS, VECTORS)
                for i in range(row_first[oh], row_first[oh + 1]):
                    for r in range(row_length[i]):
                        for j in range(column_first[ow], column_first[ow + 1]):
                            tap = (row_tap[i] + r) * KW + column_tap[j]
                            pixel = (row_source[i] + r) * W + column_source[j]
                            wi = (block * KH * KW + tap) * C_group * ROWS
                            # with one group, neighbouring taps' channels follow each other
                            steps = column_length[j] if groups > 1 else 1
                            run = C_group * (column_length[j] if groups == 1 else 1)
                            for step in range(steps):
                                xi = ((pixel + step) * C + group * C_group) * N + n
                                if norm.size > 0:
                                    xi = 0
                                for _ in range(run):
                                    tile = multiply_add(tile, w, wi, read, xi, lanes)
                                    wi += ROWS
                                    xi += step_x
                tile = add_rows(tile, bias, block * ROWS)
                if relu:
                    tile = relu_tile(tile)
                store_tile(tile, ys, yi, N, F_group - f, lanes)

    return kernel


@jit_inline
def fetch_part(xs, start, size, part, parts):
    """Prefetch one part of the numbers from `start` on into the near cache."""
    for i in range(size * part // parts, size * (part + 1) // parts, LANES):
        fetch_ahead(xs, start + i)
