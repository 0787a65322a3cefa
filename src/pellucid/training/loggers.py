"""Log runs to TensorBoard, MLflow, and Weights & Biases.

Each function wraps the generator of records, like `log_csv`, and yields the records unchanged. The
packages are imported when the functions are called.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pellucid.errors import missing_extra
from pellucid.training.records import Epoch, Record, Step, split_metrics

R = TypeVar("R", bound=Record)
Write = Callable[[dict[str, float], int], None]


def log_tensorboard(
    records: Iterable[R], folder: str | Path, choices: Mapping[str, Any] | None = None
) -> Iterator[R]:
    """Log losses, accuracies and learning rates for TensorBoard.

    Parameters
    ----------
    records
        Records of a run, from `pellucid.train` or `training.records`.
    folder
        Folder of the event file, for ``tensorboard --logdir``.
    choices
        Settings of the run, shown as text.

    Raises
    ------
    MissingExtraError
        The package tensorboard is not installed.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        raise missing_extra("logging to TensorBoard", "tensorboard", "loggers") from error

    file = EventFileWriter(str(folder))

    def write(values: dict[str, float], step: int) -> None:
        shown = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        file.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=shown)))

    if choices:
        file.add_event(Event(wall_time=time.time(), step=0, summary=_text(Summary, choices)))
    return _written(records, write, file.close)


def log_mlflow(
    records: Iterable[R], name: str, choices: Mapping[str, Any] | None = None
) -> Iterator[R]:
    """Log losses, accuracies and learning rates as an MLflow run, at MLFLOW_TRACKING_URI.

    Parameters
    ----------
    records
        Records of a run, from `pellucid.train` or `training.records`.
    name
        Name of the run.
    choices
        Settings of the run, logged as its parameters.

    Raises
    ------
    MissingExtraError
        The package mlflow is not installed.
    """
    try:
        import mlflow
    except ImportError as error:
        raise missing_extra("logging to MLflow", "mlflow", "loggers") from error
    mlflow.start_run(run_name=name)
    mlflow.log_params(dict(choices or {}))
    return _written(records, lambda values, step: mlflow.log_metrics(values, step), mlflow.end_run)


def log_wandb(
    records: Iterable[R], name: str, choices: Mapping[str, Any] | None = None
) -> Iterator[R]:
    """Log losses, accuracies and learning rates to Weights & Biases (offline: WANDB_MODE=offline).

    Parameters
    ----------
    records
        Records of a run, from `pellucid.train` or `training.records`.
    name
        Name of the run, in the project WANDB_PROJECT or "pellucid".
    choices
        Settings of the run.

    Raises
    ------
    MissingExtraError
        The package wandb is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise missing_extra("logging to Weights & Biases", "wandb", "loggers") from error

    project = os.environ.get("WANDB_PROJECT", "pellucid")
    run = wandb.init(project=project, name=name, config=dict(choices or {}))
    return _written(records, lambda values, step: run.log(values, step=step), run.finish)


def _written(records: Iterable[R], write: Write, close: Callable[[], Any]) -> Iterator[R]:
    """Yield the records and log their numbers; steps are counted over all epochs."""
    try:
        for record in records:
            if isinstance(record, Step):
                write(_of_step(record), (record.epoch - 1) * record.steps + record.step)
            elif isinstance(record, Epoch):
                write(_of_epoch(record), record.epoch * record.steps)
            yield record
    finally:
        close()


def _of_step(step: Step) -> dict[str, float]:
    values = {"batch/loss": step.loss, "batch/rate": step.rate}
    values |= {f"batch/{name}": value for name, value in step.metrics.items()}
    return values if step.accuracy is None else values | {"batch/accuracy": step.accuracy}


def _of_epoch(epoch: Epoch) -> dict[str, float]:
    values = {
        "training/loss": epoch.loss,
        "training/accuracy": epoch.accuracy,
        "validation/loss": epoch.validation_loss,
        "validation/accuracy": epoch.validation_accuracy,
        "images_per_second": epoch.images_per_second,
        "compiling_seconds": epoch.compiling,
    }
    for part, metrics in zip(("training", "validation"), split_metrics(epoch.metrics), strict=True):
        values |= {f"{part}/{name}": value for name, value in metrics.items()}
    return {name: value for name, value in values.items() if value is not None}


def _text(summary: Any, choices: Mapping[str, Any]) -> Any:
    """Return the settings as text for TensorBoard."""
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    described = "\n".join(f"    {name}: {value}" for name, value in choices.items())
    plugin = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    tensor = TensorProto(dtype=DT_STRING, string_val=[described.encode()])
    value = summary.Value(tag="choices/text_summary", metadata=plugin, tensor=tensor)
    return summary(value=[value])
