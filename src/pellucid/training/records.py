"""The records of training: one for every step and one for every epoch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, overload

from pellucid.errors import missing_extra
from pellucid.notebook import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Step:
    """One update of the weights.

    Attributes
    ----------
    epoch, epochs, step, steps
        Position: step `step` of `steps` in epoch `epoch` of `epochs`, all counted from 1.
    loss, accuracy
        Loss and accuracy of the batch before the update. The accuracy is None if outputs are not
        classes.
    rate
        Learning rate of the update.
    seconds
        Duration, including the preparation of the batch, without compiling kernels.
    metrics
        Requested metrics of the batch, by name.
    samples
        Number of samples in the batch.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float | None
    rate: float
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict, hash=False)
    samples: int = 0

    def __str__(self) -> str:
        place = f"epoch {self.epoch}/{self.epochs}, step {self.step}/{self.steps}"
        described = _told(self.loss, self.accuracy, self.metrics)
        return f"{place} · {described} · rate {self.rate:.4g} · {1000 * self.seconds:.1f} ms"

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Epoch(Shown):
    """One pass over the training data.

    Attributes
    ----------
    epoch, epochs, steps
        Position: epoch `epoch` of `epochs`, counted from 1, with `steps` steps.
    loss, accuracy
        Means over the training samples, computed before the update of each step.
    validation_loss, validation_accuracy
        Loss and accuracy on validation data at the end of the epoch; None without validation.
    rate
        Learning rate of the last update.
    seconds
        Duration of training and validation, without compiling kernels.
    images_per_second
        Speed of training.
    best
        Whether this is the best epoch so far according to validation; see `better`.
    metrics
        Requested metrics by name; those of validation as ``validation_NAME``.
    compiling
        Seconds spent compiling kernels for this machine, before the first step or in this epoch.
    """

    shown_as: ClassVar[str] = "epoch"

    epoch: int
    epochs: int
    steps: int
    loss: float
    accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    rate: float
    seconds: float
    images_per_second: float
    best: bool
    metrics: dict[str, float] = field(default_factory=dict, hash=False)
    compiling: float = 0.0

    def __str__(self) -> str:
        width = len(str(self.epochs))
        trained, validated = split_metrics(self.metrics)
        described = _told(self.loss, self.accuracy, trained)
        parts = [f"epoch {self.epoch:{width}}/{self.epochs}", described]
        if self.validation_loss is not None:
            described = _told(self.validation_loss, self.validation_accuracy, validated)
            parts.append(f"validation {described}" + (" (best)" if self.best else ""))
        parts.append(f"{self.seconds:.1f} s, {self.images_per_second:,.0f} images/s")
        return " · ".join(parts)

    __repr__ = __str__

    def row(self) -> dict[str, Any]:
        """Return the numbers by name, including the metrics."""
        values = dataclasses.asdict(self)
        metrics: dict[str, float] = values.pop("metrics")
        return values | metrics


Record = Step | Epoch


def better(epoch: Epoch, than: Epoch | None) -> bool:
    """Return whether `epoch` did better in validation: higher accuracy, or equal and lower loss.

    Without accuracy only the loss counts. Without validation no epoch is better.
    """
    loss = epoch.validation_loss
    if loss is None or not math.isfinite(loss):
        return False
    return than is None or _merit(epoch) > _merit(than)


def _merit(epoch: Epoch) -> tuple[float, float]:
    return epoch.validation_accuracy or 0.0, -(epoch.validation_loss or 0.0)


VALIDATION = "validation_"
"""Prefix of the names of metrics measured in validation."""


def split_metrics(metrics: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the metrics of training and those of validation, both without prefix."""
    validated = {
        name.removeprefix(VALIDATION): value
        for name, value in metrics.items()
        if name.startswith(VALIDATION)
    }
    return {name: v for name, v in metrics.items() if not name.startswith(VALIDATION)}, validated


def _told(loss: float, accuracy: float | None, metrics: Mapping[str, float]) -> str:
    parts = [f"loss {loss:.4f}"]
    if accuracy is not None:
        parts.append(f"accuracy {100 * accuracy:.2f} %")
    return ", ".join([*parts, *(f"{name} {value:.4f}" for name, value in metrics.items())])


class History(Shown, Sequence[Epoch]):
    """The epochs of a training run, in order.

    >>> history = History([Epoch(1, 1, 10, 0.5, 0.9, None, None, 0.01, 2.0, 320.0, False)])
    >>> print(history[-1])
    epoch 1/1 · loss 0.5000, accuracy 90.00 % · 2.0 s, 320 images/s
    """

    shown_as = "history"

    def __init__(self, epochs: Iterable[Epoch] = ()) -> None:
        self._epochs = tuple(epochs)

    @overload
    def __getitem__(self, index: int) -> Epoch: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...
    def __getitem__(self, index: int | slice) -> Epoch | History:
        if isinstance(index, slice):
            return History(self._epochs[index])
        return self._epochs[index]

    def __len__(self) -> int:
        return len(self._epochs)

    def __repr__(self) -> str:
        return "\n".join(map(str, self._epochs)) or "History()"

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per epoch."""
        return [epoch.row() for epoch in self._epochs]

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas DataFrame with one row per epoch."""
        try:
            import pandas as pd
        except ImportError as error:
            raise missing_extra("a table, other than History.rows,", "pandas") from error
        return pd.DataFrame(self.rows(), columns=self.columns()).set_index("epoch")

    def columns(self) -> list[str]:
        """Return the names of an epoch's numbers."""
        own = [field.name for field in dataclasses.fields(Epoch) if field.name != "metrics"]
        return own + [name for epoch in self._epochs[:1] for name in epoch.metrics]
