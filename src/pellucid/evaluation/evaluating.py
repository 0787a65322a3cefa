"""Evaluate a model's predictions on labelled images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.errors import DataError, PellucidError, ShapeError
from pellucid.evaluation.predictions import in_views, logits, outputs
from pellucid.evaluation.result import Evaluation
from pellucid.evaluation.views import View
from pellucid.layers import Layer
from pellucid.losses import Loss, chosen, cross_entropy
from pellucid.parallel import Team
from pellucid.training.data import Data, Divided, arrays, part_of, with_targets
from pellucid.types import Array


def evaluate(
    model: Layer,
    data: Data | Divided | Array,
    labels: Array | Sequence[int] | None = None,
    *,
    loss: Loss | str | None = None,
    batch_size: int = 256,
    views: Sequence[View] = (),
    flip: bool = False,
    parallel: Team | None = None,
) -> Evaluation:
    """Evaluate a model's predictions on labelled images.

    Parameters
    ----------
    model
        A classifier.
    data
        A data set (images, labels, classes), a pair of arrays (images, class numbers), or the
        images alone if `labels` follow. If a data set has parts, its ``test`` part is used.
    labels
        Class number of each image, (N,), if `data` is an array of images.
    loss
        Loss of the model's outputs to report, or its name. Default: the cross entropy.
    batch_size
        Number of images computed at once, at most. Default: 256.
    views
        Other views of the images, such as `views.SHIFTS`; probabilities are then the mean over
        all of them (test-time augmentation, see `views.averaged`), and the loss is that of the
        mean.
    flip
        Whether to average over the mirror images as well, see `predict`. Default: False.
    parallel
        Processes that share the images, see `pellucid.parallel`. Each of them calls this function
        and gets the same result.

    Returns
    -------
    Evaluation
        Accuracy, scores per class, confusion matrix, calibration, and so on.

    Raises
    ------
    DataError, ShapeError
        Images or classes do not fit the model, a label is not one of the classes, or an image
        contains NaN.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Linear(2, 2)
    >>> model.weight.value = np.eye(2)
    >>> evaluate(model, np.array([[9.0, 0.0], [0.0, 9.0]]), np.array([0, 1])).accuracy
    1.0
    """
    part: Data = part_of(with_targets(data, labels), "test", "data")
    pair = arrays(part, "data")
    if pair is None:
        raise DataError("evaluate needs a data set or a pair of arrays, not batches")
    x, truth = pair
    y = outputs(model, x if isinstance(part, tuple) else part, batch_size, parallel)
    classes = _classes(model, part, y.shape[1])
    if (views or flip) and loss is not None:
        raise PellucidError("with views, the loss is always that of the mean probabilities")
    _check_labels(truth, classes)
    p = in_views(model, x, y, views, flip, batch_size, parallel)
    if loss is not None:
        value, _ = (chosen(loss) if isinstance(loss, str) else loss)(y, truth)
    elif views or flip:
        value, _ = cross_entropy(np.log(np.maximum(p, np.finfo(p.dtype).tiny)), truth)
    else:
        value, _ = cross_entropy(logits(model, y), truth)
    return Evaluation(truth, p, classes, float(value))


def _classes(model: Layer, data: Data, count: int) -> tuple[str, ...]:
    """Return the names of the classes, after checking that data and model agree."""
    named, own = getattr(data, "classes", None), model.classes
    if named is None:
        return own or tuple(map(str, range(count)))
    if len(named) != count:
        raise ShapeError(
            f"the model has {count} classes, but the data has {len(named)}; if they are some of "
            "the model's, renumber them with data.with_classes(model.classes)"
        )
    if own is not None and own != tuple(named):
        i = next(i for i in range(count) if own[i] != named[i])
        raise DataError(
            f"the model was trained on other classes: class {i} is '{own[i]}' in the model and "
            f"'{named[i]}' in the data; if only their order differs, renumber them with "
            "data.with_classes(model.classes)"
        )
    return tuple(named)


def _check_labels(labels: Array, classes: tuple[str, ...]) -> None:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            "evaluation needs the class number of each image, integers of shape (N,), "
            f"not {labels.dtype} of shape {labels.shape}"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if outside.size:
        raise DataError(
            f"image {outside[0]} has label {labels[outside[0]]}, "
            f"but the model knows the classes 0 to {len(classes) - 1}"
        )
