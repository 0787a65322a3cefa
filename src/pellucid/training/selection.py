"""Train only on the samples of each batch that are hard for a small network."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from pellucid import layers, optim
from pellucid.arguments import Probability, Range, checked, shown
from pellucid.errors import PellucidError, TrainingError
from pellucid.execution import TrainingProgram, for_training
from pellucid.layers import Layer, StepContext
from pellucid.losses import Loss
from pellucid.optim import Optimizer
from pellucid.training.batches import taken
from pellucid.training.data import Batch
from pellucid.types import Array


class SelectiveBackprop:
    """Trains a model on the samples of each batch for which a small network has the largest loss.

    Of a batch of N samples, a small network, the *selector*, computes every sample's loss Lₙ, and
    the model f with weights w is trained on the samples S with the largest::

        S = {n : Lₙ is among the ⌈keep·N⌉ largest}
        w ← update(w, ∂ mean_{n∈S} L(f(xₙ; w), tₙ) / ∂w)

    The selector learns from the same samples, in every `interval`-th step, at the same share of its
    base rate as the model. An epoch takes the share `keep` of the time that the model needs for all
    samples, and the selector's time. The same accuracy takes more epochs than with all samples, but
    not as many more if most samples are easy.

    Losses and accuracies of the training are those of the chosen samples, so they look worse than
    those of all samples; validation is not affected. Weights of samples count in the mean over S,
    but not in the choice.

    Sources: Jiang et al., "Accelerating Deep Learning by Focusing on the Biggest Losers", 2019, in
    which the model chooses by its own losses; Coleman et al., "Selection via Proxy", 2020, for a
    small network in its place; Jordan's airbench96_faster, 2024, for their combination.

    Parameters
    ----------
    selector
        Small network with the inputs and outputs of the model that is to be trained. It is trained
        from the state in which it is given.
    optimizer
        Optimiser of the selector's parameters.
    keep
        Share of the samples of each batch that are kept, above 0. Default: 0.5.
    interval
        The selector learns in one of so many steps. Default: 4.

    Examples
    --------
    >>> from pellucid import data, models, optim, training
    >>> images = data.load("digits").train
    >>> selector = models.mlp((1, 8, 8), 10, hidden=(16,))
    >>> hardest = training.SelectiveBackprop(selector, optim.Adam(selector.parameters(), lr=0.01))
    >>> model = models.mlp((1, 8, 8), 10)
    >>> epochs = training.train(model, images, batch_size=128, epochs=5, selection=hardest)
    >>> max(epoch.accuracy for epoch in epochs) > 0.8
    True
    """

    def __init__(
        self, selector: Layer, optimizer: Optimizer, keep: float = 0.5, interval: int = 4
    ) -> None:
        if not isinstance(selector, Layer) or not isinstance(optimizer, Optimizer):
            raise PellucidError(
                "SelectiveBackprop takes a layer and an optimiser of its parameters, not "
                f"{shown(selector)} and {shown(optimizer)}"
            )
        self.selector, self.optimizer = selector, optimizer
        self.keep: float = checked("keep", keep, Probability)
        if not self.keep:
            raise PellucidError("keep is a share above 0, such as 0.5")
        self.interval: int = checked("interval", interval, Annotated[int, Range(1, 2**31)])
        self._program: TrainingProgram | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_program": None}  # a copy is run by a program of its own

    def kept(self, samples: int) -> int:
        """Return how many of so many samples are kept: at least two, for batch normalisation."""
        return min(samples, max(2, math.ceil(self.keep * samples)))

    def hardest(
        self, batch: Batch, loss: Loss, step: StepContext, number: int, rate: float
    ) -> Batch:
        """Return the samples of a batch to train on, and let the selector learn from them if due.

        Parameters
        ----------
        batch
            Inputs, targets, and optionally weights.
        loss
            Loss of the run.
        step
            Random numbers of the selector in this step.
        number
            Number of the step, counted from the start of the run.
        rate
            Share of the selector's base rate to learn with.
        """
        self._program = self._program or for_training(self.selector)
        x, targets, *_ = batch
        self.optimizer.zero_grad()
        outputs, cache = self._program.forward(x, step)
        chosen = self._largest(losses_of(loss, outputs, targets))
        kept = taken(batch, chosen)
        if number % self.interval == 0:
            spread = np.zeros_like(outputs)
            _, spread[chosen] = loss(outputs[chosen], *kept[1:])
            self._program.backward(spread, cache, input_gradient=False)
            self.optimizer.lr = self.optimizer.base_lr * rate
            self.optimizer.step()
            step.commit()
        return kept

    def _largest(self, losses: Array) -> Array:
        """Return the numbers of the samples with the largest losses, in order."""
        if not np.isfinite(losses).all():
            raise TrainingError(
                "the selector's loss is NaN or infinite; lower the rate of its optimiser"
            )
        return np.sort(np.argsort(-losses, kind="stable")[: self.kept(len(losses))])

    def describe(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        paths = {id(item): path for path, item in self.selector.named_state()}
        return {
            "selector": self.selector.describe(),
            "optimizer": self.optimizer.describe(),
            "learns": [paths[id(parameter)] for parameter in self.optimizer.learned],
            "keep": self.keep,
            "interval": self.interval,
        }


def build(description: Any, dtype: str) -> SelectiveBackprop:
    """Return what `SelectiveBackprop.describe` described, with a new selector."""
    facts = dict(description)
    selector = layers.build(facts["selector"]).astype(dtype)
    parameters = selector.named_parameters()
    optimizer = optim.build(facts["optimizer"], [parameters[name] for name in facts["learns"]])
    return SelectiveBackprop(selector, optimizer, facts["keep"], facts["interval"])


def losses_of(loss: Loss, outputs: Array, targets: Array) -> Array:
    """Return the loss of each sample alone.

    >>> from pellucid.losses import mean_squared_error
    >>> losses_of(mean_squared_error, np.array([[1.0], [3.0]]), np.zeros((2, 1)))
    array([1., 9.])
    """
    alone = (slice(n, n + 1) for n in range(len(outputs)))
    return np.array([loss(outputs[n], targets[n])[0] for n in alone])
