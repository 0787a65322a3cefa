"""A network as a scikit-learn regressor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from pellucid.estimator.base import CNN
from pellucid.losses import mean_squared_error
from pellucid.types import Array


@dataclass(eq=False, repr=False)
class CNNRegressor(RegressorMixin, CNN):
    """A convolutional network as a scikit-learn regressor, for one or several outputs per image.

    It minimises the mean squared error. Targets are used unchanged; if they are far outside −1 to
    1, scikit-learn's `TransformedTargetRegressor` with a `StandardScaler` helps. Parameters and
    attributes are those of `CNNClassifier`, without `class_weight`; early stopping monitors the
    validation loss.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> images = generator.normal(size=(200, 6, 6))
    >>> brightness = images.mean(axis=(1, 2))
    >>> regressor = CNNRegressor(random_state=0).fit(images, brightness)
    >>> regressor.score(images, brightness) > 0.9
    True
    """

    loss = mean_squared_error
    monitor = "validation_loss"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on images X and numbers y, (N,) or (N, outputs)."""
        going_on = self.warm_start and hasattr(self, "model_")
        images, targets, weights = self._numbers(X, y, sample_weight, first=not going_on)
        if not going_on:
            self._begin(images, targets.shape[1])
        self._fit(images, targets, weights)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on some images.

        The preprocessing is fitted to the images of the first call.
        """
        first = not hasattr(self, "model_")
        images, targets, weights = self._numbers(X, y, sample_weight, first=first)
        if first:
            self._begin(images, targets.shape[1])
        self._partial_fit(images, targets, weights)
        return self

    def predict(self, X: Any) -> Array:
        """Return the predicted numbers, with the shape of y in `fit`."""
        y = self._outputs(X)
        return y[:, 0] if self._one_column else y

    def _numbers(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool
    ) -> tuple[Array, Array, Array | None]:
        images, y = self._validated(X, y, reset=first, multi_output=True, y_numeric=True)
        if first:
            self._one_column = y.ndim == 1
        weights = None if sample_weight is None else self._weights(images, sample_weight)
        return images, y.reshape(len(y), -1).astype(np.float64), weights

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
