"""From images, as a user has them, to what the network computes with."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import DataError, PellucidError, ShapeError
from pellucid.layers import Layer
from pellucid.training.batches import check_finite
from pellucid.types import Array


def stored(model: Layer, images: Any) -> Array:
    """Return `images` as an array (N, …), checked against what the model was trained on.

    They may be a data set, many images (N, C, H, W), or one image (C, H, W).
    """
    x = np.asarray(getattr(images, "images", images))
    if x.ndim == 3:
        x = x[None]
    if x.ndim < 2 or len(x) == 0:
        raise DataError(
            f"there are no images in an array of shape {x.shape}; it is (N, C, H, W), "
            "or (C, H, W) for one image"
        )
    if model.input_shape is not None and x.shape[1:] != model.input_shape:
        expected, given = ("×".join(map(str, s)) for s in (model.input_shape, x.shape[1:]))
        raise ShapeError(
            f"the model is made for images of {expected}, these are {given} "
            "(channels × height × width)"
        )
    check_finite(x, "images")
    return x


def network_inputs(model: Layer, images: Array) -> Array:
    """Return what the network computes with: preprocessed where the model says how."""
    return ops.make_batch(images, None, model.preprocessing, dtype_of(model))


def dtype_of(model: Layer) -> np.dtype[Any]:
    """Return the type of the model's numbers."""
    return next((item.dtype for item in model.parameters()), np.dtype(np.float32))


def chunks(count: int, batch_size: int) -> Iterator[slice]:
    """Yield slices of at most `batch_size` that together are ``range(count)``."""
    if batch_size < 1:
        raise PellucidError(f"the batch size is at least 1, not {batch_size}")
    for start in range(0, count, batch_size):
        yield slice(start, min(start + batch_size, count))
