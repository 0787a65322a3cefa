"""The parts of an evaluation that pictures use; `pellucid.Evaluation` has them."""

from __future__ import annotations

from typing import Protocol

from pellucid.types import Array


class Scores(Protocol):
    """Scores of each class, (classes,)."""

    @property
    def precision(self) -> Array: ...
    @property
    def recall(self) -> Array: ...
    @property
    def f1(self) -> Array: ...
    @property
    def support(self) -> Array: ...


class Bins(Protocol):
    """Predictions in bins of confidence, (bins,), and the edges of the bins."""

    @property
    def error(self) -> float: ...
    @property
    def edges(self) -> Array: ...
    @property
    def count(self) -> Array: ...
    @property
    def confidence(self) -> Array: ...
    @property
    def accuracy(self) -> Array: ...


class Wrong(Protocol):
    """Wrong predictions, (k,)."""

    @property
    def index(self) -> Array: ...
    @property
    def truth(self) -> Array: ...
    @property
    def prediction(self) -> Array: ...
    @property
    def probability(self) -> Array: ...


class Evaluated(Protocol):
    """Predictions on labelled images, and their evaluation."""

    @property
    def labels(self) -> Array: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def confusion(self) -> Array: ...
    @property
    def by_class(self) -> Scores: ...
    @property
    def calibration(self) -> Bins: ...
    def mistakes(self, k: int) -> Wrong: ...
