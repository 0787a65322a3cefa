"""Callbacks for `fit`: what happens after each epoch, and what may end the run.

A callback is a function that is called with each `Epoch`; where it returns True the run ends. Those
here are the consumers of `pellucid.training` as objects: each takes the records of a run on their
way and passes them on.
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
    """A callback that sees every record, also those of steps."""

    def consume(self, records: Iterator[Record], state: TrainingState) -> Iterator[Record]:
        """Yield the records; the run ends where this ends."""


Callback = Callable[[Epoch], Any] | Consumer


@dataclass(frozen=True)
class EarlyStopping:
    """End the run once `monitor` has not improved for `patience` epochs; see `stop_early`.

    Parameters
    ----------
    patience
        How many epochs in a row may pass without an improvement on the best so far.
    monitor
        ``validation_loss``, ``validation_accuracy``, ``loss`` or ``accuracy``.
    tolerance
        An improvement is more than this.
    """

    patience: int = 3
    monitor: Monitor = "validation_loss"
    tolerance: float = 0.0

    def consume(self, records: Iterator[Record], state: TrainingState) -> Iterator[Record]:
        return stop_early(records, self.patience, self.monitor, state.history, self.tolerance)


@dataclass(frozen=True)
class CSVLogger:
    """Keep the history in a CSV file, one row an epoch; see `log_csv`.

    Parameters
    ----------
    path
        Where the file is written.
    """

    path: str | Path

    def consume(self, records: Iterator[Record], state: TrainingState) -> Iterator[Record]:
        return log_csv(records, state, self.path)


@dataclass(frozen=True)
class TensorBoard:
    """Write losses, metrics and rates for TensorBoard; see `log_tensorboard`.

    Parameters
    ----------
    folder
        Where the event file is made.
    """

    folder: str | Path

    def consume(self, records: Iterator[Record], state: TrainingState) -> Iterator[Record]:
        return log_tensorboard(records, self.folder)


@dataclass(frozen=True)
class Checkpoint:
    """Save the whole run, so that `training.resume` continues it exactly; see `save_checkpoints`.

    Parameters
    ----------
    folder
        The run's folder.
    every
        Seconds between two checkpoints; one is saved at the end of each epoch as well.
    """

    folder: str | Path
    every: float = 30.0

    def consume(self, records: Iterator[Record], state: TrainingState) -> Iterator[Record]:
        return save_checkpoints(records, state, self.folder, self.every)


def called(
    records: Iterator[Record], state: TrainingState, callbacks: Iterable[Callback]
) -> Iterator[Record]:
    """Return the records of a run on which `callbacks` are called, the first one first."""
    for callback in callbacks:
        if isinstance(callback, Consumer) and not isinstance(callback, type):
            records = callback.consume(records, state)
        elif callable(callback) and not isinstance(callback, type):
            records = _after_each_epoch(records, callback)
        else:
            raise TrainingError(
                "a callback is a function that is called with each epoch, or one of "
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
