"""The learning-rate range test."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from pellucid import losses, optim
from pellucid.arguments import checked
from pellucid.errors import TrainingError
from pellucid.layers import Layer
from pellucid.losses import Loss, cross_entropy
from pellucid.optim import Optimizer
from pellucid.optim.schedules import Schedule
from pellucid.training.batches import Augmentation, Data, augmentation, part_of
from pellucid.training.loop import records
from pellucid.training.records import Step
from pellucid.training.state import TrainingState
from pellucid.types import Array

_SMOOTHING = 0.9
_DIVERGED = 4.0  # times the lowest loss so far


@dataclass(frozen=True, eq=False)
class RateSearch:
    """What the range test found.

    Attributes
    ----------
    rates, losses
        The rate of each step, and the loss of its batch before the update.
    smoothed
        Exponentially weighted means of the losses, without the bias towards the beginning.
    suggestion
        The rate around which the loss fell fastest.
    """

    rates: Array
    losses: Array
    smoothed: Array
    suggestion: float


@dataclass(frozen=True)
class _Geometric(Schedule):
    """From `low` to `high` in `steps` steps, each the same factor above the last."""

    low: float
    high: float
    steps: int

    def __call__(self, step: int, total_steps: int) -> float:
        return float(self.low * (self.high / self.low) ** (step / (self.steps - 1)))


def find_rate(
    model: Layer,
    data: Data,
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
    """Find a learning rate: train for some steps with a growing rate and see when the loss falls.

    The rate grows geometrically from `low` to `high`; the test ends early where the smoothed loss
    is four times its lowest, or no longer a number. It trains a copy: `model` and `optimizer` stay
    as they are.
    Source: Smith, "Cyclical learning rates for training neural networks", 2017, sec. 3.3.

    Parameters
    ----------
    model
        What is to learn.
    data
        What it is to learn from: a data set, or arrays (inputs, targets).
    optimizer, loss, augment
        Those that it is to learn with, or their names; see `train`.
    batch_size
        How many samples make a step.
    seed
        The seed of the order of the samples, and of all other randomness.
    low, high, steps
        The range, and how many batches to spend on it.

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
    low, high = checked("low", low, float), checked("high", high, float)
    steps = checked("steps", steps, int)
    optimizer, loss = optim.chosen(optimizer, model.parameters()), losses.chosen(loss)
    if not 0 < low < high or steps < 10:
        raise TrainingError(
            f"a search goes up, in at least 10 steps: low {low}, high {high}, steps {steps}"
        )
    # one copy of both, so that the optimiser's copy holds the parameters of the model's
    model, optimizer = copy.deepcopy((model, optimizer))
    optimizer.base_lr = 1.0
    schedule = _Geometric(low, high, steps)
    augment = augmentation(augment)
    state = TrainingState(model, optimizer, loss, batch_size, steps, schedule, augment, seed)
    done: list[Step] = []
    smoothed: list[float] = []
    mean = 0.0
    try:
        for record in records(state, part_of(data, "train", "data")):
            if isinstance(record, Step):
                done.append(record)
                mean = _SMOOTHING * mean + (1 - _SMOOTHING) * record.loss
                smoothed.append(mean / (1 - _SMOOTHING ** len(done)))
                if len(done) == steps or smoothed[-1] > _DIVERGED * min(smoothed):
                    break
    except TrainingError:  # the loss is no longer a number: the rates so far are what there is
        pass
    return _found(done, smoothed, reach=steps // 10)


def _found(steps: list[Step], smoothed: list[float], reach: int) -> RateSearch:
    """Fit lines to each 2·reach + 1 successive losses; the answer lies amid the steepest."""
    if len(steps) < 2 * reach + 1:
        raise TrainingError("the loss diverged at once: begin the search at a lower rate")
    rates = np.array([step.rate for step in steps])
    losses = np.array([step.loss for step in steps])
    # least squares over equally spaced points: slope ∝ Σ k·loss[i + k], k = −reach … reach
    slopes = np.correlate(losses, np.arange(-reach, reach + 1.0), "valid")
    if slopes.min() >= 0:
        raise TrainingError("the loss never fell: search up to a higher rate, or in more steps")
    best = int(slopes.argmin()) + reach
    return RateSearch(rates, losses, np.array(smoothed), float(rates[best]))
