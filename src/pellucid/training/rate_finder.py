"""The learning-rate range test."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import losses, optim
from pellucid.arguments import checked
from pellucid.errors import TrainingError
from pellucid.layers import Layer
from pellucid.losses import Loss, cross_entropy
from pellucid.optim import Optimizer
from pellucid.optim.schedules import Schedule
from pellucid.training.data import Augmentation, Data, Divided, augmentation, part_of, with_targets
from pellucid.training.loop import records
from pellucid.training.records import Step
from pellucid.training.state import TrainingState
from pellucid.types import Array

_SMOOTHING = 0.9
_DIVERGED = 4.0  # times the lowest loss so far


@dataclass(frozen=True, eq=False)
class RateSearch:
    """Result of the range test.

    Attributes
    ----------
    rates, losses
        Learning rate of each step, and loss of its batch before the update.
    smoothed
        Exponentially weighted means of the losses, with bias correction.
    suggestion
        Rate at which the loss fell fastest.
    """

    rates: Array
    losses: Array
    smoothed: Array
    suggestion: float


@dataclass(frozen=True)
class _Geometric(Schedule):
    """Increase from `low` to `high` in `steps` steps, by the same factor each."""

    low: float
    high: float
    steps: int

    def __call__(self, step: int, total_steps: int) -> float:
        return float(self.low * (self.high / self.low) ** (step / (self.steps - 1)))


def find_rate(
    model: Layer,
    data: Data | Divided | Array,
    targets: Array | Sequence[Any] | None = None,
    *,
    optimizer: Optimizer | str = "adam",
    loss: Loss | str = cross_entropy,
    batch_size: int = 64,
    augment: Augmentation | str | None = None,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    seed: int = 0,
) -> RateSearch:
    """Find a learning rate by training for some steps with an increasing rate.

    The rate increases geometrically from `low` to `high`; the test ends early if the smoothed loss
    exceeds four times its minimum, or is not finite. It trains a copy: `model` and `optimizer` are
    not changed.
    Source: Smith, "Cyclical learning rates for training neural networks", 2017, sec. 3.3.

    Parameters
    ----------
    model
        Model to train.
    data
        Training data: a data set, arrays (inputs, targets), or the inputs alone if `targets`
        follow.
    targets
        Class numbers (N,), or values for every output, if `data` is an array of inputs.
    optimizer, loss, augment
        Optimiser, loss and augmentation, or their names; see `train`.
    batch_size
        Number of samples per step. Default: 64.
    low, high, steps
        Range of rates, and number of steps. Default: 1e-6 to 10 in 100 steps.
    seed
        Seed of all random numbers.

    Returns
    -------
    RateSearch
        Rates, losses and the suggested rate.

    Raises
    ------
    TrainingError
        The loss never fell, or diverged before it could.

    Examples
    --------
    >>> from pellucid import models, optim
    >>> generator = np.random.default_rng(0)
    >>> x = generator.normal(size=(256, 4)).astype(np.float32)
    >>> data = x, (x.sum(axis=1) > 0).astype(np.int64)
    >>> model = models.mlp((4,), 2)
    >>> sgd = optim.SGD(model.parameters())
    >>> 0.001 < find_rate(model, data, optimizer=sgd).suggestion < 10
    True
    """
    given = part_of(with_targets(data, targets), "train", "data")
    low, high = checked("low", low, float), checked("high", high, float)
    steps = checked("steps", steps, int)
    optimizer, loss = optim.chosen(optimizer, model.parameters()), losses.chosen(loss)
    if not 0 < low < high or steps < 10:
        raise TrainingError(
            f"the rate must increase in at least 10 steps: low {low}, high {high}, steps {steps}"
        )
    # copied together, so that the optimiser's parameters are the model's
    model, optimizer = copy.deepcopy((model, optimizer))
    optimizer.base_lr = 1.0
    schedule = _Geometric(low, high, steps)
    augment = augmentation(augment)
    state = TrainingState(model, optimizer, loss, batch_size, steps, schedule, augment, seed)
    done: list[Step] = []
    smoothed: list[float] = []
    mean = 0.0
    try:
        for record in records(state, given):
            if isinstance(record, Step):
                done.append(record)
                mean = _SMOOTHING * mean + (1 - _SMOOTHING) * record.loss
                smoothed.append(mean / (1 - _SMOOTHING ** len(done)))
                if len(done) == steps or smoothed[-1] > _DIVERGED * min(smoothed):
                    break
    except TrainingError:  # the loss is not finite: use the rates so far
        pass
    return _found(done, smoothed, reach=steps // 10)


def _found(steps: list[Step], smoothed: list[float], reach: int) -> RateSearch:
    """Fit lines to each 2·reach + 1 successive losses; suggest the middle of the steepest."""
    if len(steps) < 2 * reach + 1:
        raise TrainingError("the loss diverged immediately; start at a lower rate")
    rates = np.array([step.rate for step in steps])
    losses = np.array([step.loss for step in steps])
    # least squares over equally spaced points: slope ∝ Σ k·loss[i + k], k = −reach … reach
    slopes = np.correlate(losses, np.arange(-reach, reach + 1.0), "valid")
    if slopes.min() >= 0:
        raise TrainingError("the loss never fell; try higher rates, or more steps")
    best = int(slopes.argmin()) + reach
    return RateSearch(rates, losses, np.array(smoothed), float(rates[best]))
