"""Networks as scikit-learn knows models: with `fit`, `predict` and `score`."""

from pellucid.errors import MissingExtraError

try:
    import sklearn
except ImportError as error:
    raise MissingExtraError(
        'CNNClassifier and CNNRegressor need scikit-learn: pip install "pellucid[sklearn]"'
    ) from error

from pellucid.estimator.classifier import CNNClassifier
from pellucid.estimator.regressor import CNNRegressor

__all__ = ["CNNClassifier", "CNNRegressor"]
