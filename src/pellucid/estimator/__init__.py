"""Networks as scikit-learn estimators, with `fit`, `predict` and `score`."""

from __future__ import annotations

from pellucid.errors import missing_extra

try:
    import sklearn
except ImportError as error:
    raise missing_extra("pellucid.estimator", "scikit-learn", "sklearn") from error

from pellucid.estimator.classifier import CNNClassifier
from pellucid.estimator.regressor import CNNRegressor

__all__ = ["CNNClassifier", "CNNRegressor"]


def __dir__() -> list[str]:
    return __all__
