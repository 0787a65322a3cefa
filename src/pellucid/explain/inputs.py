"""Convert images, as a user has them, to the inputs of a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import DataError, PellucidError, ShapeError
from pellucid.explain.names import refuse_frozen
from pellucid.layers import Layer
from pellucid.training.data import check_finite
from pellucid.types import Array


def stored(model: Layer, images: Any) -> Array:
    """Return images as an array (N, …), after checking that they fit the model.

    `images` may be a data set, an array (N, C, H, W), or one image (C, H, W).
    """
    x = np.asarray(getattr(images, "images", images))
    if x.ndim == 3:
        x = x[None]
    if x.ndim < 2 or len(x) == 0:
        raise DataError(
            f"an array of shape {x.shape} does not hold images; expected (N, C, H, W), "
            "or (C, H, W) for one image"
        )
    if model.input_shape is not None and x.shape[1:] != model.input_shape:
        expected, given = ("×".join(map(str, s)) for s in (model.input_shape, x.shape[1:]))
        raise ShapeError(
            f"the model expects images of {expected}, these are {given} (channels × height × width)"
        )
    check_finite(x, "images")
    if model.preprocessing is not None:
        model.preprocessing.check(x)
    return x


def network_inputs(model: Layer, images: Array) -> Array:
    """Return the network's inputs: the images, preprocessed if the model has a `preprocessing`."""
    return ops.make_batch(images, None, model.preprocessing, dtype_of(model))


def dtype_of(model: Layer) -> np.dtype[Any]:
    """Return the type of the model's parameters."""
    refuse_frozen(model)
    return next((item.dtype for item in model.parameters()), np.dtype(np.float32))


def chunks(count: int, batch_size: int) -> Iterator[slice]:
    """Yield slices of at most `batch_size` that together cover ``range(count)``."""
    check_positive(batch_size=batch_size)
    for start in range(0, count, batch_size):
        yield slice(start, min(start + batch_size, count))


def reference(model: Layer, images: Array, value: Any) -> Array:
    """Return a reference image for each of `images`, as an input of the network.

    `value` is in the images' units: a number, one per channel, or an image. By default the
    network's input is 0, which is the mean colour of the training images if the model preprocesses.
    """
    if value is None:
        return np.zeros_like(network_inputs(model, images))
    given = np.asarray(value, np.float64)
    if given.ndim == 1 and images.ndim == 4:
        given = given[:, None, None]
    try:
        whole = np.broadcast_to(given, images.shape)
    except ValueError:
        raise ShapeError(
            "give one number, one for each channel, or an image; "
            f"shape {given.shape} does not fit images of shape {images.shape[1:]}"
        ) from None
    return network_inputs(model, whole)


def check_positive(**given: int) -> None:
    """Raise an error for the first argument that is below 1."""
    for name, number in given.items():
        if number < 1:
            raise PellucidError(f"{name} must be at least 1, not {number}")


def joined(parts: Iterable[Array]) -> Array:
    """Concatenate results that were computed in parts."""
    return np.ascontiguousarray(np.concatenate(list(parts)))


def channel_numbers(given: int | Sequence[int] | None, count: int) -> Array:
    """Return the numbers of filters as an array; by default all of `count`."""
    chosen = np.arange(count) if given is None else np.atleast_1d(np.asarray(given))
    if (
        not chosen.size
        or chosen.dtype.kind not in "iu"
        or chosen.min() < 0
        or chosen.max() >= count
    ):
        raise PellucidError(f"the layer has the filters 0 to {count - 1}, not {given!r}")
    return chosen
