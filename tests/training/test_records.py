"""What training tells of steps and epochs, and which epoch was the best."""

import dataclasses
import inspect
import math
from itertools import islice

import numpy as np
import pytest

import small_run
from pellucid import layers as nn
from pellucid import losses, optim
from pellucid.training import (
    Epoch,
    History,
    Step,
    TrainingState,
    fit,
    records,
    train,
)
from pellucid.training.accuracy import count_correct
from pellucid.training.batches import ArraySource
from pellucid.training.loop import measure
from pellucid.training.metrics import chosen, top_k_accuracy
from pellucid.training.records import better
from small_run import equal, simple_state

DATA, VALIDATION = small_run.DATA, small_run.VALIDATION
TEN = VALIDATION.subset(np.arange(10))


# Records


def test_a_run_tells_of_every_step_and_every_epoch() -> None:
    told = list(records(simple_state(), DATA, VALIDATION))
    kinds = [type(record) for record in told]
    assert kinds == ([Step] * 4 + [Epoch]) * 2
    steps = [record for record in told if isinstance(record, Step)]
    assert [(s.epoch, s.step) for s in steps] == [(e, s) for e in (1, 2) for s in (1, 2, 3, 4)]
    assert {(s.epochs, s.steps) for s in steps} == {(2, 4)}
    assert all(s.seconds > 0 and s.rate == 0.05 for s in steps)


def test_an_epochs_loss_and_accuracy_are_means_over_its_images() -> None:
    told = list(records(simple_state(epochs=1), DATA))
    steps, epoch = told[:-1], told[-1]
    sizes = np.array([16, 16, 16, 12])
    assert epoch.loss == pytest.approx(np.average([s.loss for s in steps], weights=sizes))
    accuracies = [s.accuracy for s in steps]
    assert epoch.accuracy == pytest.approx(np.average(accuracies, weights=sizes))


def test_targets_that_are_ignored_count_neither_in_weights_nor_in_means() -> None:
    generator = np.random.default_rng(0)
    x, labels = generator.normal(size=(40, 5)).astype("f4"), generator.integers(0, 3, 40)
    counted = np.arange(40) % 3 > 0
    parts = (x, np.where(counted, labels, -100)), (x[counted], labels[counted])
    runs = []
    for data in parts:
        model = nn.initialize(nn.Linear(5, 3), seed=1)
        last = list(
            train(
                model,
                data,
                validation=data,
                optimizer=optim.SGD(model.parameters(), lr=0.5),
                loss=losses.CrossEntropy(ignore_index=-100),
                batch_size=40,
                epochs=3,
            )
        )[-1]
        runs.append((last, model.weight.value))
    (ignoring, weight), (without, expected) = runs
    np.testing.assert_allclose(weight, expected, rtol=1e-5)
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        assert getattr(ignoring, name) == pytest.approx(getattr(without, name), rel=1e-5)


def test_a_mean_over_batches_of_which_some_ignore_more_is_that_over_all_targets() -> None:
    generator = np.random.default_rng(1)
    x, labels = generator.normal(size=(20, 5)).astype("f4"), generator.integers(0, 3, 20)
    labels[:10] = -100
    model, loss = nn.Linear(5, 3), losses.CrossEntropy(ignore_index=-100)
    found = measure(model, loss, ArraySource(x, labels, batch_size=6))
    assert found.mean_loss == pytest.approx(loss(model(x), labels)[0], rel=1e-6)
    right = (model(x).argmax(axis=1) == labels).sum()
    assert found.accuracy == pytest.approx(right / 10)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", [None, -1])
