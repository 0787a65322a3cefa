"""Gather the patches that a window reads into one array, and the adjoint of this operation.

::

    patches[c, i, j, oh, ow, n] = x[n, c, oh·S + i·D − P, ow·S + j·D − P]        (0 outside the
    image)

Gathering is linear. Its adjoint, scattering, adds every value of a patch to the position from which
it was read. The batch is last, so that each copy moves contiguous memory.
"""

from __future__ import annotations

import numpy as np

from pellucid.geometry import Window
from pellucid.reference import memory
from pellucid.types import Array


def gather(x: Array, window: Window, out: Array | None = None) -> Array:
    """Return the patches (C, KH, KW, OH, OW, N) of images `x` (N, C, H, W), in `out` if given.

    If each patch is one pixel, and every pixel a patch, the result is a view of `x`.
    """
    images = batch_innermost(x)
    C, _, _, N = images.shape
    if out is None:
        if window == Window(window.size, kernel=(1, 1)):
            return images[:, None, None]
        out = np.empty((C, *window.kernel, *window.output_size, N), x.dtype)
    if any(map(any, window.padding)):
        out[...] = 0
    for i, j, (rows, columns), (image_rows, image_columns) in window.inner_taps():
        out[:, i, j, rows, columns] = images[:, image_rows, image_columns]
    return out


def scatter(patches: Array, window: Window, dx: Array) -> None:
    """Add patches (C, KH, KW, OH, OW, N) to `dx` (N, C, H, W): the adjoint of `gather`."""
    images = dx.transpose(1, 2, 3, 0)
    for i, j, (rows, columns), (image_rows, image_columns) in window.inner_taps():
        images[:, image_rows, image_columns] += patches[:, i, j, rows, columns]


def batch_innermost(x: Array) -> Array:
    """Return `x` (N, C, H, W) as (C, H, W, N), copied only if its images are not adjacent.

    Unlike `memory.batch_last`, it does not copy a strip of rows.
    """
    if len(x) == 1 or x.strides[0] == x.itemsize:
        return x.transpose(1, 2, 3, 0)
    return memory.batch_last(x)
