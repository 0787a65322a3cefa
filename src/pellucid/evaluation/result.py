"""The result of an evaluation: accuracy, scores of each class, mistakes, tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import missing_extra
from pellucid.evaluation.metrics import (
    Calibration,
    ClassScores,
    calibration,
    confusion_matrix,
)
from pellucid.evaluation.ranking import Ranking, ranking
from pellucid.evaluation.statistics import Interval, accuracy_interval
from pellucid.notebook import Shown
from pellucid.training.metrics import top_k_accuracy
from pellucid.types import Array

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_NAME = 24


@dataclass(frozen=True, eq=False)
class Mistakes:
    """Wrong predictions in descending order of confidence; all arrays have the shape (k,).

    Attributes
    ----------
    index
        Index of the image in the data.
    truth, prediction
        Numbers of the true and the predicted class.
    probability
        Probability of the predicted class.
    """

    index: Array
    truth: Array
    prediction: Array
    probability: Array

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Shown):
    """Result of `evaluate`. Printing it shows a report, whose numbers are attributes.

    Attributes
    ----------
    labels, probabilities
        True classes, (N,), and predicted probabilities, (N, classes); both are read-only.
    classes
        Names of the classes.
    loss
        Mean loss.

    Examples
    --------
    >>> said = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> evaluation = Evaluation(np.array([0, 1, 1]), said, ("cat", "dog"), loss=0.415)
    >>> print(evaluation)
    accuracy 66.67 %, loss 0.4150, calibration error 0.3000
    <BLANKLINE>
    class             precision  recall      f1  support
    cat                  0.5000  1.0000  0.6667        1
    dog                  1.0000  0.5000  0.6667        2
    macro average        0.7500  0.7500  0.6667        3
    weighted average     0.8333  0.6667  0.6667        3
    >>> evaluation.confusion
    array([[1, 0],
           [1, 1]])
    """

    shown_as = "evaluation"

    labels: Array
    probabilities: Array
    classes: tuple[str, ...]
    loss: float

    def __post_init__(self) -> None:
        for name in ("labels", "probabilities"):
            array = getattr(self, name).copy()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @cached_property
    def predictions(self) -> Array:
        """The most probable class of each image, (N,)."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @cached_property
    def confusion(self) -> Array:
        """Confusion matrix: how often class i (row) was predicted as class j (column)."""
        return confusion_matrix(self.labels, self.predictions, len(self.classes))

    @cached_property
    def by_class(self) -> ClassScores:
        """Precision, recall, F1 and support of each class, and their averages."""
        return ClassScores(self.confusion)

    @cached_property
    def calibration(self) -> Calibration:
        """Calibration of the model's confidence, in 15 bins."""
        return calibration(self.probabilities, self.labels)

    @cached_property
    def rankings(self) -> tuple[Ranking, ...]:
        """Of each class, what every threshold on its probability finds: ROC, precision, recall."""
        p = self.probabilities
        return tuple(ranking(p[:, i], self.labels == i) for i in range(len(self.classes)))

    @property
    def accuracy(self) -> float:
        """Share of the images that was predicted correctly."""
        return self.by_class.accuracy

    @property
    def accuracy_interval(self) -> Interval:
        """95 % confidence interval of the accuracy."""
        return accuracy_interval(int(self.confusion.trace()), len(self.labels))

    def describe(self) -> dict[str, Any]:
        """Return all figures as plain data."""
        scores = self.by_class
        columns = {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1}
        return {
            "images": len(self.labels),
            "correct": int(self.confusion.trace()),
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "top_5": self.top_k_accuracy(min(5, len(self.classes))),
            "loss": self.loss,
            "calibration_error": float(self.calibration.error),
            "classes": [
                {"name": name, "images": int(scores.support[i])}
                | {column: float(values[i]) for column, values in columns.items()}
                for i, name in enumerate(self.classes)
            ],
            "confusion": self.confusion.tolist(),
        }

    def top_k_accuracy(self, k: int = 5) -> float:
        """Return how often the true class is among the k most probable ones."""
        return top_k_accuracy(self.probabilities, self.labels, k)

    def mistakes(self, k: int = 10) -> Mistakes:
        """Return the k wrong predictions with the highest confidence, or all if there are fewer."""
        wrong = np.flatnonzero(self.predictions != self.labels)
        confidence = self.probabilities[wrong, self.predictions[wrong]]
        index = wrong[np.argsort(-confidence, kind="stable")][:k]
        prediction = self.predictions[index]
        return Mistakes(
            index, self.labels[index], prediction, self.probabilities[index, prediction]
        )

    # Tables

    def table(self) -> pd.DataFrame:
        """Return precision, recall, F1 and support of each class as a pandas DataFrame."""
        return _frame(list(self._rows()), columns=_COLUMNS).set_index("class")

    def confusion_table(self) -> pd.DataFrame:
        """Return the confusion matrix as a pandas DataFrame with the names of the classes."""
        table = _frame(self.confusion, index=self.classes, columns=self.classes)
        return table.rename_axis(index="truth", columns="prediction")

    def mistakes_table(self, k: int = 10) -> pd.DataFrame:
        """Return the most confident mistakes as a pandas DataFrame with names of classes."""
        found = self.mistakes(k)
        return _frame(
            {
                "index": found.index,
                "truth": [self.classes[c] for c in found.truth],
                "prediction": [self.classes[c] for c in found.prediction],
                "probability": found.probability,
            }
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return precision, recall, F1 and support of each class, and their averages."""
        return [dict(zip(_COLUMNS, row, strict=True)) for row in self._rows()]

    def __str__(self) -> str:
        return f"{self.headline()}\n\n{self.report()}"

    __repr__ = __str__

    def report(self) -> str:
        """Return the scores of each class as text."""
        notes = list(self._notes())
        return "\n".join([*self._lines(), *([""] if notes else []), *notes])

    def headline(self) -> str:
        """Return accuracy, loss and calibration error in one line."""
        parts = [f"accuracy {100 * self.accuracy:.2f} %"]
        if len(self.classes) > 5:
            parts.append(f"top-5 {100 * self.top_k_accuracy(5):.2f} %")
        parts += [f"loss {self.loss:.4f}", f"calibration error {self.calibration.error:.4f}"]
        return ", ".join(parts)

    def _rows(self) -> Iterator[tuple[str, float, float, float, int]]:
        scores = self.by_class
        for name, *numbers in zip(
            self.classes, scores.precision, scores.recall, scores.f1, scores.support, strict=True
        ):
            precision, recall, f1, support = numbers
            yield name, float(precision), float(recall), float(f1), int(support)
        yield "macro average", *scores.macro, len(self.labels)
        yield "weighted average", *scores.weighted, len(self.labels)

    def _lines(self) -> Iterator[str]:
        rows = list(self._rows())
        width = max(len(_short(row[0])) for row in rows)
        yield f"{'class':{width}}  precision  recall      f1  support"
        for name, precision, recall, f1, support in rows:
            scores = f"{precision:9.4f}  {recall:6.4f}  {f1:6.4f}"
            yield f"{_short(name):{width}}  {scores}  {support:7,}"

    def _notes(self) -> Iterator[str]:
        scores = self.by_class
        for count, note in (
            (scores.predicted, "never predicted, so precision counts as 0"),
            (scores.support, "never occurring, so recall counts as 0"),
        ):
            names = [name for name, n in zip(self.classes, count, strict=True) if n == 0]
            if names:
                rest = f" and {len(names) - 10} more" if len(names) > 10 else ""
                yield f"{note}: {', '.join(map(_short, names[:10]))}{rest}"


_COLUMNS = ["class", "precision", "recall", "f1", "support"]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _frame(*args: Any, **kwargs: Any) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise missing_extra("a table", "pandas") from error
    return pd.DataFrame(*args, **kwargs)
