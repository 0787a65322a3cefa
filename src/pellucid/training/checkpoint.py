"""Checkpoints: a training run in one file, from which it continues exactly.

The file is ``checkpoint/state.safetensors`` in the run's folder. It holds all values (of the model,
the optimiser, the averages and the best epoch), and in its metadata, as JSON, everything else: the
settings, the position, the sums of the unfinished epoch, the history, and a fingerprint of the
data. Python's floats in JSON are exact.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Annotated, Any, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialized

from pellucid import engine, layers, losses, optim
from pellucid.arguments import (
    Extended,
    Range,
    Size,
    annotations_of,
    check_fields,
    checked,
    shown,
)
from pellucid.errors import FileError
from pellucid.files import atomic_write
from pellucid.layers import Layer
from pellucid.optim import ExponentialMovingAverage, schedules
from pellucid.preprocessing import Preprocessing
from pellucid.training.batches import Augmentation, Data
from pellucid.training.fingerprint import check_same_data
from pellucid.training.metrics import Metric, chosen
from pellucid.training.records import Epoch, Record
from pellucid.training.state import Best, Sums, TrainingState
from pellucid.types import Array

R = TypeVar("R", bound=Record)

_FORMAT = 1


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
        for part, values in _values(state).items()
        for name, value in values.items()
    }
    facts = json.dumps(setup(state) | _progress(state), default=_item)
    return serialized(tensors, {"pellucid": facts, "digest": _digest(facts, tensors)})


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
    facts, tensors = _read(path)
    with _naming(path):
        numbers = _Numbers.of(facts)
        model = layers.build(facts["model"]).astype(_dtype(facts["dtype"]))
        model.load_state_dict(_part("model", tensors))  # checks sizes first
        parameters = model.named_parameters()
        averages = facts["averages"]
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
            metrics=chosen(metrics),
        )
        _take_over(state, facts, tensors)
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
    facts, tensors = _read(path)
    with _naming(path):
        _take_over(state, facts, tensors)


def saved_optimizer(folder: str | Path, model: Layer) -> optim.Optimizer:
    """Return the optimiser of the run saved in `folder`, for the parameters of `model`.

    It has the saved state, such as Adam's moments.

    Raises
    ------
    FileError
        There is no checkpoint, it is damaged, or `model` is a different network.
    """
    path = checkpoint_path(folder)
    facts, tensors = _read(path)
    with _naming(path):
        parameters = model.named_parameters()
        if missing := [name for name in facts["learns"] if name not in parameters]:
            raise FileError(f"the model lacks {', '.join(missing)}, which the run trained")
        learned = [parameters[name] for name in facts["learns"]]
        optimizer = optim.build(facts["optimizer"], learned)
        optimizer.load_state_dict(_part("optimizer", tensors))
    return optimizer


def checkpoint_path(folder: str | Path) -> Path:
    """Return the path of the checkpoint of the run in `folder`."""
    return Path(folder) / "checkpoint" / "state.safetensors"


# Contents of a checkpoint


def setup(state: TrainingState) -> dict[str, Any]:
    """Return the settings of a run, which must be equal for it to continue."""
    paths = {id(item): path for path, item in state.model.named_state()}
    averages = state.averages
    return {
        "model": state.model.describe(),
        "dtype": state.dtype.name,
        "optimizer": state.optimizer.describe(),
        "learns": [paths[id(parameter)] for parameter in state.optimizer.learned],
        "loss": state.loss.describe(),
        "schedule": state.schedule.describe(),
        "augment": state.augment and state.augment.describe(),
        "averages": averages and {"decay": averages.decay, "warm_up": averages.warm_up},
        "batch_size": state.batch_size,
        "seed": state.seed,
        "shards": state.shards,
        "metrics": list(state.metrics),
    }


def _progress(state: TrainingState) -> dict[str, Any]:
    model = state.model
    return {
        "format": _FORMAT,
        "engine": engine.setting(),
        "epochs": state.epochs,
        "epoch": state.epoch,
        "step": state.step,
        "sums": dataclasses.asdict(state.sums),
        "history": [dataclasses.asdict(epoch) for epoch in state.history],
        "best": state.best and dataclasses.asdict(state.best.epoch),
        "data": state.data,
        "choices": state.choices,
        "preprocessing": model.preprocessing and model.preprocessing.describe(),
        "classes": model.classes,
        "input_shape": model.input_shape,
    }


def _values(state: TrainingState) -> dict[str, Mapping[str, Array]]:
    values: dict[str, Mapping[str, Array]] = {
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
    }
    if state.averages is not None:
        values["averages"] = state.averages.state_dict()
    if state.best is not None:
        values["best"] = state.best.values
    return values


def _item(value: Any) -> Any:
    """Convert a NumPy number to Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be written as JSON")


# Restoring


