"""Evaluation: predictions, their quality, and their mistakes."""

from __future__ import annotations

from pellucid.evaluation import views
from pellucid.evaluation.evaluating import evaluate
from pellucid.evaluation.metrics import (
    Average,
    Calibration,
    ClassScores,
    calibration,
    confusion_matrix,
)
from pellucid.evaluation.predictions import predict
from pellucid.evaluation.ranking import Ranking, ranking
from pellucid.evaluation.result import Evaluation, Mistakes
from pellucid.evaluation.statistics import Interval, accuracy_interval, paired_difference
from pellucid.training.metrics import top_k_accuracy

__all__ = [
    "Average",
    "Calibration",
    "ClassScores",
    "Evaluation",
    "Interval",
    "Mistakes",
    "Ranking",
    "accuracy_interval",
    "calibration",
    "confusion_matrix",
    "evaluate",
    "paired_difference",
    "predict",
    "ranking",
    "top_k_accuracy",
    "views",
]


def __dir__() -> list[str]:
    return __all__
