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

__all__ = [
    "Average",
    "Calibration",
    "ClassScores",
    "Evaluation",
    "Mistakes",
    "calibration",
    "confusion_matrix",
    "evaluate",
    "predict",
    "top_k_accuracy",
]
