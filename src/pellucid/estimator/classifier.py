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
    """A convolutional network with `fit`, `predict` and `score`, for everything in scikit-learn.

    It learns by cross entropy, with the training loop that `pellucid.train` has. Each channel is
    brought to mean 0 and standard deviation 1, as in the training images; this is part of
    `model_`.

    Parameters
    ----------
    model
        What is trained. ``"auto"``: `lenet5x2` for images of 12×12 and more, for smaller ones one
        convolution and two linear layers. Or a name from `pellucid.models.names()`, the path of a
        ``.toml`` file, a layer (a new one like it is trained), the description of a layer, or a
        function of ``(image_shape, outputs)`` that returns one.
    image_shape
        (C, H, W) or (H, W), where X is flat, (N, features). Without it a square number of features
        is a grey square image, any other number an image of one row.
    solver
        ``adam``, ``adamw``, ``sgd``, ``rmsprop`` or ``adagrad``.
    learning_rate_init
        The highest learning rate.
    learning_rate
        The rate over time: ``constant``, ``cosine``, ``onecycle``, … as
        `pellucid.optim.schedules.parse` reads it.
    momentum
        For ``sgd``.
    alpha
        Weight decay; biases and norms never decay.
    batch_size
        ``"auto"``: 64; small data (256 samples, 65,536 numbers at most) are one batch, in double
        precision.
    max_iter
        How often all samples are seen: epochs.
    tol, n_iter_no_change
        Training ends when the loss (with `early_stopping`, the accuracy in validation) has not
        improved by more than `tol` for so many epochs.
    early_stopping, validation_fraction
        Whether to keep a share of the samples of each class aside, and to end with the weights that
        did best on these.
    class_weight
        A weight for each class, ``{class: weight}``, or ``"balanced"``: all classes count the same.
    random_state
        The random seed, or a generator.
    warm_start
        Whether `fit` goes on from the last fit.
    verbose
        Whether to show progress.

    Attributes
    ----------
    model_
        The trained network, a `pellucid.layers.Layer` as everywhere else in the library.
    classes_
        The classes, in the order of `predict_proba`.
    history_
        The epochs, a `pellucid.training.History`.
    loss_, loss_curve_, n_iter_
        The loss in the last epoch and in each, and the number of epochs.
    image_shape_
        (C, H, W) of an image.
    n_features_in_, feature_names_in_
        How many numbers an image has; the names of columns, where X was a table.

    Notes
    -----
    X is (N, C, H, W), (N, H, W), or flat. A pickle holds the description and the values of the
    network, as a model file does, and no layer; what the optimiser remembers is not in it.

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

        A sample of twice the weight counts as much as two; one of weight 0 is left out.
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
        """Train for one epoch on some of the images; `classes`, all of them, at the first call.

        Preprocessing is that of the images of the first call.
        """
        first = not hasattr(self, "model_")
        if isinstance(self.class_weight, str):
            raise PellucidError(
                "class_weight='balanced' needs all of y; give partial_fit weights for each class"
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
                f"a classifier needs 2 classes or more, y has one class: {self.classes_}"
            )
        self._begin(images, len(self.classes_))
        self.model_.classes = tuple(map(str, self.classes_))

    def _numbers(self, y: Array) -> Array:
        """Return the number of each label's class."""
        numbers = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        strange = self.classes_[numbers] != y
        if strange.any():
            raise DataError(f"y has the class {y[strange][0]!r}, which is not in {self.classes_}")
        return np.asarray(numbers)

    def _both_weights(self, images: Array, y: Array, sample_weight: Any) -> Array | None:
        """Return the weights of samples times those of their classes; None where all are 1."""
        if sample_weight is None and self.class_weight is None:
            return None
        of_classes = compute_sample_weight(self.class_weight, y)
        return np.asarray(self._weights(images, sample_weight) * of_classes)
