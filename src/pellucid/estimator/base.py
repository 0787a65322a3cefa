"""The common base of classifier and regressor: parameters, training, and pickling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from pellucid import ops, optim
from pellucid.errors import PellucidError, ShapeError, unknown
from pellucid.estimator.images import as_images, flattened, shape_of_image
from pellucid.estimator.networks import network
from pellucid.estimator.state import from_plain, to_plain
from pellucid.execution import fuse
from pellucid.layers import Layer, build, initialize
from pellucid.losses import Loss
from pellucid.optim import schedules
from pellucid.preprocessing import Preprocessing
from pellucid.training import (
    Epoch,
    History,
    Record,
    TrainingState,
    records,
    show_progress,
    stop_early,
)
from pellucid.training.consumers import Monitor
from pellucid.training.data import Data
from pellucid.types import Array

Samples = tuple[Array, Array, Array | None]

_SOLVERS = {name.lower(): name for name in optim.OPTIMIZERS}
_BATCH = 64
_TINY = 256, 65536
"""Limits on samples and numbers for data to be trained on as one batch, in double precision."""


@dataclass(eq=False, repr=False)
class CNN(BaseEstimator):
    """A network with scikit-learn's interface; see `CNNClassifier` and `CNNRegressor`."""

    loss: ClassVar[Loss]
    monitor: ClassVar[Monitor]
    """The quantity that early stopping monitors."""

    model: Any = "auto"
    _: KW_ONLY
    image_shape: tuple[int, ...] | None = None
    solver: str = "adam"
    learning_rate_init: float = 0.001
    learning_rate: str = "constant"
    momentum: float = 0.9
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    max_iter: int = 200
    tol: float = 1e-4
    n_iter_no_change: int = 10
    early_stopping: bool = False
    validation_fraction: float = 0.1
    random_state: Any = None
    warm_start: bool = False
    verbose: bool = False

    # Input

    def _validated(self, X: Any, y: Any, *, reset: bool, **options: Any) -> tuple[Array, Any]:
        """Return X as images in a type for training, and y; record the form of X."""
        rows, seen = flattened(X, self.image_shape)
        kinds = [np.float64, np.float32, np.uint8]
        rows, y = validate_data(self, rows, y, reset=reset, dtype=kinds, **options)
        if reset:
            self.image_shape_ = shape_of_image(rows.shape[1], seen, self.image_shape)
        return self._as_images(rows, seen), y

    def _images(self, X: Any) -> Array:
        check_is_fitted(self)
        rows, seen = flattened(X, self.image_shape_)
        kinds = [np.float64, np.float32, np.uint8]
        images = self._as_images(validate_data(self, rows, reset=False, dtype=kinds), seen)
        assert self.model_.preprocessing is not None
        self.model_.preprocessing.check(images)
        return images

    def _as_images(self, rows: Array, seen: Any) -> Array:
        if seen not in (None, self.image_shape_):
            raise ShapeError(f"the images in X are {seen}, those in fit were {self.image_shape_}")
        return as_images(rows, self.image_shape_)

    def _weights(self, X: Array, sample_weight: Any) -> Array:
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weights.any():
            raise PellucidError("the sample weights are all zero")
        return np.asarray(weights)

    # Training

    def _begin(self, X: Array, outputs: int) -> None:
        """Build a new network for these images."""
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self._tiny = len(X) <= _TINY[0] and X.size <= _TINY[1]
        made = network(self.model, self.image_shape_, outputs)
        self.model_ = initialize(made.astype(self._dtype), self._seed)
        self.model_.input_shape = self.image_shape_
        self._optimizer: optim.Optimizer | None = None
        self._note(History())

    def _fit(self, X: Array, targets: Array, weights: Array | None, classes: Any = None) -> None:
        """Train for at most `max_iter` epochs; a split preserves the shares of `classes`."""
        train, validation = (X, targets, weights), None
        if self.early_stopping:
            parts = train_test_split(
                np.arange(len(X)),
                test_size=self.validation_fraction,
                random_state=self._seed,
                stratify=classes,
            )
            train, validation = (
                (X[part], targets[part], None if weights is None else weights[part])
                for part in parts
            )
        self._optimizer = None
        self._train(train, validation, self.max_iter, schedules.parse(self.learning_rate))

    def _partial_fit(self, X: Array, targets: Array, weights: Array | None) -> None:
        """Train for one epoch, with the optimiser's state of the previous ones."""
        if self.early_stopping:
            raise PellucidError("partial_fit does not support early_stopping, which needs all data")
        if self.model_.preprocessing is None:
            fitted = Preprocessing.fit(X, weights)
            # the images of later calls may go beyond those of the first
            self.model_.preprocessing = replace(fitted, trained_on=None)
        self._train((X, targets, weights), None, 1, schedules.Constant())

    def _train(
        self, train: Samples, validation: Samples | None, epochs: int, schedule: schedules.Schedule
    ) -> None:
        """Continue training with the loop of `pellucid.train`."""
        self._optimizer = self._optimizer or self._new_optimizer()
        if self.model_.preprocessing is None:
            images, _, weights = train
            self.model_.preprocessing = Preprocessing.fit(images, weights)
        self.model_.preprocessing.check(train[0])
        data = self._data(*train)
        state = TrainingState(
            self.model_,
            self._optimizer,
            self.loss,
            self._batch_size(len(train[0])),
            epochs,
            schedule,
            seed=self._seed + self.n_iter_,  # a different order from previous epochs
        )
        measured = None if validation is None else self._data(*validation)
        run: Iterator[Record] = records(state, data, measured)
        monitor: Monitor = "loss" if validation is None else self.monitor
        run = stop_early(run, self.n_iter_no_change, monitor, tolerance=self.tol)
        for _ in show_progress(run) if self.verbose else run:
            pass
        state.use_best()
        self._note(History((*self.history_, *state.history)))

    def _note(self, history: History) -> None:
        self.history_, self.n_iter_ = history, len(history)
        self.loss_curve_ = [epoch.loss for epoch in history]
        if history:
            self.loss_ = history[-1].loss

    def _data(self, X: Array, targets: Array, weights: Array | None) -> Data:
        """Return the data for the training loop, without samples of weight 0."""
        assert self.model_.preprocessing is not None
        if weights is None:
            return self.model_.preprocessing(X, self._dtype), targets
        some = weights > 0
        return self.model_.preprocessing(X[some], self._dtype), targets[some], weights[some]

    @property
    def _dtype(self) -> Any:
        return np.float64 if self._tiny else np.float32

    def _new_optimizer(self) -> optim.Optimizer:
        if self.solver not in _SOLVERS:
            raise PellucidError(unknown("solver", self.solver, _SOLVERS))
        options: dict[str, Any] = {"lr": self.learning_rate_init, "weight_decay": self.alpha}
        if self.solver == "sgd":
            options["momentum"] = self.momentum
        kind = {"type": _SOLVERS[self.solver], "decay_kinds": ("weight",)}
        return optim.build(kind | options, self.model_.parameters())

    def _batch_size(self, samples: int) -> int:
        if self.batch_size == "auto":
            return samples if self._tiny else min(_BATCH, samples)
        if not isinstance(self.batch_size, int | np.integer) or self.batch_size < 1:
            raise PellucidError(f"batch_size must be 'auto' or at least 1, not {self.batch_size!r}")
        return int(min(self.batch_size, samples))

    # Output

    def _outputs(self, X: Any) -> Array:
        """Return the network's outputs, (N, outputs), in double precision."""
        images = self._images(X)
        run, size = fuse(self.model_), 256
        batches = (images[start : start + size] for start in range(0, len(images), size))
        return np.concatenate(
            [
                run(ops.make_batch(x, None, self.model_.preprocessing, self._dtype)).astype(float)
                for x in batches
            ]
        )

    # Pickling

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_optimizer", None)
        if isinstance(self.model, Layer):
            state["model"] = {"layer": self.model.describe()}
        if "model_" in state:
            state["model_"] = to_plain(self.model_)
            state["history_"] = self.history_.rows()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if isinstance(state["model"], dict) and state["model"].keys() == {"layer"}:
            state["model"] = build(state["model"]["layer"])
        if "model_" in state:
            state["model_"] = from_plain(state["model_"])
            state["history_"] = History(Epoch(**row) for row in state["history_"])
            state["_optimizer"] = None
        super().__setstate__(state)