@pytest.mark.parametrize("class_weights", [None, (1.0, 5.0, 0.2)])
def test_the_loss_of_an_epoch_is_that_of_all_its_samples_whatever_the_batches(
    weighted: bool, ignored: int | None, class_weights: tuple[float, ...] | None
) -> None:
    generator = np.random.default_rng(2)
    x, labels = generator.normal(size=(23, 5)).astype("f4"), generator.integers(0, 3, 23)
    labels = np.where(np.arange(23) % 4 == 1, -1, labels) if ignored else labels
    loss = losses.CrossEntropy(class_weights=class_weights, ignore_index=ignored)
    weights = (generator.random(23) + 0.01,) if weighted else ()
    model = nn.initialize(nn.Linear(5, 3), seed=1)
    expected, _ = loss(model(x), labels, *weights)
    data = (x, labels, *weights)
    still = optim.SGD(model.parameters(), lr=1e-30)
    (epoch,) = train(model, data, validation=data, optimizer=still, loss=loss, batch_size=8)
    assert epoch.loss == pytest.approx(expected, rel=1e-5)
    assert epoch.validation_loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("ignored", [-1, -100, 2])
def test_targets_that_are_ignored_count_in_no_metric(ignored: int) -> None:
    generator = np.random.default_rng(3)
    x, labels = generator.normal(size=(20, 5)).astype("f4"), generator.integers(0, 2, 20)
    labels[:9] = ignored
    model, loss = nn.Linear(5, 3), losses.CrossEntropy(ignore_index=ignored)
    metrics = chosen(["top_1", "top_2"])
    found = measure(model, loss, ArraySource(x, labels, batch_size=6), metrics)
    for k in (1, 2):
        expected = top_k_accuracy(model(x[9:]), labels[9:], k)
        assert found.mean_metrics[f"top_{k}"] == pytest.approx(expected)


def test_pixels_that_are_ignored_count_in_no_metric() -> None:
    generator = np.random.default_rng(4)
    x, labels = (
        generator.normal(size=(7, 2, 4, 3)).astype("f4"),
        generator.integers(0, 3, (7, 4, 3)),
    )
    labels[generator.random(labels.shape) < 0.4] = -1
    labels[0] = -1
    model, loss = nn.Conv2d(2, 3, 1), losses.CrossEntropy(ignore_index=-1)
    found = measure(model, loss, ArraySource(x, labels, batch_size=3), chosen("top_2"))
    rows = np.moveaxis(model(x), 1, -1)[labels >= 0]
    assert found.mean_metrics["top_2"] == pytest.approx(
        top_k_accuracy(rows, labels[labels >= 0], 2)
    )


def test_validation_is_that_of_the_network_at_the_epochs_end() -> None:
    state = simple_state(epochs=1)
    *_, epoch = records(state, DATA, VALIDATION)
    assert state.model.preprocessing is not None
    outputs = state.model(state.model.preprocessing(VALIDATION.images))
    loss, _ = losses.cross_entropy(outputs, VALIDATION.labels)
    assert isinstance(epoch, Epoch)
    assert epoch.validation_loss == pytest.approx(loss, rel=1e-5)
    assert epoch.validation_accuracy == np.mean(outputs.argmax(axis=1) == VALIDATION.labels)


def test_records_cannot_be_changed() -> None:
    for record in islice(records(simple_state(), DATA), 5):
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.loss = 0.0


def test_an_epoch_is_told_in_one_line() -> None:
    epoch = Epoch(3, 12, 4, 0.12345, 0.98765, 0.2, 0.9, 0.01, 2.0, 12345.6, best=True)
    assert str(epoch) == (
        "epoch  3/12 · loss 0.1235, accuracy 98.77 % · "
        "validation loss 0.2000, accuracy 90.00 % (best) · 2.0 s, 12,346 images/s"
    )
    plain = dataclasses.replace(epoch, accuracy=None, validation_loss=None, best=False)
    assert str(plain) == "epoch  3/12 · loss 0.1235 · 2.0 s, 12,346 images/s"


