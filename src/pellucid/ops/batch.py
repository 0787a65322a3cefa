"""From stored images to a batch that a network computes with."""

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
        (N, C, H, W), of any type; without preprocessing it may be (N, …).
    indices
        The numbers of the images to take; None takes all of them, in order.
    preprocessing
        Means and scales; None leaves the values as they are.
    dtype
        The type of the result.

    Returns
    -------
    A new array of shape (len(indices), C, H, W).

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
