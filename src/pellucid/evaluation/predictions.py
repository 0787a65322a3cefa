"""Predict classes of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.arguments import Size, checked
from pellucid.errors import DataError, PellucidError, ShapeError
from pellucid.evaluation.views import View, averaged, geometric_mean, mirrored
from pellucid.execution import Frozen, compile_ahead, freeze
from pellucid.layers import Graph, Layer, Sequential, Softmax
from pellucid.ops.checks import layout_hint
from pellucid.parallel import Team
from pellucid.parallel.shards import divided
from pellucid.runtime.usual_batch import cut
from pellucid.stored import StoredImages, parts_of
from pellucid.training.data import check_finite, check_no_pixels
from pellucid.types import Array, DType, Shape


def predict(
    model: Layer,
    images: Any,
    batch_size: int = 256,
    *,
    views: Sequence[View] = (),
    flip: bool = False,
) -> Array:
    """Return the probability of each class for each image, (N, classes).

    These are the softmax of the model's outputs, or the outputs themselves if its last layer is a
    `Softmax`. The predicted classes are ``predict(…).argmax(axis=1)``.

    Parameters
    ----------
    model
        A model with one output per class.
    images
        Images (N, C, H, W) as stored if the model has a `preprocessing`, else as the network takes
        them; or a data set, whose labels are ignored.
    batch_size
        Number of images computed at once, at most. Default: 256.
    views
        Other views of the images, such as `views.SHIFTS`; the result is then the mean over all
        of them (test-time augmentation), see `views.averaged`.
    flip
        Whether to average over the mirror images as well, with the same views; for networks that
        were trained with mirrored images. Default: False.

    Returns
    -------
    ndarray of shape (N, classes)
        The probabilities.

    Raises
    ------
    DataError
        An image contains NaN or infinity; the message gives its number. Or the images are on
        another scale than the training images, such as 0 to 1 instead of 0 to 255.
    ShapeError
        The images, or the number of classes, do not fit the model.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, initializer="zeros"))
    >>> predict(model, np.ones((1, 1, 2, 2)))
    array([[0.5, 0.5]], dtype=float32)
    """
    y = outputs(model, images, batch_size)
    return in_views(model, images, y, views, flip, batch_size)


def in_views(
    model: Layer,
    images: Any,
    y: Array,
    views: Sequence[View],
    flip: bool,
    batch_size: int = 256,
    parallel: Team | None = None,
) -> Array:
    """Return the mean probabilities over `images`, for which the model returns `y`, and views."""

    def seen(x: Array) -> Array:
        x = np.ascontiguousarray(x)
        return probabilities(model, outputs(model, x, batch_size, parallel))

    plain = probabilities(model, y)
    if not (views or flip):
        return plain
    stored = np.asarray(getattr(images, "images", images)[:])
    mean = averaged(plain, [seen(view(stored)) for view in views])
    if not flip:
        return mean
    mirror = mirrored(stored)
    return geometric_mean([mean, averaged(seen(mirror), [seen(view(mirror)) for view in views])])


def outputs(
    model: Layer, images: Any, batch_size: int = 256, parallel: Team | None = None
) -> Array:
    """Return the model's outputs for `images`, (N, classes), computed in batches; see `predict`.

    With several processes, each computes some of the batches, and all return the same result.
    """
    x = getattr(images, "images", images)
    x = x if isinstance(x, StoredImages) else np.asarray(x)
    batch_size = checked("batch_size", batch_size, Size)
    _check_images(model, x)
    if isinstance(images, np.ndarray) and model.preprocessing is None:
        check_no_pixels(images, "images")
    parts = cut(len(x), batch_size)
    if len(x) >= _MANY:
        compile_ahead(rehearsal(model, x, batch_size))
    if parallel is None:
        return _outputs(model, x, parts)
    mine = divided(len(parts), parallel.size)[parallel.rank]
    own = parallel.together(lambda: _outputs(model, x, parts[mine.start : mine.stop]))
    joined = b"".join(parallel.gather_bytes(own.tobytes()))
    return np.frombuffer(joined, own.dtype).reshape(len(x), -1)


_MANY = 64
"""Number of images from which compiling ahead is worthwhile."""


def rehearsal(model: Layer, images: Any, batch_size: int = 256) -> Iterator[Callable[[], Any]]:
    """Yield calls that need the kernels of `outputs`, for `compile_ahead`."""
    for size in {part.stop - part.start for part in cut(len(images), batch_size)}:
        alike = np.zeros((size, *images.shape[1:]), images.dtype)
        yield partial(_run, model, freeze(model), alike)


def _outputs(model: Layer, x: Any, parts: list[slice]) -> Array:
    """Return the outputs of some parts of the images."""
    found: list[Array] = [] if parts else [np.empty((0, 1), _dtype(model))]
    frozen = freeze(model)
    for part, images in zip(parts, parts_of(x, parts), strict=True):
        y = _run(model, frozen, images)
        # some imported networks return images of one pixel
        found.append(y.reshape(y.shape[:2]) if y.shape[2:] == (1, 1) else y)
        _check_outputs(model, found[-1], part.start)
    return np.ascontiguousarray(np.concatenate(found))


def _run(model: Layer, frozen: Frozen, images: Array) -> Array:
    y: Array = frozen(ops.make_batch(images, None, model.preprocessing, _dtype(model)))
    return y


def _dtype(model: Layer) -> DType:
    return next((parameter.dtype for parameter in model.parameters()), np.dtype(np.float32))


def probabilities(model: Layer, y: Array) -> Array:
    """Return the probabilities that the outputs `y` of `model` represent."""
    return y if _ends_in_softmax(model) else ops.softmax(y, 1)


def logits(model: Layer, y: Array) -> Array:
    """Return values whose softmax are the probabilities."""
    return np.log(np.maximum(y, np.finfo(y.dtype).tiny)) if _ends_in_softmax(model) else y


def _ends_in_softmax(model: Layer) -> bool:
    last: Layer | None = model
    while isinstance(last, Graph) or (isinstance(last, Sequential) and len(last)):
        last = last.children().get(last.outputs[0]) if isinstance(last, Graph) else last[-1]
    return isinstance(last, Softmax)


def _check_images(model: Layer, x: Any) -> None:
    if x.ndim < 2 or len(x) == 0:
        raise DataError(f"there are no images in an array of shape {x.shape}: (N, C, H, W)")
    if model.input_shape is not None and x.shape[1:] != model.input_shape:
        raise ShapeError(
            f"the model is made for images of {_size(model.input_shape)}, these are "
            f"{_size(x.shape[1:])} (channels × height × width)"
            f"{layout_hint(x.shape, model.input_shape[0])}"
        )
    check_finite(x, "images")
    if model.preprocessing is not None:
        model.preprocessing.check(x)


def _check_outputs(model: Layer, y: Array, start: int) -> None:
    if y.ndim != 2 or y.shape[1] < 2:
        raise ShapeError(
            f"a classifier returns one output for each of two or more classes, (N, classes); "
            f"the outputs of this model have shape (N, {', '.join(map(str, y.shape[1:]))})"
        )
    if model.classes is not None and len(model.classes) != y.shape[1]:
        raise ShapeError(
            f"the model has {y.shape[1]} outputs, but {len(model.classes)} names of classes"
        )
    wrong = ~np.isfinite(y.max(axis=1))  # a score of −∞ is valid: it excludes a class
    if wrong.any():
        raise PellucidError(
            f"the model's outputs for image {start + wrong.argmax()} are not finite: "
            "its weights are NaN or too large"
        )


def _size(shape: Shape) -> str:
    return "×".join(map(str, shape))
