"""A checkpoint whose facts are none is refused, with the run as it was."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import small_run
from pellucid.errors import FileError
from pellucid.training import records, restore, resume, save_checkpoint
from pellucid.training.checkpoint_file import checkpoint_path, pack, python_number, read

Facts = dict[str, Any]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Facts, dict[str, np.ndarray]]:
    """Facts and values of a run in its second epoch."""
    folder = tmp_path_factory.mktemp("run")
    state = small_run.new_state()
    for _ in islice(records(state, small_run.DATA, small_run.VALIDATION), 12):
        pass
    save_checkpoint(state, folder)
    return read(checkpoint_path(folder))


def changed(saved: tuple[Facts, Any], change: Callable[[Facts], Any], folder: Path) -> Path:
    facts, tensors = json.loads(json.dumps(saved[0])), saved[1]
    change(facts)
    checkpoint_path(folder).parent.mkdir(exist_ok=True)
    checkpoint_path(folder).write_bytes(pack(facts, tensors))
    return folder


def to(value: Any, *keys: Any) -> Callable[[Facts], None]:
    """Return a function that changes one entry of the facts."""

    def change(facts: Facts) -> None:
        for key in keys[:-1]:
            facts = facts[key]
        facts[keys[-1]] = value

    return change


WRONG = [
    *(to(value, name) for name in ("epoch", "step") for value in (-1, 2**63, 0.5, None, "1")),
    *(to(value, name) for name in ("epochs", "batch_size", "seed") for value in (-1, 2**63, "1")),
    *(to(value, "shards") for value in (0, -1, 1.5, "4")),
    *(to(value, "classes") for value in ("abc", [1, 2, 3], 3)),
    *(to(value, "input_shape") for value in ([1, 0, 6], [1, -6, 6], "6", [1.5])),
    *(to(value, "sums", "seen") for value in (None, "3", 1.5)),
    to("much", "sums", "loss"),
    to(1, "sums", "unknown"),
    to(3, "sums"),
    *(to(value, "history", 0, "loss") for value in (None, "0.5", [1.0])),
    *(to(value, "history", 0, "epoch") for value in (None, "1", 1.5)),
    to("yes", "history", 0, "best"),
    to({"top_5": "high"}, "history", 0, "metrics"),
    to(3, "history", 0, "metrics"),
    to(1, "history", 0, "unknown"),
    to(None, "history"),
    to("high", "best", "validation_loss"),
    to([], "choices"),
    to({"a shape": 3}, "choices"),
    *(to(value, "dtype") for value in ("float16", "int64", None, "object")),
    to({"mean": [1.0]}, "preprocessing"),
    to(None, "model"),
    to({"type": "Unknown"}, "model"),
    to({"type": "unknown"}, "optimizer"),
    to({"type": "unknown"}, "loss"),
    to({"type": "unknown"}, "schedule"),
    to(["fc.unknown"], "learns"),
    to({"decay": 2.0}, "averages"),
]


@pytest.mark.parametrize("change", WRONG)
def test_facts_that_are_none_are_refused(
    change: Callable[[Facts], None], saved: Any, tmp_path: Path
) -> None:
    folder = changed(saved, change, tmp_path)
    given = folder, small_run.DATA, small_run.VALIDATION
    with pytest.raises(FileError, match=r"state\.safetensors: "):
        resume(*given, augment=small_run.AUGMENT)
    state, untouched = small_run.new_state(), small_run.new_state()
    try:
        restore(state, folder)
    except FileError:
        assert state.epoch == state.step == 0
        assert small_run.equal(state.model.state_dict(), untouched.model.state_dict())


@pytest.mark.parametrize("missing", ["shards", "sync_batch_norm", "metrics", "choices"])
def test_what_earlier_versions_did_not_write_may_be_missing(
    missing: str, saved: Any, tmp_path: Path
) -> None:
    folder = changed(saved, lambda facts: facts.pop(missing), tmp_path)
    given = folder, small_run.DATA, small_run.VALIDATION
    state = resume(*given, augment=small_run.AUGMENT)
    assert (state.epoch, state.step) == (1, 3)
    assert state.shards is None
    assert not state.sync_batch_norm
    assert state.choices == {}


@pytest.mark.parametrize(
    "missing", ["epoch", "model", "dtype", "history", "best", "data", "averages", "engine"]
)
def test_what_every_version_wrote_may_not(missing: str, saved: Any, tmp_path: Path) -> None:
    folder = changed(saved, lambda facts: facts.pop(missing), tmp_path)
    with pytest.raises(FileError, match="the file is not a valid checkpoint"):
        resume(folder, small_run.DATA, small_run.VALIDATION, augment=small_run.AUGMENT)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("learns", ["fc.weight"], "a different list of parameters that learn$"),
        ("metrics", ["top_5"], r"a different list of metrics: \['top_5'\], not \[\]"),
        ("shards", 4, "a different number of shards: 4, not None"),
        ("sync_batch_norm", True, "a different choice of statistics in batch normalisation: True"),
        ("schedule", {"type": "Constant"}, "a different schedule: "),
    ],
)
def test_the_setting_that_differs_is_named_in_words(
    name: str, value: Any, said: str, saved: Any, tmp_path: Path
) -> None:
    folder = changed(saved, to(value, name), tmp_path)
    with pytest.raises(FileError, match=said):
        restore(small_run.new_state(), folder)


def test_numbers_of_numpy_are_written_and_other_things_are_not() -> None:
    assert python_number(np.float32(0.5)) == 0.5
    assert json.dumps({"a": np.int64(3)}, default=python_number) == '{"a": 3}'
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        json.dumps({"a": object()}, default=python_number)
