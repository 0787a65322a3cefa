"""Evaluation: predictions, what they are worth, and where they go wrong."""

from pellucid.evaluation.metrics import (
    Average,
    Calibration,
    ClassScores,
    calibration,
    confusion_matrix,
    top_k_accuracy,
)
from pellucid.evaluation.predictions import predict
from pellucid.evaluation.report import Evaluation, Mistakes, evaluate
from pellucid.evaluation.statistics import Interval, accuracy_interval, paired_difference

__all__ = [
    "Average",
    "Calibration",
    "ClassScores",
    "Evaluation",
    "Interval",
    "Mistakes",
    "accuracy_interval",
    "calibration",
    "confusion_matrix",
    "evaluate",
    "paired_difference",
    "predict",
    "top_k_accuracy",
]
