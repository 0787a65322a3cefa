"""How well scores rank: ROC and precision–recall curves, of one class against all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.errors import DataError, ShapeError
from pellucid.types import Array


@dataclass(frozen=True, eq=False)
class Ranking:
    """What each threshold on the probability of a class finds, from the highest down.

    Attributes
    ----------
    thresholds
        (T,), the probabilities that occur, falling; an image counts as found from its own on.
    true_positives, false_positives
        (T,), how many images of the class, and of others, have at least that probability.
    positives, negatives
        How many images there are of the class, and of all others.

    Examples
    --------
    >>> found = ranking(np.array([0.9, 0.8, 0.3]), np.array([True, False, True]))
    >>> found.recall, found.precision
    (array([0.5, 0.5, 1. ]), array([1.        , 0.5       , 0.66666667]))
    >>> found.roc_auc
    0.5
    """

    thresholds: Array
    true_positives: Array
    false_positives: Array
    positives: int
    negatives: int

    @property
    def recall(self) -> Array:
        """Of the images of the class, the part that is found; the true positive rate."""
        return np.asarray(self.true_positives / max(self.positives, 1))

    @property
    def false_positive_rate(self) -> Array:
        """Of all other images, the part that is taken for the class."""
        return np.asarray(self.false_positives / max(self.negatives, 1))

    @property
    def precision(self) -> Array:
        """Of what is found, the part that is of the class."""
        found = self.true_positives + self.false_positives
        return np.asarray(self.true_positives / np.maximum(found, 1))

    @property
    def roc_auc(self) -> float:
        """The area under the ROC curve: how often an image of the class ranks above another.

        NaN where there is no image of the class, or no other.
        """
        if not self.positives or not self.negatives:
            return float("nan")
        x, y = np.r_[0.0, self.false_positive_rate], np.r_[0.0, self.recall]
        return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())

    @property
    def average_precision(self) -> float:
        """The mean precision, ``Σ (Rₜ − Rₜ₋₁)·Pₜ``; NaN where no image is of the class."""
        if not self.positives:
            return float("nan")
        return float((np.diff(self.recall, prepend=0.0) * self.precision).sum())


def ranking(probabilities: Array, positive: Array) -> Ranking:
    """Sort images by the probability of a class and count what each threshold finds.

    Parameters
    ----------
    probabilities
        (N,), of the class.
    positive
        (N,), whether the image is of the class.

    Raises
    ------
    ShapeError, DataError
        The two are not equally long vectors, or a probability is NaN.
    """
    score, truth = np.asarray(probabilities, np.float64), np.asarray(positive, bool)
    if score.ndim != 1 or score.shape != truth.shape:
        raise ShapeError(f"expected two vectors of one length, not {score.shape}, {truth.shape}")
    if np.isnan(score).any():
        raise DataError(f"the probability of image {np.isnan(score).argmax()} is NaN")
    order = np.argsort(-score, kind="stable")
    score, truth = score[order], truth[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], len(score) > 0))  # of equal ones
    true = truth.cumsum()[last]
    return Ranking(score[last], true, last + 1 - true, int(truth.sum()), int((~truth).sum()))
