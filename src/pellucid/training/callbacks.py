"""Callbacks for `fit`, called after each epoch; they may end the run.

A callback is a function of an `Epoch`; if it returns True, the run ends. The objects of this module
are the functions of `pellucid.training.consumers` as callbacks, which see all records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pellucid.errors import TrainingError
from pellucid.training.checkpoint import save_checkpoints
from pellucid.training.consumers import Monitor, log_csv, stop_early
from pellucid.training.loggers import log_tensorboard
from pellucid.training.records import Epoch, Record
from pellucid.training.state import TrainingState

__all__ = ["CSVLogger", "Callback", "Checkpoint", "Consumer", "EarlyStopping", "TensorBoard"]


def __dir__() -> list[str]:
    return __all__


@runtime_checkable
class Consumer(Protocol):
    """A callback that sees every record, including those of steps."""

    def consume(self, records: Iterator[Record], state: TrainingState) -> Iterator[Record]:
        """Yield the records; the run ends when this generator ends."""


Callback = Callable[[Epoch], Any] | Consumer


@dataclass(frozen=True)
class EarlyStopping:
    """End the run when `monitor` has not improved for `patience` epochs; see `stop_early`.

    Parameters
    ----------
    patience
        Number of consecutive epochs without an improvement on the best value.
    monitor
        ``"validation_loss"`` (default), ``"validation_accuracy"``, ``"loss"`` or ``"accuracy"``.
    tolerance
        Least change that counts as an improvement. Default: 0.
    """

    patience: int = 3
    monitor: Monitor = "validation_loss"
    tolerance: float = 0.0

    def consume(self, records: Iterator[Record], state: TrainingState) -> Iterator[Record]:
        return stop_early(records, self.patience, self.monitor, state.history, self.tolerance)


@dataclass(frozen=True)
class CSVLogger:
    """Write the history to a CSV file, one row per epoch; see `log_csv`.

    Parameters
    ----------
    path
        File to write.
    """

    path: str | Path

    def consume(self, records: Iterator[Record], state: TrainingState) -> Iterator[Record]:
        return log_csv(records, state, self.path)


@dataclass(frozen=True)
class TensorBoard:
    """Log losses, metrics and learning rates for TensorBoard; see `log_tensorboard`.

    Parameters
    ----------
    folder
        Folder of the event file.
    """

    folder: str | Path

    def consume(self, records: Iterator[Record], state: TrainingState) -> Iterator[Record]:
        return log_tensorboard(records, self.folder)


@dataclass(frozen=True)
class Checkpoint:
    """Save the run regularly, so that `training.resume` continues it; see `save_checkpoints`.

    Parameters
    ----------
    folder
        Folder of the run.
    every
        Seconds between two checkpoints. One is also saved after each epoch.
    """

    folder: str | Path
    every: float = 30.0

    def consume(self, records: Iterator[Record], state: TrainingState) -> Iterator[Record]:
        return save_checkpoints(records, state, self.folder, self.every)


def called(
    records: Iterator[Record], state: TrainingState, callbacks: Iterable[Callback]
) -> Iterator[Record]:
    """Return the records of a run with `callbacks` applied in order."""
    for callback in callbacks:
        if isinstance(callback, Consumer) and not isinstance(callback, type):
            records = callback.consume(records, state)
        elif callable(callback) and not isinstance(callback, type):
            records = _after_each_epoch(records, callback)
        else:
            raise TrainingError(
                "a callback must be a function of an epoch, or an object of "
                f"pellucid.training.callbacks, such as EarlyStopping(patience=3); not {callback!r}"
            )
    return records


def _after_each_epoch(
    records: Iterator[Record], callback: Callable[[Epoch], Any]
) -> Iterator[Record]:
    for record in records:
        yield record
        if isinstance(record, Epoch) and callback(record) is True:
            return
