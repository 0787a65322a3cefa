"""What is compiled before the first step is what the run computes, and the run stays new."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import small_run
from pellucid import training
from pellucid.parallel import Team
from pellucid.training import TrainingState, records, rehearsal
from pellucid.training.rehearsal import warm_up
from small_run import DATA, VALIDATION


@pytest.fixture
def rehearsed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Each call that is rehearsed, with its number of samples; all are made."""
    found: list[tuple[str, int]] = []

    def compile_ahead(calls: Any) -> str:
        for call in calls:
            found.append((call.func.__name__, samples(call)))
            call()
        return "done"

    monkeypatch.setattr(rehearsal, "compile_ahead", compile_ahead)
    return found


def samples(call: Callable[[], Any]) -> int:
    assert isinstance(call, partial)
    batches = [given for given in call.args if isinstance(given, tuple)]
    return len(batches[0][0]) if batches else 0


def test_batches_of_all_sizes_in_training_and_validation(rehearsed: list[tuple[str, int]]) -> None:
    state = small_run.new_state()  # 60 and 20 images in batches of 8
    records(state, DATA, VALIDATION)
    steps, judged = [("take_step", 8), ("take_step", 4)], [("_judge", 8), ("_judge", 4)]
    assert rehearsed == steps + judged


def test_where_all_batches_are_alike_one_is_rehearsed(rehearsed: list[tuple[str, int]]) -> None:
    records(small_run.simple_state(batch_size=60), DATA)
    assert rehearsed == [("take_step", 60)]


def test_a_rehearsal_leaves_the_run_as_it_was(rehearsed: list[tuple[str, int]]) -> None:
    state, untouched = small_run.new_state(), small_run.new_state()
    records(state, DATA, VALIDATION)
    assert rehearsed
    assert (state.epoch, state.step, state.sums.seen, state.history) == (0, 0, 0, ())
    assert small_run.equal(state.model.state_dict(), untouched.model.state_dict())
    assert small_run.equal(state.optimizer.state_dict(), untouched.optimizer.state_dict())


def test_a_run_that_goes_on_rehearses_the_epoch_it_is_in(
    rehearsed: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    state, drawn = small_run.simple_state(), []
    state.epoch = 1
    shuffled = training.batches.ArraySource.shuffled

    def watched(self: Any, epoch: int, seed: int, start: int = 0) -> Any:
        drawn.append((epoch, start))
        return shuffled(self, epoch, seed, start)

    monkeypatch.setattr(training.batches.ArraySource, "shuffled", watched)
    records(state, DATA)
    assert drawn == [(1, 0), (1, 3)]


def test_a_finished_run_rehearses_nothing(rehearsed: list[tuple[str, int]]) -> None:
    state = small_run.simple_state(epochs=1)
    state.epoch = 1
    assert list(records(state, DATA)) == []
    assert rehearsed == []


def test_data_that_give_batches_are_left_alone(rehearsed: list[tuple[str, int]]) -> None:
    given = small_run.Given()
    records(small_run.simple_state(), given, small_run.Given())
    assert rehearsed == []
    assert given.asked == []


def test_what_comes_after_training_is_rehearsed_with_a_copy_of_the_model(
    rehearsed: list[tuple[str, int]],
) -> None:
    state, models = small_run.simple_state(), []

    def afterwards(model: Any) -> Any:
        models.append(model)
        return [partial(int), partial(int)]

    assert warm_up(state, DATA, VALIDATION, afterwards) == "done"
    assert rehearsed[-2:] == [("int", 0), ("int", 0)]
    (model,) = models
    assert model is not state.model
    assert model.describe() == state.model.describe()


@pytest.mark.parametrize("together", [False, True])
def test_of_shards_one_of_each_size_is_rehearsed(
    together: bool, rehearsed: list[tuple[str, int]]
) -> None:
    """Batches of 16 in 3 shards of 5 and 6, and at the end 12 in 3 of 4."""
    state = small_run.simple_state()
    records(state, DATA, None, Team(shards=3, sync_batch_norm=together))
    name = "_in_lockstep" if together else "take_step"
    assert sorted(rehearsed) == [(name, 4), (name, 5), (name, 6)]


def test_weights_of_samples_are_part_of_a_batch(rehearsed: list[tuple[str, int]]) -> None:
    state: TrainingState = small_run.simple_state()
    x = DATA.images.astype("float32")
    weights = DATA.labels + 1.0
    data = (x, DATA.labels, weights)
    records(state, data, data, Team(shards=3, sync_batch_norm=True))
    assert {name for name, _ in rehearsed} == {"_in_lockstep", "_judge"}