def test_a_history_is_a_sequence_and_a_table() -> None:
    history = History(
        record for record in records(simple_state(), DATA) if isinstance(record, Epoch)
    )
    assert len(history) == 2
    assert history[-1].epoch == 2
    assert [epoch.epoch for epoch in history[:1]] == [1]
    assert str(history).count("\n") == 1
    frame = history.to_pandas()
    assert list(frame.index) == [1, 2]
    assert list(frame["loss"]) == [epoch.loss for epoch in history]


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "expected"),
    [
        (losses.cross_entropy, [[1.0, 2.0], [2.0, 1.0]], np.array([1, 1]), 1),
        (losses.cross_entropy, [[1.0, 2.0], [2.0, 1.0]], np.array([[0.4, 0.6], [0.7, 0.3]]), 2),
        (losses.binary_cross_entropy, [[1.0], [-1.0]], np.array([[1.0], [1.0]]), 1),
        (losses.binary_cross_entropy, [[0.1], [-0.1]], np.array([[1.0], [0.0]]), 2),
        (losses.binary_cross_entropy, [[1.0, 1.0]], np.array([[1.0, 1.0]]), None),
        (losses.mean_squared_error, [[1.0, 2.0]], np.array([[1.0, 2.0]]), None),
    ],
)
def test_answers_are_counted_where_outputs_are_classes(
    loss: losses.Loss, outputs: list[list[float]], targets: np.ndarray, expected: int | None
) -> None:
    assert count_correct(loss, np.array(outputs), targets) == expected


# The best epoch


class ScriptedLoss(losses.Loss):
    """A loss that is told what to say of ten images of validation data."""

    def __init__(self, validation: list[float]) -> None:
        self.validation = iter(validation)

    def __call__(
        self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        value, gradient = losses.cross_entropy(outputs, targets)
        return (next(self.validation) if len(targets) == 10 else value), gradient


def test_the_best_epoch_is_the_best_on_validation_data_alone() -> None:
    state = simple_state(epochs=5, loss=ScriptedLoss([3.0, 2.0, math.nan, 1.5, 2.5]))
    weights = []
    history = []
    for record in records(state, DATA, TEN):
        if isinstance(record, Epoch):
            weights.append(state.model.state_dict())
            history.append(record)
    assert [epoch.best for epoch in history] == [True, True, False, True, False]
    assert min(epoch.loss for epoch in history) == history[-1].loss, "training goes on improving"
    assert state.best is not None
    assert state.best.epoch is history[3]
    assert equal(state.best.values, weights[3])
    state.use_best()
    assert equal(state.model.state_dict(), weights[3])


def test_accuracy_decides_before_loss() -> None:
    base = Epoch(1, 9, 1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0, 1.0, False)
    assert better(base, None)
    assert better(dataclasses.replace(base, validation_accuracy=0.6, validation_loss=9.0), base)
    assert not better(dataclasses.replace(base, validation_accuracy=0.4, validation_loss=0.1), base)
    assert better(dataclasses.replace(base, validation_loss=0.9), base)
    assert not better(base, base)
    assert not better(dataclasses.replace(base, validation_loss=None), None)
    for loss in (math.inf, -math.inf, math.nan):
        assert not better(dataclasses.replace(base, validation_loss=loss), None)


def test_without_validation_nothing_is_best_and_the_last_weights_stay() -> None:
    state = simple_state()
    history = [record for record in records(state, DATA) if isinstance(record, Epoch)]
    assert not any(epoch.best for epoch in history)
    last = state.model.state_dict()
    state.use_best()
    assert equal(state.model.state_dict(), last)


def test_there_is_no_way_in_for_a_test_set() -> None:
    for function in (train, fit, records, TrainingState):
        assert not [name for name in inspect.signature(function).parameters if "test" in name]


def test_fit_ends_with_the_best_weights_and_the_history(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, one = small_run.network(dropout=0.0), small_run.network(dropout=0.0)
    sgd = optim.SGD(model.parameters(), lr=0.05)
    script = ScriptedLoss([1.0, 2.0])
    history = fit(model, DATA, validation=TEN, optimizer=sgd, batch_size=16, epochs=2, loss=script)
    assert [epoch.best for epoch in history] == [True, False]
    assert [row.endswith("best") for row in capsys.readouterr().out.splitlines()[1:]] == [
        True,
        False,
    ]
    sgd = optim.SGD(one.parameters(), lr=0.05)
    (only,) = train(one, DATA, optimizer=sgd, batch_size=16)
    assert only.loss == history[0].loss
    assert equal(one.state_dict(), model.state_dict())
