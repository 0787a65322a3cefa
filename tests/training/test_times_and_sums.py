"""The numbers of an epoch follow from those of its steps, and times from the clock."""

import inspect
import itertools
from dataclasses import replace

import numpy as np
import pytest

import small_run
from pellucid import layers as nn
from pellucid import losses, optim
from pellucid.data.augment import RandomFlip
from pellucid.errors import PellucidError, TrainingError
from pellucid.training import Epoch, History, Step, TrainingState, find_rate, loop, metrics, records
from pellucid.training.batches import ArraySource
from pellucid.training.prepare import prepare
from pellucid.training.state import Sums
from small_run import DATA, VALIDATION


def test_times_are_those_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock takes a second: two for a step, two for validation."""
    ticks = itertools.count(100.0)
    monkeypatch.setattr(loop, "clock", lambda: next(ticks))
    compiled = iter([5.0, 7.0, 7.0, 10.0, 10.0])
    monkeypatch.setattr(loop.compiling, "spent", lambda: next(compiled))
    told = list(records(small_run.simple_state(), DATA, VALIDATION))
    assert [step.seconds for step in told if isinstance(step, Step)] == [1.0] * 8
    for epoch, compiling in zip(told[4::5], (2.0, 3.0), strict=True):
        assert isinstance(epoch, Epoch)
        assert epoch.seconds == 4 + 1
        assert epoch.images_per_second == 60 / 4
        assert epoch.compiling == compiling


def test_steps_say_what_they_were_computed_from() -> None:
    state = small_run.simple_state(metrics=metrics.chosen(["top_2"]))
    told = [record for record in records(state, DATA) if isinstance(record, Step)]
    assert [step.samples for step in told] == [16, 16, 16, 12] * 2
    assert all(step.metrics.keys() == {"top_2"} for step in told)
    assert all(step.epochs == 2 and step.steps == 4 for step in told)


def test_sums_weigh_the_loss_by_weights_and_metrics_by_the_samples_that_count() -> None:
    sums = Sums()
    sums.add(2.0, 3, 10, 4.0, 5.0, 0.5, {"a": 1.0})
    sums.add(4.0, 1, 30, 12.0, 15.0, 0.25, {"a": 2.0, "b": 4.0})
    assert (sums.loss, sums.correct, sums.seen, sums.counted, sums.seconds) == (70, 4, 40, 16, 0.75)
    assert (sums.mean_loss, sums.accuracy) == (3.5, 0.25)
    assert sums.mean_metrics == {"a": 28 / 16, "b": 48 / 16}
    sums.add(1.0, None, 1, 1.0, 1.0)
    sums.add(1.0, 1, 1, 1.0, 1.0)
    assert sums.correct is None
    assert sums.accuracy is None
    assert sums.seconds == 0.75


def test_where_nothing_counts_the_loss_is_0_and_there_is_no_accuracy() -> None:
    assert (Sums().mean_loss, Sums().accuracy) == (0.0, None)
    model = nn.Sequential(nn.Linear(4, 3))
    data = np.eye(4, dtype=np.float32), np.full(4, -100)
    state = TrainingState(
        model, optim.SGD(model.parameters()), losses.CrossEntropy(ignore_index=-100), batch_size=2
    )
    for record in records(state, data, data):
        assert (record.loss, record.accuracy) == (0.0, None)


def test_a_state_without_parameters_computes_in_float32() -> None:
    state = TrainingState(nn.Flatten(), optim.SGD([nn.Linear(1, 1).weight]))
    assert state.dtype == np.float32
    assert not state.finished
    state.epoch = 1
    assert state.finished


def test_a_run_is_made_from_its_settings_alone() -> None:
    assert list(inspect.signature(TrainingState).parameters) == [
        *("model", "optimizer", "loss", "batch_size", "epochs", "schedule", "augment", "seed"),
        *("averages", "shards", "metrics", "recompute", "sync_batch_norm", "selection"),
    ]
    state = small_run.simple_state()
    assert (state.epoch, state.step, state.history, state.compiled_before) == (0, 0, (), 0.0)
    assert (state.best, state.data, state.choices, state.sums) == (None, None, {}, Sums())


def test_the_averages_are_used_where_no_epoch_was_the_best() -> None:
    state = small_run.new_state(epochs=1)
    for _ in records(state, DATA):
        pass
    assert state.averages is not None
    expected = {name: value.copy() for name, value in state.averages.values.items()}
    state.use_best()
    assert small_run.equal(state.model.state_dict(), expected)


def test_augmentation_is_told_the_number_of_classes_if_outputs_are_classes() -> None:
    source, validating = prepare(small_run.simple_state(), DATA, VALIDATION)
    assert isinstance(source, ArraySource)
    assert isinstance(validating, ArraySource)
    assert source.classes == validating.classes == 3
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1))
    sgd = optim.SGD(model.parameters())
    state = TrainingState(model, sgd, losses.mean_squared_error, augment=RandomFlip())
    x = DATA.images.astype(np.float32)
    source, _ = prepare(state, (x, x))
    assert isinstance(source, ArraySource)
    assert source.classes == 0


def test_a_table_without_epochs_has_its_columns() -> None:
    table = History().to_pandas()
    assert len(table) == 0
    assert table.index.name == "epoch"
    assert list(table.columns) == History().columns()[1:]
    epoch = Epoch(1, 9, 3, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0, 60.0, False, {"top_5": 0.5})
    assert list(History([epoch]).to_pandas().columns) == [*History().columns()[1:], "top_5"]


# Metrics


Y = np.array([[0.5, 0.25, 0.125], [0.25, 0.5, 0.75]])


@pytest.mark.parametrize(
    ("name", "targets", "expected"),
    [
        ("top_1", np.array([0, 1]), 0.5),
        ("top1", np.array([0, 1]), 0.5),
        ("Top-2", np.array([0, 1]), 1.0),
        ("top_2", np.array([2, 1]), 0.5),
        ("top_2", np.eye(3)[[2, 1]], 0.5),
        ("mean_absolute_error", np.array([[0.0, 0.25, 0.125], [0.25, 0.5, 0.0]]), 1.25 / 6),
        ("mean-squared-error", np.array([[0.0, 0.25, 0.125], [0.25, 0.5, 0.0]]), 0.8125 / 6),
        ("mean_absolute_error", np.zeros(6), Y.sum() / 6),
    ],
)
def test_metrics_by_name(name: str, targets: np.ndarray, expected: float) -> None:
    ((_, metric),) = metrics.chosen(name).items()
    assert metric(Y, targets) == pytest.approx(expected)


def test_metrics_are_named_as_they_are_written_or_by_their_function() -> None:
    class Own:
        def __call__(self, outputs: np.ndarray, targets: np.ndarray) -> float:
            return 3.0

    given = ["Top5", "mean-squared-error", "accuracy", Own(), np.max]
    assert list(metrics.chosen(given)) == ["top_5", "mean_squared_error", "Own", "max"]
    assert metrics.measured(metrics.chosen(Own()), Y, Y, losses.MeanSquaredError()) == {"Own": 3.0}
    assert metrics._METRICS["accuracy"](Y, np.array([0, 1])) == 0.5


@pytest.mark.parametrize("name", ["top_0", "top_", "top_5x", "top_05", "f1"])
def test_names_of_no_metric_are_refused(name: str) -> None:
    with pytest.raises(TrainingError, match=r"unknown metric .* or a function of"):
        metrics.chosen(name)


def test_what_is_neither_a_name_nor_a_function_is_no_metric() -> None:
    with pytest.raises(TrainingError, match=r"must be a name or a function .* not 3"):
        metrics.chosen([3])  # type: ignore[list-item]
    with pytest.raises(TrainingError, match="must return one number"):
        metrics.measured({"text": lambda *_: "a"}, Y, Y, losses.MeanSquaredError())  # type: ignore[dict-item, return-value]


# The range test


def searched(**options: float) -> object:
    model = small_run.network()
    return find_rate(
        model, DATA, optimizer=optim.Adam(model.parameters()), batch_size=10, **options
    )


def test_the_suggestion_is_where_a_line_through_neighbours_falls_most_steeply() -> None:
    found = searched(steps=30, low=1e-4, high=1.0)
    slopes = [
        np.polyfit(range(7), found.losses[i : i + 7], 1)[0] for i in range(len(found.rates) - 6)
    ]
    assert found.suggestion == found.rates[int(np.argmin(slopes)) + 3]


def test_it_ends_when_the_smoothed_loss_is_four_times_its_lowest() -> None:
    found = searched(steps=60, low=1e-4, high=1e4)
    assert len(found.rates) < 60
    lowest = np.minimum.accumulate(found.smoothed)
    assert (found.smoothed[:-1] <= 4 * lowest[:-1]).all()
    assert found.smoothed[-1] > 4 * lowest[-1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"low": 2.0, "high": 2.0}, "low 2.0, high 2.0"),
        ({"low": -1.0}, "low -1.0"),
        ({"steps": 9}, "steps 9"),
    ],
)
def test_rates_that_do_not_increase_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(PellucidError, match=said):
        searched(**wrong)


def test_ten_steps_are_enough() -> None:
    assert len(searched(steps=10, low=1e-3, high=1e-2).rates) == 10


def test_better_is_more_accurate_or_as_accurate_with_less_loss() -> None:
    epoch = Epoch(1, 9, 3, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0, 60.0, False)
    better = loop.better
    assert better(epoch, None)
    assert not better(epoch, epoch)
    assert better(replace(epoch, validation_accuracy=0.75, validation_loss=2.0), epoch)
    assert not better(replace(epoch, validation_accuracy=0.25, validation_loss=0.5), epoch)
    assert better(replace(epoch, validation_loss=0.5), epoch)
    plain = replace(epoch, validation_accuracy=None)
    assert better(replace(plain, validation_loss=0.5), plain)
    assert not better(replace(plain, validation_loss=1.5), plain)
    for none in (None, float("nan"), float("inf")):
        assert not better(replace(epoch, validation_loss=none), None)
