"""Images whose normalisation is deferred to the convolution that reads them.

A pass that reads z and writes ``y = relu((z − mean)·scale + shift)`` makes two trips to far memory
and computes next to nothing. A kernel that has some numbers of z in its registers does that on the
way. Padding stays zero: it is y that is padded, not z.
"""

from typing import Any, NamedTuple

import numpy as np

from pellucid.compiled import layout
from pellucid.compiled.arithmetic import fma, relu_tile
from pellucid.compiled.epilogue_kernels import epilogue_kernel
from pellucid.compiled.jit import jit_inline, room_for_threads
from pellucid.compiled.tile import load_run
from pellucid.types import Array, Shape


class DeferredNorm(NamedTuple):
    """Images ``y = relu((z − mean[c])·scale[c] + shift[c])`` of which only z is in memory.

    A kernel that reads z computes y on the way. Without `relu` there is no ReLU.
    """

    z: Array
    norm: Array
    """(mean, scale, shift) of each channel: (3, C)."""
    relu: bool

    @property
    def shape(self) -> Shape:
        return self.z.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.z.dtype


UNCHANGED = np.empty((3, 0), np.float32)
"""The norm of images that are read as they lie."""

_MINUS = np.float32(-1)
_NO_ROOM = np.empty((1, 0), np.float32)


def source(x: Array | DeferredNorm) -> tuple[Array, Array]:
    """Return memory (H, W, C, N), and the norm that a kernel applies as it reads."""
    if isinstance(x, DeferredNorm) and x.relu:
        return layout.memory(x.z), x.norm
    return layout.memory(materialize(x)), UNCHANGED


def materialize(x: Array | DeferredNorm) -> Array:
    """Return the images themselves, for kernels that cannot apply a norm as they read."""
    if not isinstance(x, DeferredNorm):
        return x
    y, z = layout.new_array(x.shape), layout.in_lanes(x.z)
    norm = x.norm[:, None] if layout.channels_innermost(x.shape) else x.norm
    epilogue_kernel(z, norm, z, False, x.relu, layout.in_lanes(y))
    return y


def room_for(norm: Array, size: int) -> Array:
    """Return for each thread room for so many normalised numbers, if there will be any."""
    return room_for_threads(size) if norm.size else _NO_ROOM


@jit_inline
def normalized(run, norm, c):
    """``relu((run − mean)·scale + shift)`` for numbers of channel c."""
    return normalized_tile(run, norm[0, c], norm[1, c], norm[2, c])


@jit_inline
def normalized_square(square, norm, c, lanes):
    """Do `normalized` for a tile whose lanes hold the channels from c on."""
    numbers, C = norm.reshape(-1), norm.shape[1]
    mean, scale = load_run(numbers, c, 1, lanes), load_run(numbers, C + c, 1, lanes)
    return normalized_tile(square, mean, scale, load_run(numbers, 2 * C + c, 1, lanes))


@jit_inline
def normalized_tile(tile, mean, scale, shift):
    """``relu((tile − mean)·scale + shift)``; the three are numbers, or tiles of one row."""
    return relu_tile(fma(fma(mean, _MINUS, tile), scale, shift))
