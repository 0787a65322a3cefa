"""Losses: how far outputs are from targets, and the gradient that training starts from."""

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
    """``value, gradient = loss(outputs, targets, weights)``: a mean over the batch.

    Where `weights` gives one weight sₙ per sample, the mean is ``Σ sₙ·lossₙ / Σ sₙ``: twice the
    weight is the same as having the sample twice.
    """

    @abstractmethod
    def __call__(
        self, outputs: Array, targets: Array, weights: Array | None = None
    ) -> tuple[float, Array]:
        """Return the loss and its gradient for the outputs, in their type and order in memory."""

    def counted(self, targets: Array) -> float:
        """Return over how many samples the loss of these targets is a mean."""
        return len(targets)

    def total_weight(self, targets: Array, weights: Array | None = None) -> float:
        """Return what the sum of the losses is divided by in their mean, up to a constant factor.

        The mean over several batches together is the mean of their losses with these weights.
        """
        return float(len(targets) if weights is None else weights.sum())

    def describe(self) -> dict[str, Any]:
        """Return it as plain data, from which `losses.build` makes it anew."""
        return descriptions.describe(self)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """``L = −meanₙ Σₖ wₖ·qₙₖ·log pₙₖ`` with p = softmax(outputs).

    q are the targets' probabilities: as they are given, or 1 for the class yₙ that is given. With
    smoothing they become ``(1 − ε)·q + ε/K``. The mean is PyTorch's: ``Σ … / Σ w[yₙ]`` for class
    numbers, and for probabilities ``Σ … / N``. Weights of samples multiply both sums.

    Smoothing: Szegedy et al., "Rethinking the inception architecture for computer vision", 2015.

    Parameters
    ----------
    class_weights
        w, one number per class, 0 or more; all 1 when not given.
    label_smoothing
        ε, from 0 to 1.
    ignore_index
        A class number that marks targets which do not count, such as pixels nobody labelled: they
        have no gradient and no share in the mean. Where none counts, the loss is 0. PyTorch's
        default, -100, has to be asked for.

    Notes
    -----
    It is called with `outputs` (N, K, …) and `targets`, integers (N, …) or probabilities (N, K, …).
    A class number outside the K classes is an error that says where it is.

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

    def total_weight(self, targets: Array, weights: Array | None = None) -> float:
        if targets.dtype.kind not in "iu":
            return super().total_weight(targets, weights)
        share = np.ones(len(targets)) if weights is None else np.asarray(weights, np.float64)
        share = np.broadcast_to(share.reshape(-1, *[1] * (targets.ndim - 1)), targets.shape)
        counted = np.ones_like(share) if self.ignore_index is None else targets != self.ignore_index
        named = np.where(counted, targets, 0)
        per_class = 1.0 if self.class_weights is None else np.asarray(self.class_weights)[named]
        return float((share * counted * per_class).sum())


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """``L = mean (y − t)²`` over all elements; outputs y and targets t have one shape (N, …).

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
    """``L = −mean (t·log σ(z) + (1 − t)·log(1 − σ(z)))`` over all elements, z the outputs.

    The outputs are the values before the sigmoid σ; targets t from 0 to 1 have the outputs' shape.

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
    """Return the loss that `description` describes.

    >>> build({"type": "CrossEntropy", "label_smoothing": 0.1})
    CrossEntropy(class_weights=None, label_smoothing=0.1, ignore_index=None)
    """
    return descriptions.build("loss", description, LOSSES)


def chosen(given: Loss | str) -> Loss:
    """Return a loss as it is; where it is a name, such as "cross_entropy", the one of that name.

    >>> chosen("mean_squared_error")
    MeanSquaredError()
    """
    if isinstance(given, str) and (named := _ELSEWHERE.get(given.lower().replace(" ", "_"))):
        raise PellucidError(f"the loss '{given}' is called '{named}' here{_OUTPUTS[named]}")
    return descriptions.chosen("loss", given, LOSSES, "pellucid.losses")


_ELSEWHERE = {
    **dict.fromkeys(
        ("categorical_crossentropy", "sparse_categorical_crossentropy", "crossentropyloss", "nll"),
        "cross_entropy",
    ),
    **dict.fromkeys(("binary_crossentropy", "bce", "bcewithlogitsloss"), "binary_cross_entropy"),
    **dict.fromkeys(("mse", "mseloss", "l2"), "mean_squared_error"),
}
"""What other libraries call these losses."""

_OUTPUTS = {
    "cross_entropy": "; it takes the outputs before softmax, so the model needs no Softmax layer",
    "binary_cross_entropy": "; it takes the outputs before the sigmoid",
    "mean_squared_error": "",
}
