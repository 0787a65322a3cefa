"""The batch maker, compiled."""

import numpy as np

from pellucid.compiled.arithmetic import add, multiply, turn
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit
from pellucid.compiled.layout import memory, new_images
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import LANES, live_lanes, load_rows, store_tile
from pellucid.types import Array, DType


def make_batch(
    images: Array, indices: Array | None, factor: Array | None, offset: Array | None, dtype: DType
) -> Array:
    """Return ``y[n, c] = images[indices[n], c] · factor[c] + offset[c]``."""
    if (
        images.ndim != 4
        or np.dtype(dtype) != np.float32
        or images.dtype not in (np.uint8, np.float32)
    ):
        return reference.make_batch(images, indices, factor, offset, dtype)
    N, C = len(images) if indices is None else len(indices), images.shape[1]
    chosen = np.arange(N) if indices is None else np.asarray(indices)
    if N and not (-len(images) <= chosen.min() and chosen.max() < len(images)):
        raise IndexError(
            f"the images are numbered 0 to {len(images) - 1}, asked for {chosen.max()}"
        )
    y = new_images((N, C, *images.shape[2:]))
    a = np.ones(C, np.float32) if factor is None else factor
    b = np.zeros(C, np.float32) if offset is None else offset
    if not images.flags.c_contiguous:
        images, chosen = np.ascontiguousarray(images[chosen]), np.arange(N)
    _make_batch(images, chosen % max(len(images), 1), a, b, memory(y))
    return y


@jit
def _make_batch(mine, images, indices, factor, offset, y):
    """``y[h, w, c, n] = images[indices[n], c, h, w]·factor[c] + offset[c]``, for `make_batch`.

    images (M, C, H, W) of uint8 or float32, y (H, W, C, N). A square of pixels × images is turned
    at a time, as `layout.memory` does it.
    """
    H, W, C, N = y.shape
    xs, ys, pixels = images.reshape(-1), y.reshape(-1), H * W
    blocks = -(-pixels // LANES)
    starts = indices * (C * pixels)
    for item in share_of(mine, C * blocks):
        c, p = item // blocks, item % blocks * LANES
        across = live_lanes(pixels - p, 1)
        for n in range(0, N, LANES):
            square = load_rows(xs, starts, n, c * pixels + p, N - n, across)
            square = add(multiply(turn(square), factor[c]), offset[c])
            place = (p * C + c) * N + n
            store_tile(square, ys, place, C * N, min(LANES, pixels - p), live_lanes(N - n, 1))
