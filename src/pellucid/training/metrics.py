"""Metrics: quantities that are measured in addition to the loss."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from pellucid.arguments import as_number, shown
from pellucid.errors import TrainingError, unknown
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

`outputs` are the model's, before any softmax; `targets` are those of the loss.
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


def measured(metrics: Mapping[str, Metric], outputs: Array, targets: Array) -> dict[str, float]:
    """Return the value of each metric for a batch."""
    return {name: _value(name, metric, outputs, targets) for name, metric in metrics.items()}


def top_k_accuracy(outputs: Array, labels: Array, k: int) -> float:
    """Return how often the true class is among the `k` classes with the largest outputs.

    Of equal outputs, the first counts as larger, so k = 1 gives the accuracy.

    Parameters
    ----------
    outputs
        Scores or probabilities, (N, classes).
    labels
        True classes, (N,).
    k
        Number of classes that count.

    Examples
    --------
    >>> top_k_accuracy(np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), np.array([1, 2]), k=2)
    0.5
    """
    truth = np.take_along_axis(outputs, labels[:, None], axis=1)
    earlier = np.arange(outputs.shape[1]) < labels[:, None]
    ahead = (outputs > truth) | ((outputs == truth) & earlier)
    return float((ahead.sum(axis=1) < k).mean())


def mean_absolute_error(outputs: Array, targets: Array) -> float:
    """Return ``mean |y − t|`` over all elements."""
    return float(np.mean(np.abs(outputs - targets.reshape(outputs.shape))))


def mean_squared_error(outputs: Array, targets: Array) -> float:
    """Return ``mean (y − t)²`` over all elements."""
    return float(np.mean((outputs - targets.reshape(outputs.shape)) ** 2))


def _accuracy(outputs: Array, targets: Array) -> float:
    return top_k_accuracy(outputs, _labels(targets), 1)


def _labels(targets: Array) -> Array:
    return targets if targets.ndim == 1 else targets.argmax(axis=1)


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
