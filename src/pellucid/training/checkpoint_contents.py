"""The contents of a checkpoint: taken from a run, and given back to one."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Mapping
from typing import Annotated, Any

from pellucid import engine
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
from pellucid.preprocessing import Preprocessing
from pellucid.training.checkpoint_file import python_number
from pellucid.training.records import Epoch
from pellucid.training.state import Best, Sums, TrainingState
from pellucid.types import Array


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
        "sync_batch_norm": state.sync_batch_norm or None,  # missing in files of earlier versions
        "metrics": list(state.metrics),
        "selection": state.selection and state.selection.describe(),  # missing in earlier files
    }


def progress(state: TrainingState) -> dict[str, Any]:
    """Return how far a run has come, and what it found so far."""
    model = state.model
    return {
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


def values(state: TrainingState) -> dict[str, Mapping[str, Array]]:
    """Return all arrays of a run, by part and name."""
    found: dict[str, Mapping[str, Array]] = {
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
    }
    if state.averages is not None:
        found["averages"] = state.averages.state_dict()
    if state.selection is not None:
        found["selector"] = state.selection.selector.state_dict()
        found["selector_optimizer"] = state.selection.optimizer.state_dict()
    if state.best is not None:
        found["best"] = state.best.values
    return found


def put_back(state: TrainingState, facts: dict[str, Any], tensors: Mapping[str, Array]) -> None:
    """Restore a run, after checking that the checkpoint is of a run with the same settings."""
    for name, given in json.loads(json.dumps(setup(state), default=python_number)).items():
        if facts.get(name) != given:
            difference = f": {facts[name]}, not {given}" if name not in ("model", "learns") else ""
            setting = _WORDS.get(name, name)
            raise FileError(f"the run was saved with a different {setting}{difference}")
    if facts["engine"] != engine.setting():
        warnings.warn(
            f"the run used the engine '{facts['engine']}' and continues with "
            f"'{engine.setting()}', so results will not be identical bit for bit",
            stacklevel=4,
        )
    numbers = Numbers.of(facts)
    sums, history = Sums(**_sums(facts["sums"])), tuple(map(_epoch, facts["history"]))
    check_fields(sums)
    best = facts["best"] and Best(_epoch(facts["best"]), part_of("best", tensors))
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
    if state.selection is not None:
        parts |= {"selector": state.selection.selector}
        parts |= {"selector_optimizer": state.selection.optimizer}
    changed = [(part, part.state_dict(), name) for name, part in parts.items() if part is not None]
    try:
        for part, _, name in changed:
            part.load_state_dict(part_of(name, tensors))
    except Exception:
        for part, before, _ in changed:
            part.load_state_dict(before)
        raise


_Count = Annotated[int, Range(0, 2**63 - 1)]


@dataclasses.dataclass(frozen=True)
class Numbers:
    """The numbers and names in a checkpoint, checked."""

    epochs: _Count
    epoch: _Count
    step: _Count
    batch_size: _Count
    seed: _Count
    shards: Size | None
    sync_batch_norm: bool | None
    classes: tuple[str, ...] | None
    input_shape: tuple[Size, ...] | None

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Numbers:
        given = {
            "shards": None,
            "sync_batch_norm": None,
            **facts,
        }  # missing in files of earlier versions
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


def _sums(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `Sums`; earlier versions saved no weight apart."""
    return {"weight": facts.get("counted", 0.0), **facts}


def _choices(found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise FileError(f"the choices of algorithms are {shown(found)}")
    return found


def checked_dtype(name: Any) -> str:
    """Return the type of the numbers of a model, checked."""
    if name not in ("float32", "float64"):
        raise FileError(f"a model's type must be float32 or float64, not {shown(name)}")
    return str(name)


_WORDS = {
    "dtype": "type of numbers",
    "learns": "list of parameters that learn",
    "augment": "augmentation",
    "metrics": "list of metrics",
    "averages": "average of the weights",
    "batch_size": "batch size",
    "shards": "number of shards",
    "selection": "selection of samples",
    "sync_batch_norm": "choice of statistics in batch normalisation",
}


def part_of(part: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays of one part, such as ``"model"``, by name."""
    start = f"{part}/"
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