def _take_over(state: TrainingState, facts: dict[str, Any], tensors: Mapping[str, Array]) -> None:
    """Check that the checkpoint is of such a run before changing `state`."""
    for name, given in json.loads(json.dumps(setup(state), default=_item)).items():
        if facts.get(name) != given:
            said = f": {facts[name]}, not {given}" if name not in ("model", "learns") else ""
            raise FileError(f"the run was saved with a different {_SAID.get(name, name)}{said}")
    if facts["engine"] != engine.setting():
        warnings.warn(
            f"the run used the engine '{facts['engine']}' and continues with "
            f"'{engine.setting()}', so results will not be identical bit for bit",
            stacklevel=4,
        )
    numbers = _Numbers.of(facts)
    sums, history = Sums(**facts["sums"]), tuple(map(_epoch, facts["history"]))
    check_fields(sums)
    best = facts["best"] and Best(_epoch(facts["best"]), _part("best", tensors))
    if best:
        state.model.check_state_dict(best.values)
    preprocessing = facts["preprocessing"] and Preprocessing.from_description(
        facts["preprocessing"]
    )
    choices = _choices(facts.get("choices", {}))
    _load(state, tensors)
    state.model.preprocessing = preprocessing
    state.model.classes, state.model.input_shape = numbers.classes, numbers.input_shape
    state.epoch, state.step = numbers.epoch, numbers.step
    state.sums, state.history, state.best, state.data = sums, history, best, facts["data"]
    state.choices = choices


def _load(state: TrainingState, tensors: Mapping[str, Array]) -> None:
    """Load all values, or none if some do not fit."""
    parts = {"optimizer": state.optimizer, "averages": state.averages, "model": state.model}
    changed = [(part, part.state_dict(), name) for name, part in parts.items() if part is not None]
    try:
        for part, _, name in changed:
            part.load_state_dict(_part(name, tensors))
    except Exception:
        for part, before, _ in changed:
            part.load_state_dict(before)
        raise


_Count = Annotated[int, Range(0, 2**63 - 1)]


@dataclasses.dataclass(frozen=True)
class _Numbers:
    """The numbers and names in a checkpoint, checked."""

    epochs: _Count
    epoch: _Count
    step: _Count
    batch_size: _Count
    seed: _Count
    shards: Size | None
    classes: tuple[str, ...] | None
    input_shape: tuple[Size, ...] | None

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> _Numbers:
        given = {"shards": None, **facts}  # missing in files of earlier versions
        return cls(**{field.name: given[field.name] for field in dataclasses.fields(cls)})


def _epoch(facts: Mapping[str, Any]) -> Epoch:
    epoch = Epoch(**facts)
    for name, kind in annotations_of(Epoch).items():
        value = getattr(epoch, name)
        if name == "metrics":
            checked("an epoch's metrics", value, dict[str, Extended])
        elif not isinstance(value, kind) and type(value) is not int:
            raise FileError(f"the {name} of an epoch is {shown(value)}")
    return epoch


def _choices(found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise FileError(f"the choices of algorithms are {shown(found)}")
    return found


def _dtype(name: Any) -> str:
    if name not in ("float32", "float64"):
        raise FileError(f"a model's type must be float32 or float64, not {shown(name)}")
    return str(name)


_SAID = {
    "dtype": "type of numbers",
    "learns": "list of parameters that learn",
    "augment": "augmentation",
    "metrics": "list of metrics",
    "averages": "average of the weights",
    "batch_size": "batch size",
    "shards": "number of shards",
}


def _part(part: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
    start = f"{part}/"
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}


# The file


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the facts and values in the file, after checking that it is undamaged."""
    if not path.exists():
        raise FileError(f"there is no checkpoint {path}, so there is no run to continue")
    with _naming(path), safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        if "pellucid" not in metadata or "digest" not in metadata:
            raise FileError("the file is not a checkpoint of a training run")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no mapping
        if _digest(metadata["pellucid"], tensors) != metadata["digest"]:
            raise FileError("the file is damaged: its contents do not match their checksum")
        facts = {"metrics": []} | json.loads(metadata["pellucid"])  # added later
        if facts["format"] != _FORMAT:
            raise FileError(
                f"the file has format {facts['format']}, but this version of Pellucid reads format "
                f"{_FORMAT}: upgrade Pellucid to continue this run"
            )
    return facts, tensors


def _digest(facts: str, tensors: Mapping[str, Array]) -> str:
    digest = hashlib.blake2b(facts.encode(), digest_size=16)
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn any error raised inside into a `FileError` that names the file."""
    try:
        yield
    except SafetensorError as error:
        raise FileError(f"{path}: the file is damaged: {error!s:.300}") from error
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise FileError(f"{path}: the file is not a valid checkpoint") from error
    except (ValueError, OSError) as error:
        raise FileError(f"{path}: {error!s:.1000}") from error
