"""Make a batch for a network from stored images."""

from __future__ import annotations

import numpy as np

from pellucid import engine
from pellucid.errors import ShapeError
from pellucid.ops.checks import layout_hint
from pellucid.preprocessing import Preprocessing
from pellucid.types import Array, DType


def make_batch(
    images: Array,
    indices: Array | None = None,
    preprocessing: Preprocessing | None = None,
    dtype: DType = np.float32,
) -> Array:
    """Return ``y[n, c] = (images[indices[n], c] − mean[c]) / scale[c]``, the batch last in memory.

    Parameters
    ----------
    images
        Images (N, C, H, W) of any type; without preprocessing, any array (N, …).
    indices
        Indices of the images to take; all of them, in order, by default.
    preprocessing
        Means and scales per channel; by default, values are only converted to `dtype`.
    dtype
        Type of the result. Default: float32.

    Returns
    -------
    ndarray of shape (len(indices), C, H, W)
        A new array.

    Examples
    --------
    >>> images = np.array([10, 20, 30], np.uint8).reshape(3, 1, 1, 1)
    >>> make_batch(images, np.array([2, 0]), Preprocessing((20.0,), (10.0,))).ravel()
    array([ 1., -1.], dtype=float32)
    """
    if preprocessing is None:
        return engine.current().make_batch(images, indices, None, None, dtype)
    channels = len(preprocessing.mean)
    if images.ndim != 4 or images.shape[1] != channels:
        raise ShapeError(
            f"preprocessing was fitted to images (N, {channels}, H, W), got shape {images.shape}"
            f"{layout_hint(images.shape, channels)}"
        )
    factor, offset = preprocessing.affine(dtype)
    return engine.current().make_batch(images, indices, factor, offset, dtype)
