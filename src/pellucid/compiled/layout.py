"""How this engine keeps images in memory: position by position, (H, W, C, N).

At each pixel lies a matrix of channels × images. A convolution's tap then reads one block of memory
from end to end, and neighbouring taps lie side by side. The shape that everybody sees stays (N, C,
H, W): a view with its axes turned.
"""

import numba
import numpy as np

from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit, jit_sized
from pellucid.runtime.recording import add_up, copy
from pellucid.runtime.workspace import empty
from pellucid.types import Array, Shape


def images(memory: Array) -> Array:
    """Return memory (H, W, C, N) as images (N, C, H, W): a view."""
    return memory.transpose(3, 2, 0, 1)


def new_images(shape: Shape) -> Array:
    """Return float32 images of `shape` (N, C, H, W), not yet written, in this engine's order."""
    N, C, H, W = shape
    return images(empty((H, W, C, N), np.float32))


def memory(x: Array) -> Array:
    """Return images (N, C, H, W) as contiguous memory (H, W, C, N): a view if they lie so."""
    turned = x.transpose(2, 3, 1, 0)
    if turned.flags.c_contiguous or not x.flags.c_contiguous:
        return contiguous(turned)
    ordered = empty(turned.shape, np.float32)
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
def _turn(x, y):
    """(N, C, H, W) -> (H, W, C, N), for `memory`."""
    N, C, H, W = x.shape
    for h in numba.prange(H):
        for n0 in range(0, N, 16):  # blocks keep both sides of the transposition in the cache
            for w in range(W):
                for c in range(C):
                    for n in range(n0, min(n0 + 16, N)):
                        y[h, w, c, n] = x[n, c, h, w]


def add_to(x: Array, y: Array) -> Array:
    """Add y into x and return x."""
    if x.ndim != 4 or not x.transpose(2, 3, 1, 0).flags.c_contiguous:
        return reference.add_to(x, y)
    _add(x.size, memory(x), memory(y))
    return x


@jit_sized
def _add(work, x, y):
    """``x += y``, both (H, W, C, N), for `add_to`."""
    H, W, C, N = x.shape
    for h in numba.prange(H):
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
    y = empty((C, H, W, N), np.float32)
    _pixels_last(x.size, memory(x), y)
    return y.reshape(C * H * W, N).T


def unflatten(y: Array, shape: Shape) -> Array:
    """Return (N, C·H·W) as images of `shape` (N, C, H, W)."""
    if len(shape) != 4:
        return reference.unflatten(y, shape)
    N, C, H, W = shape
    x = new_images(shape)
    _pixels_first(y.size, contiguous(y.T).reshape(C, H, W, N), memory(x))
    return x


@jit_sized
def _pixels_last(work, x, y):
    """(H, W, C, N) -> (C, H, W, N), for `flatten`."""
    H, W, C, N = x.shape
    for h in numba.prange(H):
        for w in range(W):
            for c in range(C):
                for n in range(N):
                    y[c, h, w, n] = x[h, w, c, n]


@jit_sized
def _pixels_first(work, x, y):
    """(C, H, W, N) -> (H, W, C, N), for `unflatten`."""
    C, H, W, N = x.shape
    for h in numba.prange(H):
        for w in range(W):
            for c in range(C):
                for n in range(N):
                    y[h, w, c, n] = x[c, h, w, n]
