"""Where a training run stands: everything that its next step depends on, except the data."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.arguments import Seed, Size, checked
from pellucid.layers import Layer
from pellucid.losses import Loss, cross_entropy
from pellucid.optim import ExponentialMovingAverage, Optimizer
from pellucid.optim.schedules import Constant, Schedule
from pellucid.runtime.choices import Choices
from pellucid.training.batches import Augmentation
from pellucid.training.metrics import Metric
from pellucid.training.records import Epoch
from pellucid.types import Array


@dataclass
class Sums:
    """Loss and correct answers, summed over the samples `seen`, and the time that took.

    `correct` is None where outputs are not classes, and `counted` is less than `seen` where the
    loss ignores targets. `metrics` are summed as the loss is, each sample counting once.
    """

    loss: float = 0.0
    correct: int | None = 0
    seen: int = 0
    seconds: float = 0.0
    counted: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)

    def add(
        self,
        mean_loss: float,
        correct: int | None,
        samples: int,
        counted: float,
        seconds: float = 0.0,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Add what one batch came to."""
        self.loss += mean_loss * counted
        self.correct = None if self.correct is None or correct is None else self.correct + correct
        self.seen += samples
        self.counted += counted
        self.seconds += seconds
        for name, value in (metrics or {}).items():
            self.metrics[name] = self.metrics.get(name, 0.0) + value * samples

    @property
    def mean_loss(self) -> float:
        return self.loss / self.counted if self.counted else 0.0

    @property
    def accuracy(self) -> float | None:
        return None if self.correct is None or not self.counted else self.correct / self.counted

    @property
    def mean_metrics(self) -> dict[str, float]:
        return {name: value / self.seen for name, value in self.metrics.items()}


@dataclass(frozen=True)
class Best:
    """The epoch that did best in validation, and the model's values at its end."""

    epoch: Epoch
    values: dict[str, Array]


@dataclass(eq=False)
class TrainingState:
    """A training run, as `records` drives it and a checkpoint holds it.

    Parameters
    ----------
    model, optimizer, loss
        What learns, how, and from what.
    batch_size, epochs
        How many samples make a step, and how often all of them are seen.
    schedule
        The factor on the optimiser's base rate, as a function of (step, all steps).
    augment
        What happens to training images before preprocessing; None for nothing.
    seed
        From which all randomness of the run follows.
    averages
        A moving average of the weights. Where there is one, validation measures it, and the best
        values are its values.
    shards
        Into how many shards each batch is cut, for several processes; see `pellucid.parallel`. None
        computes it as a whole.
    metrics
        What is measured beside the loss, functions of (outputs, targets) by name.

    Attributes
    ----------
    epoch, step
        The position: so many epochs are done, and so many steps of the next.
    sums, history, best
        The unfinished epoch, the finished ones, and the best of them.
    data
        A fingerprint of the data, by which a run that continues knows them again.
    choices
        The algorithms that were chosen by timing; see `engine.tuned`.
    """

    model: Layer
    optimizer: Optimizer
    loss: Loss = cross_entropy
    batch_size: int = 64
    epochs: int = 1
    schedule: Schedule = field(default_factory=Constant)
    augment: Augmentation | None = None
    seed: int = 0
    averages: ExponentialMovingAverage | None = None
    shards: int | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    epoch: int = field(default=0, init=False)
    step: int = field(default=0, init=False)
    sums: Sums = field(default_factory=Sums, init=False)
    history: tuple[Epoch, ...] = field(default=(), init=False)
    best: Best | None = field(default=None, init=False)
    data: dict[str, Any] | None = field(default=None, init=False)
    choices: Choices = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.batch_size = checked("batch_size", self.batch_size, Size)
        self.epochs = checked("epochs", self.epochs, Size)
        self.seed = checked("seed", self.seed, Seed)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return self.epoch >= self.epochs

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that the model computes with."""
        return next((p.dtype for p in self.model.parameters()), np.dtype(np.float32))

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate in `step` of this epoch's `steps`."""
        factor = self.schedule(self.epoch * steps + step, self.epochs * steps)
        return self.optimizer.base_lr * factor

    def averaged(self) -> AbstractContextManager[None]:
        """Give the model the averages inside a ``with`` block; without averages change nothing."""
        return nullcontext() if self.averages is None else self.averages.swapped()

    def use_best(self) -> None:
        """Give the model the values of the best epoch; without one, the averages; else its own."""
        if self.best is not None:
            self.model.load_state_dict(self.best.values)
        elif self.averages is not None:
            self.model.load_state_dict(self.averages.values)
