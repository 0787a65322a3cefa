"""How this engine keeps images in memory: what lies innermost fills the lanes of a register.

Many images lie innermost themselves, (H, W, C, N): at each pixel lies a matrix of channels ×
images, and each load serves as many images as a register has lanes. Few images would leave most
lanes empty. They lie channels last, (N, H, W, C), and each load serves as many channels.
`channels_innermost` decides. The shape that everybody sees stays (N, C, H, W): a view with its
axes turned.
"""

import numpy as np

from pellucid.compiled.arithmetic import turn
from pellucid.compiled.fallback import reference
from pellucid.compiled.instructions import LANES
from pellucid.compiled.jit import jit, jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import live_lanes, load_square, store_tile
from pellucid.runtime import usual_batch
from pellucid.runtime.recording import add_up, copy
from pellucid.runtime.workspace import empty
from pellucid.types import Array, DType, Shape

NO_IMAGES = np.empty((0, 0, 0, 0), np.float32)
"""What a kernel is given in place of images that are optional."""


def images(memory: Array) -> Array:
    """Return memory (H, W, C, N) as images (N, C, H, W): a view."""
    return memory.transpose(3, 2, 0, 1)


def new_images(shape: Shape) -> Array:
    """Return float32 images of `shape` (N, C, H, W), not yet written, in this engine's order."""
    N, C, H, W = shape
    return images(empty((H, W, C, N), np.float32))


def channels_innermost(shape: Shape) -> bool:
    """Return whether images of `shape` (N, C, …) lie channels last, so that these fill the lanes.

    It follows from the shape, and from how many images a batch usually has, so all that compute
    with images of one shape lay them alike.
    """
    images, C = usual_batch.at_least(shape[0]), shape[1]
    fewest = 2 if images == 1 else LANES // 2
    return images < FEW_IMAGES and fewest <= C


FEW_IMAGES = 16
"""Fewer images than this fill too few registers, of 16, 8 or 4 lanes, to share what is loaded."""


def new_channels_last(shape: Shape, dtype: DType = np.float32) -> Array:
    """Return images of `shape` (N, C, H, W), not yet written, with channels innermost."""
    N, C, H, W = shape
    return empty((N, H, W, C), dtype).transpose(0, 3, 1, 2)


def channels_last(x: Array) -> Array:
    """Return images (N, C, H, W) as contiguous memory (N, H, W, C): a view if they lie so."""
    turned = x.transpose(0, 2, 3, 1)
    here = x.flags.c_contiguous and x.dtype == np.float32
    images_last = x.transpose(2, 3, 1, 0).flags.c_contiguous
    if turned.flags.c_contiguous or not (here or images_last):
        return contiguous(turned)
    ordered = empty(turned.shape, x.dtype)
    if here:
        _channels_last(x.size, x, ordered)
    else:
        _channels_before_images(x.size, memory(x), ordered)
    return ordered


