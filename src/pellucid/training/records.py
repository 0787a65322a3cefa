"""What training tells: a record for every step and one for every epoch."""

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
        This is step `step` of `steps` in epoch `epoch` of `epochs`, all counted from 1.
    loss, accuracy
        Of this batch, before the update. There is no accuracy where outputs are not classes.
    rate
        The learning rate of this update.
    seconds
        How long it took, the making of the batch included.
    metrics
        Of this batch: those that were asked for, by name.
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

    def __str__(self) -> str:
        place = f"epoch {self.epoch}/{self.epochs}, step {self.step}/{self.steps}"
        told = _told(self.loss, self.accuracy, self.metrics)
        return f"{place} · {told} · rate {self.rate:.4g} · {1000 * self.seconds:.1f} ms"

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Epoch(Shown):
    """One pass over the training data.

    Attributes
    ----------
    epoch, epochs, steps
        This is epoch `epoch` of `epochs`, counted from 1, and had `steps` steps.
    loss, accuracy
        Means over the training images, each as the network was when it saw the image.
    validation_loss, validation_accuracy
        Of the network as it is at the end of the epoch; None without validation data.
    rate
        The learning rate of the last update.
    seconds
        Of training and validation together.
    images_per_second
        In training.
    best
        Whether it is the best so far, by validation alone; see `better`.
    metrics
        Those that were asked for, by name; of validation as ``validation_NAME``.
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

    def __str__(self) -> str:
        width = len(str(self.epochs))
        trained, validated = split_metrics(self.metrics)
        told = _told(self.loss, self.accuracy, trained)
        parts = [f"epoch {self.epoch:{width}}/{self.epochs}", told]
        if self.validation_loss is not None:
            told = _told(self.validation_loss, self.validation_accuracy, validated)
            parts.append(f"validation {told}" + (" (best)" if self.best else ""))
        parts.append(f"{self.seconds:.1f} s, {self.images_per_second:,.0f} images/s")
        return " · ".join(parts)

    __repr__ = __str__

    def row(self) -> dict[str, Any]:
        """Return its numbers by name, those of its metrics among them."""
        values = dataclasses.asdict(self)
        metrics: dict[str, float] = values.pop("metrics")
        return values | metrics


Record = Step | Epoch


def better(epoch: Epoch, than: Epoch | None) -> bool:
    """Return whether `epoch` did better in validation: higher accuracy; among equals, lower loss.

    Where there is no accuracy the loss alone decides. Without validation nothing is better.
    """
    loss = epoch.validation_loss
    if loss is None or not math.isfinite(loss):
        return False
    return than is None or _merit(epoch) > _merit(than)


def _merit(epoch: Epoch) -> tuple[float, float]:
    return epoch.validation_accuracy or 0.0, -(epoch.validation_loss or 0.0)


VALIDATION = "validation_"
"""What the names of metrics begin with that were measured in validation."""


def split_metrics(metrics: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the metrics of training and those of validation, both by their plain names."""
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
        """Return one dict an epoch."""
        return [epoch.row() for epoch in self._epochs]

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas table, one row an epoch."""
        try:
            import pandas as pd
        except ImportError as error:
            raise missing_extra("a table, other than History.rows,", "pandas") from error
        return pd.DataFrame(self.rows(), columns=self.columns()).set_index("epoch")

    def columns(self) -> list[str]:
        """Return the names of what each epoch has."""
        own = [field.name for field in dataclasses.fields(Epoch) if field.name != "metrics"]
        return own + [name for epoch in self._epochs[:1] for name in epoch.metrics]
