"""Checkpoints: a training run in one file, from which it continues exactly.

The file is ``checkpoint/state.safetensors`` in the run's folder. It holds all values (of the model,
the optimiser, the averages, the best epoch and the selector with its optimiser), and in its
metadata, as JSON, everything else: the settings, the position, the sums of the unfinished epoch,
the history, and a fingerprint of the data. Python's floats in JSON are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TypeVar

from pellucid import layers, losses, optim
from pellucid.errors import FileError
from pellucid.files import atomic_write
from pellucid.layers import Layer
from pellucid.optim import ExponentialMovingAverage, schedules
from pellucid.training import selection
from pellucid.training.checkpoint_contents import (
    Numbers,
    checked_dtype,
    part_of,
    progress,
    put_back,
    setup,
    values,
)
from pellucid.training.checkpoint_file import checkpoint_path, naming, pack, read
from pellucid.training.data import Augmentation, Data
from pellucid.training.fingerprint import check_same_data
from pellucid.training.metrics import Metric, chosen
from pellucid.training.records import Epoch, Record
from pellucid.training.state import TrainingState

R = TypeVar("R", bound=Record)


def save_checkpoints(
    records: Iterable[R], state: TrainingState, folder: str | Path, every: float = 30.0
) -> Iterator[R]:
    """Save a checkpoint regularly while a run goes on.

    Checkpoints are saved before the first step, every `every` seconds, after each epoch, and at the
    end of the run.

    Wrap this around functions that may end the run, such as `stop_early` and `stop_on_signal`, so
    that it sees the end. The run is also saved if the loop over the records ends early, by
    ``break`` or an error of its own. After an error in training nothing is saved, and the last
    checkpoint remains.

    Parameters
    ----------
    records
        Records of the run.
    state
        The run.
    folder
        Folder of the run.
    every
        Seconds between two checkpoints. Default: 30.
    """
    if state.epoch == state.step == 0:
        save_checkpoint(state, folder)
    saved = monotonic()
    for record in records:
        if isinstance(record, Epoch) or monotonic() - saved >= every:
            save_checkpoint(state, folder)
            saved = monotonic()
        try:
            yield record
        except GeneratorExit:  # the loop over the records ended, but the run is consistent
            save_checkpoint(state, folder)
            raise
    save_checkpoint(state, folder)


def save_checkpoint(state: TrainingState, folder: str | Path) -> Path:
    """Save the run in `folder`, completely or not at all, and return the file's path."""
    path = checkpoint_path(folder)
    atomic_write(path, packed(state))
    return path


def packed(state: TrainingState) -> bytes:
    """Return the contents of the file that `save_checkpoint` writes."""
    tensors = {
        f"{part}/{name}": value
        for part, of_part in values(state).items()
        for name, value in of_part.items()
    }
    return pack(setup(state) | progress(state), tensors)


def unpack(state: TrainingState, data: bytes) -> None:
    """Restore a run with the same settings from `data`, which `packed` returned."""
    with TemporaryDirectory() as folder:
        atomic_write(checkpoint_path(folder), data)
        restore(state, folder)


def resume(
    folder: str | Path,
    data: Data,
    validation: Data | None = None,
    *,
    augment: Augmentation | None = None,
    metrics: Iterable[str | Metric] = (),
) -> TrainingState:
    """Return the run saved in `folder`, with model and optimiser rebuilt.

    ``records(state, data, validation)`` then continues it, bit for bit as if it had never been
    interrupted, if machine and engine are the same.

    Parameters
    ----------
    folder
        Folder of the run.
    data, validation, augment, metrics
        The same as at the start of the run.

    Raises
    ------
    FileError
        There is no checkpoint, it is damaged or has a newer format, or the data or augmentation
        differ from those of the run.
    """
    path = checkpoint_path(folder)
    facts, tensors = read(path)
    with naming(path):
        numbers = Numbers.of(facts)
        model = layers.build(facts["model"]).astype(checked_dtype(facts["dtype"]))
        model.load_state_dict(part_of("model", tensors))  # checks sizes first
        parameters = model.named_parameters()
        averages, selected = facts["averages"], facts.get("selection")
        state = TrainingState(
            model=model,
            optimizer=optim.build(facts["optimizer"], [parameters[n] for n in facts["learns"]]),
            loss=losses.build(facts["loss"]),
            batch_size=numbers.batch_size,
            epochs=numbers.epochs,
            schedule=schedules.build(facts["schedule"]),
            augment=augment,
            seed=numbers.seed,
            averages=averages and ExponentialMovingAverage(dict(model.named_state()), **averages),
            shards=numbers.shards,
            sync_batch_norm=bool(numbers.sync_batch_norm),
            metrics=chosen(metrics),
            selection=selected and selection.build(selected, facts["dtype"]),
        )
        put_back(state, facts, tensors)
        check_same_data(state, data, validation)
    return state


def restore(state: TrainingState, folder: str | Path) -> None:
    """Restore a run with the same settings to the state saved in `folder`.

    Unlike `resume`, it is for programs that already have the model and optimiser. The run may have
    more epochs in total than the saved one.

    Raises
    ------
    FileError
        As in `resume`, or the checkpoint has other settings. Nothing is changed then.
    """
    path = checkpoint_path(folder)
    facts, tensors = read(path)
    with naming(path):
        put_back(state, facts, tensors)


def saved_optimizer(folder: str | Path, model: Layer) -> optim.Optimizer:
    """Return the optimiser of the run saved in `folder`, for the parameters of `model`.

    It has the saved state, such as Adam's moments.

    Raises
    ------
    FileError
        There is no checkpoint, it is damaged, or `model` is a different network.
    """
    path = checkpoint_path(folder)
    facts, tensors = read(path)
    with naming(path):
        parameters = model.named_parameters()
        if missing := [name for name in facts["learns"] if name not in parameters]:
            raise FileError(f"the model lacks {', '.join(missing)}, which the run trained")
        learned = [parameters[name] for name in facts["learns"]]
        optimizer = optim.build(facts["optimizer"], learned)
        optimizer.load_state_dict(part_of("optimizer", tensors))
    return optimizer
