"""Metrics of classification, most of them from a confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pellucid.arguments import Size, checked
from pellucid.errors import DataError, ShapeError
from pellucid.training.metrics import class_numbers
from pellucid.types import Array


def confusion_matrix(labels: Array, predictions: Array, classes: int) -> Array:
    """Return the matrix of how often class i (row) was predicted as class j (column).

    Raises
    ------
    ShapeError, DataError
        The two are not equally long vectors of class numbers.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2)
    array([[1, 1],
           [0, 1]])
    """
    truth = class_numbers(labels, classes, "labels")
    predicted = class_numbers(predictions, classes, "predictions")
    if truth.ndim != 1 or truth.shape != predicted.shape:
        raise ShapeError(
            f"expected two vectors of one length, not {truth.shape}, {predicted.shape}"
        )
    pairs = truth * classes + predicted
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


class Average(NamedTuple):
    """Means over classes."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Precision, recall and F1 of each class, from a confusion matrix M.

    - precision: the share of predictions of class c that are correct, ``M[c, c] / Σᵢ M[i, c]``
    - recall: the share of class c that was found, ``M[c, c] / Σⱼ M[c, j]``
    - f1: their harmonic mean, ``2·M[c, c] / (Σᵢ M[i, c] + Σⱼ M[c, j])``

    A score with denominator 0 is 0: the precision of a class that was never predicted, and the
    recall of one that never occurs.

    Examples
    --------
    >>> scores = ClassScores(np.array([[3, 1], [0, 4]]))
    >>> scores.precision, scores.recall
    (array([1. , 0.8]), array([0.75, 1.  ]))
    >>> scores.macro.recall
    0.875
    """

    confusion: Array

    @cached_property
    def support(self) -> Array:
        """Number of images of each class."""
        return np.asarray(self.confusion.sum(axis=1))

    @cached_property
    def predicted(self) -> Array:
        """Number of predictions of each class."""
        return np.asarray(self.confusion.sum(axis=0))

    @cached_property
    def precision(self) -> Array:
        return _quotient(self.confusion.diagonal(), self.predicted)

    @cached_property
    def recall(self) -> Array:
        return _quotient(self.confusion.diagonal(), self.support)

    @cached_property
    def f1(self) -> Array:
        return _quotient(2 * self.confusion.diagonal(), self.predicted + self.support)

    @property
    def accuracy(self) -> float:
        """Share of all images that was predicted correctly."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def macro(self) -> Average:
        """Unweighted means over the classes."""
        return self._average(np.ones(len(self.confusion)))

    @property
    def weighted(self) -> Average:
        """Means over the classes, weighted by their support."""
        return self._average(self.support)

    def _average(self, weights: Array) -> Average:
        scores = self.precision, self.recall, self.f1
        return Average(*(float(np.average(score, weights=weights)) for score in scores))


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration: do predictions made with 80 % confidence turn out right in 80 % of the cases?

    Predictions are sorted into bins of equal width by confidence, the probability of the predicted
    class. The expected calibration error is the mean gap, ``Σ n_b/N · |accuracy_b − confidence_b|``
    over the bins b.
    Source: Guo et al., "On calibration of modern neural networks", 2017, eq. 3.

    Attributes
    ----------
    error
        Expected calibration error, from 0 to 1.
    edges
        Edges of the bins, (bins + 1,); a bin includes its upper edge.
    count, confidence, accuracy
        Number of predictions in each bin, and their mean confidence and accuracy (NaN if empty),
        all of shape (bins,).
    """

    error: float
    edges: Array
    count: Array
    confidence: Array
    accuracy: Array


def calibration(probabilities: Array, labels: Array, bins: int = 15) -> Calibration:
    """Sort predictions into `bins` by confidence, and compare confidence with accuracy.

    Parameters
    ----------
    probabilities
        (N, classes).
    labels
        True classes, (N,).
    bins
        Number of bins. Default: 15.

    Raises
    ------
    ShapeError, DataError
        The two do not fit together, a probability is NaN, or a label is not one of the classes.

    Examples
    --------
    >>> sure = np.array([[0.75, 0.25]] * 4)
    >>> calibration(sure, np.array([0, 0, 0, 1]), bins=2).error
    0.0
    """
    bins = checked("bins", bins, Size)
    p, truth = np.asarray(probabilities), np.asarray(labels)
    if p.ndim != 2 or truth.shape != p.shape[:1] or p.size == 0:
        raise ShapeError(
            "calibration needs probabilities (N, classes) and one class number for each, (N,), "
            f"got {p.shape} and {truth.shape}"
        )
    confidence = p.max(axis=1).astype(np.float64)
    if np.isnan(confidence).any():
        raise DataError(f"the probabilities of image {np.isnan(confidence).argmax()} are NaN")
    right = p.argmax(axis=1) == class_numbers(truth, p.shape[1], "labels")
    edges = np.linspace(0.0, 1.0, bins + 1)
    # bin b is (edges[b], edges[b + 1]]; rounding may make a probability exceed 1
    bin_of = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(bin_of, confidence, bins) / count
        accuracy = np.bincount(bin_of, right, bins) / count
    gap = np.nansum(count * abs(accuracy - mean_confidence)) / len(truth)
    return Calibration(float(gap), edges, count, mean_confidence, accuracy)


def _quotient(numerator: Array, denominator: Array) -> Array:
    return np.asarray(numerator / np.maximum(denominator, 1))