@jit_sized
def _channels_last(mine, x, y):
    """(N, C, H, W) -> (N, H, W, C), for `channels_last`: a square of numbers at a time."""
    N, C, H, W = x.shape
    xs, ys, pixels = x.reshape(-1), y.reshape(-1), H * W
    blocks = -(-pixels // LANES)
    for item in share_of(mine, N * blocks):
        n, p = item // blocks, item % blocks * LANES
        across, rows = live_lanes(pixels - p, 1), min(LANES, pixels - p)
        for c in range(0, C, LANES):
            start = (n * C + c) * pixels + p
            square = turn(load_square(xs, start, pixels, min(LANES, C - c), across))
            store_tile(square, ys, (n * pixels + p) * C + c, C, rows, live_lanes(C - c, 1))


@jit_sized
def _channels_before_images(mine, x, y):
    """(H, W, C, N) -> (N, H, W, C), for `channels_last`."""
    H, W, C, N = x.shape
    for h in share_of(mine, H):
        for n in range(N):
            for w in range(W):
                for c in range(C):
                    y[n, h, w, c] = x[h, w, c, n]


def new_array(shape: Shape, dtype: DType = np.float32) -> Array:
    """Return images of `shape` (N, C, H, W), not yet written, as images of this shape lie."""
    if channels_innermost(shape):
        return new_channels_last(shape, dtype)
    N, C, H, W = shape
    return images(empty((H, W, C, N), dtype))


def ordered(x: Array) -> Array:
    """Return images in the order in which images of this shape lie: themselves if they lie so."""
    if channels_innermost(x.shape):
        return channels_last(x).transpose(0, 3, 1, 2)
    return images(memory(x))


def in_lanes(x: Array) -> Array:
    """Return images as memory (rows, columns, outer, lanes), as images of this shape lie.

    That is (H, W, C, N), or (N·H, W, 1, C): the images one below the other.
    """
    if not channels_innermost(x.shape):
        return memory(x)
    N, C, H, W = x.shape
    return channels_last(x).reshape(N * H, W, 1, C)


def memory(x: Array) -> Array:
    """Return images (N, C, H, W) as contiguous memory (H, W, C, N): a view if they lie so."""
    turned = x.transpose(2, 3, 1, 0)
    if turned.flags.c_contiguous or not x.flags.c_contiguous or x.dtype != np.float32:
        return contiguous(turned)
    (N, C, H, W), ordered = x.shape, empty(turned.shape, x.dtype)
    if H == W == 1:  # squares of channels × images
        _turn(x.reshape(N, 1, C, 1), ordered.reshape(C, 1, 1, N))
    else:
        _turn(x, ordered)
    return ordered


def contiguous(x: Array) -> Array:
    """Return x, written anew if it does not lie in one piece."""
    if x.flags.c_contiguous:
        return x
    y = empty(x.shape, x.dtype)
    copy(y, x)
    return y


@jit
def _turn(mine, x, y):
    """(N, C, H, W) -> (H, W, C, N), for `memory`: a square of LANES × LANES numbers at a time."""
    H, W, C, N = y.shape
    xs, ys, pixels = x.reshape(-1), y.reshape(-1), H * W
    blocks = -(-pixels // LANES)
    for item in share_of(mine, C * blocks):
        c, p = item // blocks, item % blocks * LANES
        across = live_lanes(pixels - p, 1)
        for n in range(0, N, LANES):
            start = (n * C + c) * pixels + p
            square = turn(load_square(xs, start, C * pixels, min(LANES, N - n), across))
            place = (p * C + c) * N + n
            store_tile(square, ys, place, C * N, min(LANES, pixels - p), live_lanes(N - n, 1))


def add_to(x: Array, y: Array) -> Array:
    """Add y into x and return x."""
    if x.ndim != 4 or not np.shares_memory(x, inner := in_lanes(x)):
        return reference.add_to(x, y)
    _add(x.size, inner, in_lanes(y))
    return x


@jit_sized
def _add(mine, x, y):
    """``x += y``, for `add_to`."""
    H, W, C, N = x.shape
    for h in share_of(mine, H):
        for w in range(W):
            for c in range(C):
                for n in range(N):
                    x[h, w, c, n] += y[h, w, c, n]


def channel_sums(x: Array) -> Array:
    """Return the sum of x (N, C, …) over all but C."""
    y = np.empty(x.shape[1], x.dtype)
    add_up(x, (0, *range(2, x.ndim)), y)
    return y


def as_images(x: Array) -> Array:
    """Return x (N, C), (N, C, L) or (N, C, H, W) with four axes: a view."""
    return x.reshape(*x.shape, *(1,) * (4 - x.ndim)) if x.ndim < 4 else x


def flatten(x: Array) -> Array:
    """Return images (N, C, H, W) as (N, C·H·W), in memory (C·H·W, N): runs move whole."""
    if x.ndim != 4:
        return reference.flatten(x)
    N, C, H, W = x.shape
    if H == W == 1 and channels_innermost(x.shape):
        return channels_last(x).reshape(N, C)
    y = empty((C, H, W, N), np.float32)
    _pixels_last(x.size, memory(x), y)
    return y.reshape(C * H * W, N).T


def unflatten(y: Array, shape: Shape) -> Array:
    """Return (N, C·H·W) as images of `shape` (N, C, H, W)."""
    if len(shape) != 4:
        return reference.unflatten(y, shape)
    N, C, H, W = shape
    if H == W == 1 and channels_innermost(shape):
        return contiguous(y).reshape(shape)
    x = new_images(shape)
    _pixels_first(y.size, contiguous(y.T).reshape(C, H, W, N), memory(x))
    return x


@jit_sized
def _pixels_last(mine, x, y):
    """(H, W, C, N) -> (C, H, W, N), for `flatten`."""
    H, W, C, N = x.shape
    for h in share_of(mine, H):
        for w in range(W):
            for c in range(C):
                for n in range(N):
                    y[c, h, w, n] = x[h, w, c, n]


@jit_sized
def _pixels_first(mine, x, y):
    """(C, H, W, N) -> (H, W, C, N), for `unflatten`."""
    C, H, W, N = x.shape
    for h in share_of(mine, H):
        for w in range(W):
            for c in range(C):
                for n in range(N):
                    y[h, w, c, n] = x[c, h, w, n]
