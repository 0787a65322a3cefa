"""Training, as a generator of records, and functions that process the records."""

from __future__ import annotations

from pellucid.training import callbacks, metrics
from pellucid.training.checkpoint import (
    restore,
    resume,
    save_checkpoint,
    save_checkpoints,
    saved_optimizer,
)
from pellucid.training.consumers import (
    log_csv,
    read_history,
    signals_noted,
    stop_early,
    stop_on_signal,
)
from pellucid.training.diagnosis import diagnosis
from pellucid.training.fitting import fit, train
from pellucid.training.gradients import GradientFlow, read_gradients, record_gradients
from pellucid.training.loggers import log_mlflow, log_tensorboard, log_wandb
from pellucid.training.loop import records
from pellucid.training.progress import show_progress
from pellucid.training.rate_finder import RateSearch, find_rate
from pellucid.training.records import Epoch, History, Record, Step
from pellucid.training.scaling import log_scaling, read_scaling
from pellucid.training.selection import SelectiveBackprop
from pellucid.training.state import TrainingState

__all__ = [
    "Epoch",
    "GradientFlow",
    "History",
    "RateSearch",
    "Record",
    "SelectiveBackprop",
    "Step",
    "TrainingState",
    "callbacks",
    "diagnosis",
    "find_rate",
    "fit",
    "log_csv",
    "log_mlflow",
    "log_scaling",
    "log_tensorboard",
    "log_wandb",
    "metrics",
    "read_gradients",
    "read_history",
    "read_scaling",
    "record_gradients",
    "records",
    "restore",
    "resume",
    "save_checkpoint",
    "save_checkpoints",
    "saved_optimizer",
    "show_progress",
    "signals_noted",
    "stop_early",
    "stop_on_signal",
    "train",
]


def __dir__() -> list[str]:
    return __all__
