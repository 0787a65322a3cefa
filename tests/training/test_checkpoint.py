"""A checkpoint holds a whole run, and loading one changes nothing unless everything fits."""

import errno
import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import small_run
from pellucid import engine, losses, optim
from pellucid import layers as nn
from pellucid.errors import FileError, TrainingError
from pellucid.training import (
    TrainingState,
    checkpoint,
    checkpoint_contents,
    checkpoint_file,
    records,
    restore,
    resume,
    save_checkpoint,
    save_checkpoints,
    saved_optimizer,
    stop_early,
)
from pellucid.training.checkpoint_file import checkpoint_path

DATA, VALIDATION, AUGMENT = small_run.DATA, small_run.VALIDATION, small_run.AUGMENT


def run(state: TrainingState, count: int | None = None) -> TrainingState:
    """Draw `count` records, or all that there are."""
    for _ in islice(records(state, DATA, VALIDATION), count):
        pass
    return state


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The folder of a run saved in the middle of its second epoch."""
    save_checkpoint(run(small_run.new_state(), 12), tmp_path)
    return tmp_path


def resumed(folder: Path) -> TrainingState:
    return resume(folder, DATA, VALIDATION, augment=AUGMENT)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 12, 18, 26, 27])
def test_a_run_resumed_after_any_record_ends_as_if_it_had_not_stopped(
    count: int, tmp_path: Path
) -> None:
    """8 steps and an epoch's end, three times: 8 is after the last step, before the end."""
    whole = small_run.outcome(run(small_run.new_state()))
    save_checkpoint(run(small_run.new_state(), count), tmp_path)
    assert small_run.equal(small_run.outcome(run(resumed(tmp_path))), whole)


def test_what_is_resumed_is_what_was_saved(saved: Path) -> None:
    before, after = run(small_run.new_state(), 12), resumed(saved)
    assert (after.epoch, after.step, after.epochs) == (before.epoch, before.step, before.epochs)
    assert replace(after.sums, seconds=0.0) == replace(before.sums, seconds=0.0)
    assert after.model.describe() == before.model.describe()
    assert after.model.preprocessing == before.model.preprocessing
    assert after.model.classes == ("top", "middle", "bottom")
    assert after.model.input_shape == (1, 6, 6)
    assert after.optimizer.describe() == before.optimizer.describe()
    assert after.loss == before.loss
    assert after.schedule == before.schedule
    assert small_run.equal(small_run.outcome(after), small_run.outcome(before))


