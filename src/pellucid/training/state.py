"""The state of a training run: everything on which its next step depends, except the data."""

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
from pellucid.training.data import Augmentation
from pellucid.training.metrics import Metric
from pellucid.training.records import Epoch
from pellucid.training.selection import SelectiveBackprop
from pellucid.types import Array


@dataclass
class Sums:
    """Loss and correct answers, summed over the samples `seen`, and the time taken.

    `correct` is None if outputs are not classes; `counted` is less than `seen` if the loss ignores
    targets. `weight` is the sum of the batches' weights in the mean loss, see `Loss.total_weight`.
    `metrics` are summed with each sample that counts counting once.
    """

    loss: float = 0.0
    correct: int | None = 0
    seen: int = 0
    seconds: float = 0.0
    counted: float = 0.0
    weight: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)

    def add(
        self,
        mean_loss: float,
        correct: int | None,
        samples: int,
        counted: float,
        weight: float,
        seconds: float = 0.0,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Add the results of one batch."""
        self.loss += mean_loss * weight
        self.correct = None if self.correct is None or correct is None else self.correct + correct
        self.seen += samples
        self.counted += counted
        self.weight += weight
        self.seconds += seconds
        for name, value in (metrics or {}).items():
            self.metrics[name] = self.metrics.get(name, 0.0) + value * counted

    @property
    def mean_loss(self) -> float:
        return self.loss / self.weight if self.weight else 0.0

    @property
    def accuracy(self) -> float | None:
        return None if self.correct is None or not self.counted else self.correct / self.counted

    @property
    def mean_metrics(self) -> dict[str, float]:
        return {name: value / (self.counted or 1.0) for name, value in self.metrics.items()}


@dataclass(frozen=True)
class Best:
    """The best epoch in validation, and the model's values at its end."""

    epoch: Epoch
    values: dict[str, Array]


@dataclass(eq=False)
class TrainingState:
    """A training run, which `records` advances and a checkpoint stores.

    Parameters
    ----------
    model, optimizer, loss
        Model to train, its optimiser, and the loss.
    batch_size, epochs
        Number of samples per step, and number of passes over the data.
    schedule
        Factor on the optimiser's base rate, as a function of (step, total steps).
    augment
        Augmentation of training images before preprocessing, or None.
    seed
        Seed of all random numbers of the run.
    averages
        Moving average of the weights. If given, validation evaluates it, and the best values are
        its values.
    shards
        Number of shards into which each batch is split for several processes, see
        `pellucid.parallel`; None to compute batches as a whole.
    metrics
        Further quantities to measure, functions of (outputs, targets) by name.
    recompute
        Whether activations are recomputed in the backward pass, which takes less memory and more
        time, and changes no bit; see `pellucid.execution.recompute`.
    sync_batch_norm
        Whether batch normalisation uses the statistics of all shards in training.
    selection
        What chooses the samples of each batch to train on; None for all.

    Attributes
    ----------
    epoch, step
        Position: number of finished epochs, and of finished steps of the next epoch.
    sums, history, best
        The unfinished epoch, the finished ones, and the best of them.
    data
        Fingerprint of the data, by which a resumed run recognises them.
    choices
        Algorithms chosen by timing; see `engine.tuned`.
    compiled_before
        Seconds that this process had spent compiling before the unfinished epoch; not saved.
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
    recompute: bool = False
    sync_batch_norm: bool = False
    selection: SelectiveBackprop | None = None

    epoch: int = field(default=0, init=False)
    step: int = field(default=0, init=False)
    sums: Sums = field(default_factory=Sums, init=False)
    history: tuple[Epoch, ...] = field(default=(), init=False)
    best: Best | None = field(default=None, init=False)
    data: dict[str, Any] | None = field(default=None, init=False)
    choices: Choices = field(default_factory=dict, init=False)
    compiled_before: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.batch_size = checked("batch_size", self.batch_size, Size)
        self.epochs = checked("epochs", self.epochs, Size)
        self.seed = checked("seed", self.seed, Seed)

    @property
    def finished(self) -> bool:
        """Whether all epochs are finished."""
        return self.epoch >= self.epochs

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the model's values."""
        return next((p.dtype for p in self.model.parameters()), np.dtype(np.float32))

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate in `step` of this epoch's `steps`."""
        return self.optimizer.base_lr * self.factor(step, steps)

    def factor(self, step: int, steps: int) -> float:
        """Return the share of the base rate in `step` of this epoch's `steps`."""
        return self.schedule(self.epoch * steps + step, self.epochs * steps)

    def averaged(self) -> AbstractContextManager[None]:
        """Use the averages as the model's values in a ``with`` block, if there are any."""
        return nullcontext() if self.averages is None else self.averages.swapped()

    def use_best(self) -> None:
        """Set the model to the best epoch's values, else to the averages, if there are any."""
        if self.best is not None:
            self.model.load_state_dict(self.best.values)
        elif self.averages is not None:
            self.model.load_state_dict(self.averages.values)
