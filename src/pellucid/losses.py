"""Loss functions, which measure the error of outputs and return its gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import descriptions, ops
from pellucid.arguments import NotNegative, Probability, check_fields
from pellucid.errors import PellucidError
from pellucid.types import Array

__all__ = [
    "LOSSES",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Loss",
    "MeanSquaredError",
    "binary_cross_entropy",
    "build",
    "chosen",
    "cross_entropy",
    "mean_squared_error",
]


def __dir__() -> list[str]:
    return __all__


class Loss(ABC):
    """Base class of losses: ``value, gradient = loss(outputs, targets, weights)``.

    The value is a mean over the batch. With one weight sₙ per sample it is ``Σ sₙ·lossₙ / Σ sₙ``:
    doubling a weight is the same as duplicating the sample.
    """

    @abstractmethod
    def __call__(
        self, outputs: Array, targets: Array, weights: Array | None = None
    ) -> tuple[float, Array]:
        """Return the loss, and its gradient with the outputs' type and memory layout."""

    def counted(self, targets: Array) -> float:
        """Return the number of samples over which the loss of these targets is averaged."""
        return len(targets)

    def counting(self, outputs: Array, targets: Array) -> tuple[Array, Array]:
        """Return the outputs and targets that count in the loss; those of pixels flattened."""
        return outputs, targets

    def total_weight(self, targets: Array, weights: Array | None = None) -> float:
        """Return the denominator of the mean, up to a constant factor.

        The loss of several batches together is the mean of their losses with these weights.
        """
        return float(len(targets) if weights is None else weights.sum())

    def describe(self) -> dict[str, Any]:
        """Return the loss as plain data; `losses.build` rebuilds it."""
        return descriptions.describe(self)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """``L = −meanₙ Σₖ wₖ·qₙₖ·log pₙₖ`` with p = softmax(outputs).

    The targets q are probabilities as given, or 1 for the given class yₙ and 0 for others. With
    smoothing they become ``(1 − ε)·q + ε/K``. The mean is PyTorch's: ``Σ … / Σ w[yₙ]`` for class
    numbers, ``Σ … / N`` for probabilities. Weights of samples are factors in both sums.

    Smoothing: Szegedy et al., "Rethinking the inception architecture for computer vision", 2015.

    Parameters
    ----------
    class_weights
        Weights w, one non-negative number per class. Default: all 1.
    label_smoothing
        Smoothing ε, from 0 to 1. Default: 0.
    ignore_index
        Class number of targets to ignore, such as unlabelled pixels: they have no gradient and do
        not count in the mean. If all are ignored, the loss is 0. Default: None (PyTorch: -100).

    Notes
    -----
    `outputs` have the shape (N, K, …); `targets` are integers (N, …) or probabilities (N, K, …).
    A class number outside the K classes raises an error that gives its position.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = CrossEntropy()(np.zeros((1, 4)), np.array([2]))
    >>> round(value, 4), gradient.tolist()
    (1.3863, [[0.25, 0.25, -0.75, 0.25]])
    """

    class_weights: tuple[NotNegative, ...] | None = None
    label_smoothing: Probability = 0.0
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(
        self, outputs: Array, targets: Array, weights: Array | None = None
    ) -> tuple[float, Array]:
        return ops.cross_entropy(
            outputs,
            targets,
            weights,
            class_weights=self.class_weights,
            label_smoothing=self.label_smoothing,
            ignore_index=self.ignore_index,
        )

    def counted(self, targets: Array) -> float:
        if self.ignore_index is None or targets.dtype.kind not in "iu":
            return len(targets)
        return len(targets) * float(np.mean(targets != self.ignore_index))

    def counting(self, outputs: Array, targets: Array) -> tuple[Array, Array]:
        if self.ignore_index is None or targets.dtype.kind not in "iu":
            return outputs, targets
        counted = targets != self.ignore_index
        return np.moveaxis(outputs, 1, -1)[counted], targets[counted]

    def total_weight(self, targets: Array, weights: Array | None = None) -> float:
        if targets.dtype.kind not in "iu":
            return super().total_weight(targets, weights)
        each = np.ones(targets.shape) if self.ignore_index is None else targets != self.ignore_index
        if weights is not None:
            each = each * np.reshape(weights, (-1, *[1] * (targets.ndim - 1)))
        if self.class_weights is not None:
            each = each * np.asarray(self.class_weights)[np.where(each != 0, targets, 0)]
        return float(each.sum())


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """``L = mean (y − t)²`` over all elements; outputs y and targets t have the same shape (N, …).

    >>> import numpy as np
    >>> MeanSquaredError()(np.array([[1.0, 3.0]]), np.array([[1.0, 1.0]]))
    (2.0, array([[0., 2.]]))
    """

    def __call__(
        self, outputs: Array, targets: Array, weights: Array | None = None
    ) -> tuple[float, Array]:
        return ops.mean_squared_error(outputs, targets, weights)


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """``L = −mean (t·log σ(z) + (1 − t)·log(1 − σ(z)))`` over all elements of the outputs z.

    The outputs are the values before the sigmoid σ. The targets t, from 0 to 1, have their shape.

    >>> import numpy as np
    >>> value, gradient = BinaryCrossEntropy()(np.zeros((1, 1)), np.ones((1, 1)))
    >>> round(value, 4), gradient.item()
    (0.6931, -0.5)
    """

    def __call__(
        self, outputs: Array, targets: Array, weights: Array | None = None
    ) -> tuple[float, Array]:
        return ops.binary_cross_entropy(outputs, targets, weights)


cross_entropy = CrossEntropy()
mean_squared_error = MeanSquaredError()
binary_cross_entropy = BinaryCrossEntropy()

LOSSES: Mapping[str, type[Loss]] = {
    loss.__name__: loss for loss in (CrossEntropy, MeanSquaredError, BinaryCrossEntropy)
}


def build(description: Any) -> Loss:
    """Build the loss that `description` describes.

    >>> build({"type": "CrossEntropy", "label_smoothing": 0.1})
    CrossEntropy(class_weights=None, label_smoothing=0.1, ignore_index=None)
    """
    return descriptions.build("loss", description, LOSSES)


def chosen(given: Loss | str) -> Loss:
    """Return a loss unchanged, or the one with a name such as "cross_entropy".

    >>> chosen("mean_squared_error")
    MeanSquaredError()
    """
    if isinstance(given, str) and (named := _ELSEWHERE.get(given.lower().replace(" ", "_"))):
        raise PellucidError(f"the loss '{given}' is named '{named}' in Pellucid{_OUTPUTS[named]}")
    return descriptions.chosen("loss", given, LOSSES, "pellucid.losses")


_ELSEWHERE = {
    **dict.fromkeys(
        ("categorical_crossentropy", "sparse_categorical_crossentropy", "crossentropyloss", "nll"),
        "cross_entropy",
    ),
    **dict.fromkeys(("binary_crossentropy", "bce", "bcewithlogitsloss"), "binary_cross_entropy"),
    **dict.fromkeys(("mse", "mseloss", "l2"), "mean_squared_error"),
}
"""Names of these losses in other libraries."""

_OUTPUTS = {
    "cross_entropy": "; it takes the outputs before softmax, so the model needs no Softmax layer",
    "binary_cross_entropy": "; it takes the outputs before the sigmoid",
    "mean_squared_error": "",
}