def test_a_run_in_float64_on_plain_arrays_without_validation_resumes_too(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    data = generator.normal(size=(20, 3)), generator.normal(size=(20, 2))

    def state() -> TrainingState:
        model = nn.Sequential(nn.Linear(3, 2)).astype("float64")
        sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        return TrainingState(model, sgd, losses.mean_squared_error, batch_size=4, epochs=3)

    whole, half = state(), state()
    for _ in records(whole, data):
        pass
    for _ in islice(records(half, data), 8):
        pass
    save_checkpoint(half, tmp_path)
    again = resume(tmp_path, data)
    for _ in records(again, data):
        pass
    for name, value in whole.model.state_dict().items():
        assert value.dtype == np.float64
        np.testing.assert_array_equal(again.model.state_dict()[name], value)


def test_parameters_that_do_not_learn_do_not_learn_after_resuming(tmp_path: Path) -> None:
    model = small_run.network()
    state = TrainingState(model, optim.SGD(model["fc"].parameters()), epochs=2)
    for _ in islice(records(state, DATA), 1):
        pass
    save_checkpoint(state, tmp_path)
    again = resume(tmp_path, DATA)
    for _ in records(again, DATA):
        pass
    np.testing.assert_array_equal(
        again.model.state_dict()["conv1.weight"], model.state_dict()["conv1.weight"]
    )
    assert (again.model.state_dict()["fc.weight"] != model.state_dict()["fc.weight"]).any()


def test_restoring_brings_a_run_that_was_set_up_alike_to_where_the_other_was(saved: Path) -> None:
    state = small_run.new_state(seed=5)
    restore(state, saved)
    whole = small_run.outcome(run(small_run.new_state()))
    assert small_run.equal(small_run.outcome(run(state)), whole)


def test_a_restored_run_may_have_more_epochs_before_it(saved: Path) -> None:
    state = small_run.new_state(epochs=4)
    restore(state, saved)
    assert [epoch.epoch for epoch in run(state).history] == [1, 2, 3, 4]


# What does not fit


def other_model() -> TrainingState:
    state = small_run.new_state()
    state.model = small_run.network(dropout=0.3)
    state.optimizer = optim.Adam(state.model.parameters(), lr=0.01)
    return state


def with_change(change: Callable[[TrainingState], None]) -> Callable[[], TrainingState]:
    def make() -> TrainingState:
        state = small_run.new_state()
        change(state)
        return state

    return make


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (other_model, "a different model$"),
        (with_change(lambda s: s.model.astype("float64") and None), "type of numbers: float32"),
        (
            with_change(lambda s: setattr(s, "optimizer", optim.Adam(s.model.parameters(), 0.1))),
            "a different optimizer: ",
        ),
        (
            with_change(lambda s: setattr(s, "optimizer", optim.Adam(s.optimizer.parameters[1:]))),
            "a different (optimizer|list of parameters)",
        ),
        (with_change(lambda s: setattr(s, "loss", losses.cross_entropy)), "a different loss: "),
        (with_change(lambda s: setattr(s, "augment", None)), "a different augmentation: .*Mixup"),
        (with_change(lambda s: setattr(s, "averages", None)), "a different average of the weights"),
        (with_change(lambda s: setattr(s.averages, "warm_up", True)), "a different average of the"),
        (with_change(lambda s: setattr(s, "batch_size", 4)), "a different batch size: 8, not 4"),
        (with_change(lambda s: setattr(s, "seed", 4)), "a different seed: 5, not 4"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_and_nothing_is_changed(
    make: Callable[[], TrainingState], said: str, saved: Path
) -> None:
    state, untouched = make(), make()
    with pytest.raises(FileError, match=said):
        restore(state, saved)
    assert state.epoch == state.step == 0
    assert state.optimizer.steps == 0
    for name, value in untouched.model.state_dict().items():
        np.testing.assert_array_equal(state.model.state_dict()[name], value)


@pytest.mark.parametrize("part", ["optimizer", "averages", "model"])
def test_a_checkpoint_that_lacks_values_is_refused_and_nothing_is_changed(
    part: str, tmp_path: Path
) -> None:
    began = run(small_run.new_state(epochs=1))
    setattr(getattr(began, part), "state_dict", dict)  # noqa: B010, it is a method
    save_checkpoint(began, tmp_path)
    state, untouched = small_run.new_state(), small_run.new_state()
    with pytest.raises(FileError):
        restore(state, tmp_path)
    assert state.epoch == state.step == state.optimizer.steps == 0
    assert small_run.equal(state.model.state_dict(), untouched.model.state_dict())


def test_a_run_on_other_data_is_refused(saved: Path) -> None:
    changed = DATA.images.copy()
    changed[0] += 1
    others = [
        (replace(DATA, images=changed), VALIDATION, "training"),
        (DATA.subset(np.arange(59)), VALIDATION, "training"),
        (DATA.subset(np.arange(60)[::-1]), VALIDATION, "training"),
        (replace(DATA, labels=(DATA.labels + 1) % 3), VALIDATION, "training"),
        (DATA, None, "validation"),
        (DATA, DATA, "validation"),
    ]
    for data, validation, which in others:
        with pytest.raises(FileError, match=f"started with other {which} data"):
            resume(saved, data, validation, augment=AUGMENT)
        state = resumed(saved)
        with pytest.raises(FileError, match=f"started with other {which} data"):
            records(state, data, validation)


@pytest.mark.parametrize("image", [0, 1, 29, 58, 59])
def test_one_image_that_differs_makes_other_data(image: int, saved: Path) -> None:
    changed = DATA.images.copy()
    changed[image, 0, 3, 4] += 1
    with pytest.raises(FileError, match="started with other training data"):
        resume(saved, replace(DATA, images=changed), VALIDATION, augment=AUGMENT)


def test_the_augmentation_has_to_be_given_again(saved: Path) -> None:
    with pytest.raises(FileError, match=r"a different augmentation: .*RandomCrop.*, not None"):
        resume(saved, DATA, VALIDATION)


def test_another_engine_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(checkpoint_contents, "engine", SimpleNamespace(setting=lambda: "another"))
        save_checkpoint(run(small_run.new_state(), 1), tmp_path)
    with pytest.warns(UserWarning, match=f"'another' and continues with '{engine.name()}'"):
        resumed(tmp_path)


# Damage


def test_where_there_is_no_checkpoint_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"there is no checkpoint .*state.safetensors"):
        resumed(tmp_path)


def test_a_file_cut_off_anywhere_is_refused(saved: Path) -> None:
    path = checkpoint_path(saved)
    whole = path.read_bytes()
    for length in [0, 1, 7, 8, 100, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(FileError, match=r"state\.safetensors"):
            resumed(saved)


def test_a_single_bit_that_flipped_is_noticed(saved: Path) -> None:
    path = checkpoint_path(saved)
    whole = path.read_bytes()
    for at in np.random.default_rng().choice(len(whole), 200, replace=False):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << (at % 8)
        path.write_bytes(damaged)
        with pytest.raises(FileError, match=r"state\.safetensors"):
            resumed(saved)


def test_a_header_that_promises_more_than_there_is_is_not_believed(saved: Path) -> None:
    path = checkpoint_path(saved)
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    for length in (len(header), 2**62):
        path.write_bytes(struct.pack("<Q", length) + header.encode())
        with pytest.raises(FileError, match="damaged"):
            resumed(saved)


def test_a_model_file_is_no_checkpoint(saved: Path) -> None:
    from safetensors.numpy import save

    checkpoint_path(saved).write_bytes(save({"a": np.zeros(3)}))
    with pytest.raises(FileError, match="the file is not a checkpoint of a training run"):
        resumed(saved)


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as future:
        future.setattr(checkpoint_file, "_FORMAT", 2)
        save_checkpoint(run(small_run.new_state(), 1), tmp_path)
    with pytest.raises(FileError, match=r"has format 2, .* reads format 1: upgrade Pellucid"):
        resumed(tmp_path)


def test_a_full_disk_leaves_the_checkpoint_before(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = checkpoint_path(saved).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    state = resumed(saved)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left on device"):
        for _ in save_checkpoints(records(state, DATA, VALIDATION), state, saved, every=0.0):
            pass
    assert checkpoint_path(saved).read_bytes() == before
    assert list(checkpoint_path(saved).parent.iterdir()) == [checkpoint_path(saved)]


# When


def test_checkpoints_come_at_the_beginning_at_each_epochs_end_and_when_the_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at: list[tuple[int, int]] = []
    monkeypatch.setattr(
        checkpoint, "save_checkpoint", lambda state, _: at.append((state.epoch, state.step))
    )
    state = small_run.new_state()
    stopped = islice(records(state, DATA, VALIDATION), 20)
    for _ in save_checkpoints(stopped, state, tmp_path, every=1000.0):
        pass
    assert at == [(0, 0), (1, 0), (2, 0), (2, 2)]


def test_checkpoints_come_whenever_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    at: list[int] = []
    monkeypatch.setattr(checkpoint, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(checkpoint, "save_checkpoint", lambda state, _: at.append(state.step))
    state = small_run.new_state()
    for _ in save_checkpoints(islice(records(state, DATA), 7), state, tmp_path, every=3.0):
        pass
    assert at == [0, 3, 6, 7]


def test_a_run_is_saved_before_its_first_step(tmp_path: Path) -> None:
    state = small_run.new_state()
    drawn = save_checkpoints(records(state, DATA, VALIDATION), state, tmp_path, every=1e9)
    next(drawn)
    begun = resumed(tmp_path)
    assert (begun.epoch, begun.step) == (0, 0)
    whole = small_run.outcome(run(small_run.new_state()))
    assert small_run.equal(small_run.outcome(run(begun)), whole)
    drawn.close()


@pytest.mark.parametrize("end", ["break", "an error of the loop"])
def test_a_run_whose_records_are_no_longer_drawn_is_saved(tmp_path: Path, end: str) -> None:
    state = small_run.new_state()
    drawn = save_checkpoints(records(state, DATA, VALIDATION), state, tmp_path, every=1e9)
    try:
        for n, _ in enumerate(drawn, start=1):
            if n == 3 and end == "break":
                break
            if n == 3:
                raise OSError("the terminal is gone")
    except OSError:
        pass
    drawn.close()
    assert resumed(tmp_path).step == 3


def test_choices_made_by_timing_are_the_runs_own(tmp_path: Path) -> None:
    state = run(small_run.new_state(), 2)
    state.choices["a shape"] = "winograd4"
    save_checkpoint(state, tmp_path)
    assert resumed(tmp_path).choices == {"a shape": "winograd4"}


def test_nothing_is_saved_after_an_error(saved: Path) -> None:
    state = resumed(saved)
    before = checkpoint_path(saved).read_bytes()
    state.model["fc"].bias.value[...] = np.inf
    with pytest.raises(TrainingError):
        for _ in save_checkpoints(records(state, DATA, VALIDATION), state, saved, every=0.0):
            pass
    assert checkpoint_path(saved).read_bytes() == before


def test_a_run_that_stopped_early_stays_stopped(tmp_path: Path) -> None:
    def go(state: TrainingState) -> None:
        stopping = stop_early(records(state, DATA, VALIDATION), 1, "loss", history=state.history)
        for _ in save_checkpoints(stopping, state, tmp_path):
            pass

    state = small_run.new_state(epochs=50)
    state.optimizer.base_lr = 1e-30
    go(state)
    assert 1 < state.epoch < 50
    again = resumed(tmp_path)
    go(again)
    assert again.epoch == state.epoch


def test_the_optimiser_of_a_saved_run_comes_with_what_it_had_gathered(saved: Path) -> None:
    state = resumed(saved)
    model = nn.build(state.model.describe()).astype("float32")
    found = saved_optimizer(saved, model)
    assert found.describe() == state.optimizer.describe()
    assert found.steps == state.optimizer.steps == 11
    assert small_run.equal(found.state_dict(), state.optimizer.state_dict())
    assert found.learned[0] is next(iter(model.named_parameters().values()))


def test_the_optimiser_of_another_network_is_not_taken(saved: Path) -> None:
    with pytest.raises(FileError, match="which the run trained"):
        saved_optimizer(saved, nn.Sequential(nn.Flatten(), nn.Linear(36, 3)))
