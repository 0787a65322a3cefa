"""A network as a scikit-learn classifier."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets

from pellucid import ops
from pellucid.errors import DataError, PellucidError
from pellucid.estimator.base import CNN
from pellucid.losses import cross_entropy
from pellucid.types import Array


@dataclass(eq=False, repr=False)
class CNNClassifier(ClassifierMixin, CNN):
    """A convolutional network as a scikit-learn classifier.

    It minimises the cross entropy with the training loop of `pellucid.train`. Channels are
    standardised with the statistics of the training images, which are part of `model_`.

    Parameters
    ----------
    model
        Network to train. ``"auto"`` (default): `lenet5x2` for images of at least 12×12, otherwise
        one convolution and two linear layers. Or a name for `pellucid.models.build`, the path of a
        ``.toml`` file, a layer (a new one like it is trained), the description of a layer, or a
        function of ``(image_shape, outputs)`` that returns one.
    image_shape
        Shape (C, H, W) or (H, W) of an image, if X is flat, (N, features). By default, a square
        number of features is a square grey image, any other number an image of one row.
    solver
        ``"adam"``, ``"adamw"``, ``"sgd"``, ``"rmsprop"`` or ``"adagrad"``.
    learning_rate_init
        Highest learning rate.
    learning_rate
        Schedule: ``"constant"``, ``"cosine"``, ``"onecycle"``, …, in the notation of
        `pellucid.optim.schedules.parse`.
    momentum
        Momentum of ``"sgd"``.
    alpha
        Weight decay, which does not apply to biases and norms.
    batch_size
        Number of samples per step. ``"auto"``: 64, or all samples of small data (at most 256
        samples and 65,536 numbers), which are computed in double precision.
    max_iter
        Number of epochs.
    tol, n_iter_no_change
        Training ends when the loss (with `early_stopping`, the validation accuracy) has not
        improved by more than `tol` for `n_iter_no_change` epochs.
    early_stopping, validation_fraction
        Whether to hold out a share of the samples of each class for validation, and to end with the
        weights that were best on it.
    class_weight
        Weight of each class, ``{class: weight}``, or ``"balanced"`` for equal total weights.
    random_state
        Seed or generator of all random numbers.
    warm_start
        Whether `fit` continues from the previous fit.
    verbose
        Whether to show progress.

    Attributes
    ----------
    model_
        The trained network, a `pellucid.layers.Layer`.
    classes_
        The classes in the order of `predict_proba`.
    history_
        The epochs, a `pellucid.training.History`.
    loss_, loss_curve_, n_iter_
        Loss of the last epoch, losses of all epochs, and number of epochs.
    image_shape_
        Shape (C, H, W) of an image.
    n_features_in_, feature_names_in_
        Number of values per image; names of the columns if X was a table.

    Notes
    -----
    X is (N, C, H, W), (N, H, W), or flat. A pickle contains the description and the values of the
    network, like a model file, but not the state of the optimiser.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> classifier = CNNClassifier(max_iter=3, random_state=0).fit(digits.images, digits.target)
    >>> classifier.image_shape_, classifier.score(digits.images, digits.target) > 0.9
    ((1, 8, 8), True)
    """

    loss = cross_entropy
    monitor = "validation_accuracy"

    _: KW_ONLY
    class_weight: Any = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on images X and their classes y, which are numbers or names.

        Doubling a sample's weight is the same as duplicating it; weight 0 excludes it.
        """
        going_on = self.warm_start and hasattr(self, "model_")
        images, y = self._validated(X, y, reset=not going_on)
        check_classification_targets(y)
        if not going_on:
            self.classes_ = np.unique(y)
        numbers, weights = self._numbers(y), self._both_weights(images, y, sample_weight)
        if not going_on:
            self._begin_with_classes(images)
        self._fit(images, numbers, weights, classes=numbers)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on some images; the first call needs `classes`, a list of all.

        The preprocessing is fitted to the images of the first call.
        """
        first = not hasattr(self, "model_")
        if isinstance(self.class_weight, str):
            raise PellucidError(
                "class_weight='balanced' needs all of y; pass partial_fit weights for each class"
            )
        images, y = self._validated(X, y, reset=first)
        _check_partial_fit_first_call(self, classes)
        numbers, weights = self._numbers(y), self._both_weights(images, y, sample_weight)
        if first:
            self._begin_with_classes(images)
        self._partial_fit(images, numbers, weights)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class for each image, (N, classes)."""
        return ops.softmax(self._outputs(X), 1)

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each image, (N,)."""
        chosen = self._outputs(X).argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def _begin_with_classes(self, images: Array) -> None:
        if len(self.classes_) < 2:
            raise DataError(
                f"a classifier needs at least 2 classes, but y has only one class: {self.classes_}"
            )
        self._begin(images, len(self.classes_))
        self.model_.classes = tuple(map(str, self.classes_))

    def _numbers(self, y: Array) -> Array:
        """Return the class number of each label."""
        numbers = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        strange = self.classes_[numbers] != y
        if strange.any():
            raise DataError(f"y has the class {y[strange][0]!r}, which is not in {self.classes_}")
        return np.asarray(numbers)

    def _both_weights(self, images: Array, y: Array, sample_weight: Any) -> Array | None:
        """Return sample weights times class weights, or None if all are 1."""
        if sample_weight is None and self.class_weight is None:
            return None
        of_classes = compute_sample_weight(self.class_weight, y)
        return np.asarray(self._weights(images, sample_weight) * of_classes)
