"""Make a batch for a network from stored images."""

from __future__ import annotations

import numpy as np

from pellucid.types import Array, DType


def make_batch(
    images: Array, indices: Array | None, factor: Array | None, offset: Array | None, dtype: DType
) -> Array:
    """Return ``y[n, c] = images[indices[n], c] · factor[c] + offset[c]``, batch last in memory.

    Parameters
    ----------
    images
        Images (N, C, …) of any type and memory layout.
    indices
        Indices of the images to take; None takes all, in order.
    factor, offset
        One value per channel, both of type `dtype`; None leaves the values as they are.
    """
    chosen = images if indices is None else images[indices]
    source = np.moveaxis(chosen, 0, -1)
    y = np.empty(source.shape, dtype)
    if factor is None or offset is None:
        y[...] = source
    else:
        per_channel = (-1,) + (1,) * (source.ndim - 1)
        # (C, H, W, N) · (C, 1, 1, 1) -> (C, H, W, N), without a copy in between
        np.multiply(source, factor.reshape(per_channel), out=y, dtype=dtype)
        y += offset.reshape(per_channel)
    return np.moveaxis(y, -1, 0)
