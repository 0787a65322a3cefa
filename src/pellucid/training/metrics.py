"""Metrics: quantities that are measured in addition to the loss."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from pellucid.arguments import as_number, shown
from pellucid.errors import DataError, ShapeError, TrainingError, unknown
from pellucid.losses import Loss
from pellucid.types import Array

__all__ = [
    "Metric",
    "chosen",
    "mean_absolute_error",
    "mean_squared_error",
    "measured",
    "top_k_accuracy",
]


def __dir__() -> list[str]:
    return __all__


Metric = Callable[[Array, Array], float]
"""``value = metric(outputs, targets)``, a mean over the samples of a batch.

`outputs` are the model's, before any softmax; `targets` are those of the loss. With an
`ignore_index` they are those that count, (N, K) and (N,), also of pixels.
"""


def chosen(given: Iterable[str | Metric]) -> dict[str, Metric]:
    """Return metrics by name, given names or functions.

    ``"accuracy"`` changes nothing, because it is always measured if outputs are classes.

    Parameters
    ----------
    given
        ``"accuracy"``, ``"top_5"`` (or another number), ``"mean_absolute_error"``,
        ``"mean_squared_error"``, or functions of (outputs, targets), used by their own names.

    Examples
    --------
    >>> def largest(outputs, targets):
    ...     return outputs.max()
    >>> list(chosen(["accuracy", "top_5", largest]))
    ['top_5', 'largest']
    """
    if isinstance(given, str) or callable(given):
        given = [given]
    found = dict(map(_named, given))
    found.pop("accuracy", None)
    return found


def measured(
    metrics: Mapping[str, Metric], outputs: Array, targets: Array, loss: Loss
) -> dict[str, float]:
    """Return the value of each metric for the targets of a batch that count in the loss."""
    if not metrics:
        return {}
    outputs, targets = loss.counting(outputs, targets)
    if not len(targets):
        return dict.fromkeys(metrics, 0.0)
    return {name: _value(name, metric, outputs, targets) for name, metric in metrics.items()}


def top_k_accuracy(outputs: Array, labels: Array, k: int) -> float:
    """Return how often the true class is among the `k` classes with the largest outputs.

    Of equal outputs, the first counts as larger, so k = 1 gives the accuracy. A true class whose
    output is NaN is not found.

    Parameters
    ----------
    outputs
        Scores or probabilities, (N, classes), or for each pixel (N, classes, …).
    labels
        True classes, (N,) or (N, …).
    k
        Number of classes that count.

    Raises
    ------
    ShapeError, DataError
        The two do not fit together, or a label is not one of the classes.

    Examples
    --------
    >>> top_k_accuracy(np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), np.array([1, 2]), k=2)
    0.5
    """
    outputs, labels = np.asarray(outputs), np.asarray(labels)
    if outputs.ndim < 2 or labels.shape != (len(outputs), *outputs.shape[2:]):
        raise ShapeError(
            "top_k_accuracy needs scores (N, classes) and one class number for each, (N,), "
            f"got {outputs.shape} and {labels.shape}"
        )
    named = np.expand_dims(class_numbers(labels, outputs.shape[1], "labels"), 1)
    truth = np.take_along_axis(outputs, named, axis=1)
    earlier = np.moveaxis(np.arange(outputs.shape[1]) < np.moveaxis(named, 1, -1), -1, 1)
    ahead = ~(outputs <= truth) | ((outputs == truth) & earlier)  # NaN is ahead of all numbers
    return float((ahead.sum(axis=1) < k).mean())


def class_numbers(given: Any, classes: int, name: str) -> Array:
    """Return class numbers as int64, after checking that each is one of 0, …, classes − 1."""
    numbers = np.asarray(given)
    if numbers.dtype.kind not in "iu":
        raise DataError(f"{name} must be class numbers (integers), not {numbers.dtype}")
    outside = (numbers < 0) | (numbers >= classes)
    if outside.any():
        raise DataError(
            f"{name} must be class numbers from 0 to {classes - 1}, but include "
            f"{numbers[outside].flat[0]}"
        )
    return numbers.astype(np.int64)


def mean_absolute_error(outputs: Array, targets: Array) -> float:
    """Return ``mean |y − t|`` over all elements."""
    return float(np.mean(np.abs(outputs - targets.reshape(outputs.shape))))


def mean_squared_error(outputs: Array, targets: Array) -> float:
    """Return ``mean (y − t)²`` over all elements."""
    return float(np.mean((outputs - targets.reshape(outputs.shape)) ** 2))


def _accuracy(outputs: Array, targets: Array) -> float:
    return top_k_accuracy(outputs, _labels(targets), 1)


def _labels(targets: Array) -> Array:
    return targets if targets.dtype.kind in "iu" else targets.argmax(axis=1)


_METRICS: dict[str, Metric] = {
    "accuracy": _accuracy,
    "mean_absolute_error": mean_absolute_error,
    "mean_squared_error": mean_squared_error,
}


def _named(given: str | Metric) -> tuple[str, Metric]:
    if callable(given):
        return getattr(given, "__name__", type(given).__name__), given
    if not isinstance(given, str):
        raise TrainingError(
            f"a metric must be a name or a function of (outputs, targets), not {shown(given)}"
        )
    name = given.lower().replace("-", "_")
    if places := re.fullmatch(r"top_?([1-9]\d*)", name):
        k = int(places[1])
        return f"top_{k}", lambda outputs, targets: top_k_accuracy(outputs, _labels(targets), k)
    if name not in _METRICS:
        raise TrainingError(
            unknown("metric", given, ["accuracy", "top_5", *list(_METRICS)[1:]])
            + ", or a function of (outputs, targets)"
        )
    return name, _METRICS[name]


def _value(name: str, metric: Metric, outputs: Array, targets: Array) -> float:
    found = np.asarray(metric(outputs, targets))
    try:
        return as_number(found.item())
    except (TypeError, ValueError):
        raise TrainingError(
            f"the metric '{name}' must return one number for a batch, not {shown(found)}"
        ) from None
