"""Describe over- and underfitting of a training run in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pellucid.training.records import Epoch

_FEW = 3
"""Least number of epochs for which trends are distinguished from chance."""
_RISE = 0.1
"""Relative increase of the validation loss over its minimum that counts as a rise; it must last
two epochs, because one may be chance."""
_GAP = 0.5
"""Relative excess of the validation loss over the training loss that counts as large."""
_FALL = 0.02
"""Relative decrease of a loss in each of the last two epochs that counts as still falling."""
_HARDLY = 0.1
"""Relative decrease of the training loss in the whole run below which it has hardly fallen."""


def diagnosis(history: Sequence[Epoch]) -> str:
    """Return one or two sentences on whether a run over- or underfits, with the evidence.

    The criteria are how far the validation loss ended above its lowest value and above the training
    loss, and whether the two were still falling. The wording is careful: losses vary by chance, and
    the training loss is a mean over the epoch, with augmentation and dropout, which may be far
    above that of the network at the end of the epoch.

    Parameters
    ----------
    history
        The epochs of a run in order.

    Examples
    --------
    >>> losses = [(1.2, 1.3), (0.7, 0.9), (0.3, 0.8), (0.2, 1.0), (0.1, 1.1)]
    >>> run = [Epoch(n, 5, 9, loss, None, other, None, 0.1, 1.0, 1.0, False)
    ...        for n, (loss, other) in enumerate(losses, start=1)]
    >>> print(diagnosis(run))  # doctest: +NORMALIZE_WHITESPACE
    This looks like overfitting: since epoch 3 the validation loss has risen from 0.8000 to 1.1000,
    while the training loss fell from 0.3000 to 0.1000.
    """
    if len(history) < _FEW:
        return f"Fewer than {_FEW} epochs are too few to distinguish over- from underfitting."
    training = [epoch.loss for epoch in history]
    validation = [e.validation_loss for e in history if e.validation_loss is not None]
    if not all(map(math.isfinite, training + validation)):
        return "A loss was not a finite number, so it cannot be judged whether the network fits."
    if len(validation) < len(history):
        ended = "was still falling" if _falls(training) else "had settled"
        unseen = "without validation data, overfitting cannot be seen"
        return f"The training loss {ended} at the end; {unseen}."
    lowest = min(range(len(validation)), key=validation.__getitem__)
    if min(validation[-2:]) > (1 + _RISE) * validation[lowest]:
        return _risen(training, validation, lowest, history[lowest].epoch)
    return _not_risen(training, validation, validation[lowest])


def _risen(training: list[float], validation: list[float], lowest: int, epoch: int) -> str:
    rise = f"from {validation[lowest]:.4f} to {validation[-1]:.4f}"
    if training[-1] < training[lowest]:
        return (
            f"This looks like overfitting: since epoch {epoch} the validation loss has risen "
            f"{rise}, while the training loss fell from {training[lowest]:.4f} to "
            f"{training[-1]:.4f}."
        )
    return (
        f"The run became worse: since epoch {epoch} the validation loss has risen {rise}, and the "
        "training loss has risen too. A lower learning rate may help."
    )


def _not_risen(training: list[float], validation: list[float], lowest: float) -> str:
    ends = (
        f"the loss ended at {training[-1]:.4f} in training and {validation[-1]:.4f} in validation"
    )
    if validation[-1] > (1 + _GAP) * training[-1]:
        trend = "has hardly risen since its lowest, so it does little harm yet"
        if _falls(validation):
            trend = "was still falling, so it does no harm yet"
        elif validation[-1] > (1 + _RISE) * lowest:
            trend = "rose in the last epoch, which may be chance"
        return f"There is some overfitting: {ends}. The validation loss {trend}."
    if training[-1] > (1 - _HARDLY) * training[0]:
        return (
            f"This may be underfitting: the training loss hardly fell, from {training[0]:.4f} to "
            f"{training[-1]:.4f}. Another learning rate or a larger network may help."
        )
    if _falls(training) and _falls(validation):
        return (
            f"Both losses were still falling: {ends}. "
            "More epochs would probably make the network better."
        )
    if _falls(training):
        return (
            f"Only the training loss was still falling: {ends}. "
            "More epochs alone would probably lead to overfitting."
        )
    return f"There is no sign of over- or underfitting: {ends}."


def _falls(losses: list[float]) -> bool:
    """Return whether the last loss is clearly the lowest of the last three."""
    return losses[-1] == min(losses[-_FEW:]) and losses[-1] < (1 - _FALL) ** 2 * losses[-_FEW]
