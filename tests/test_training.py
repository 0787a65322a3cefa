"""Training: what learns, what is told, what is refused."""

import dataclasses
import inspect
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import pellucid.training
import small_run
from pellucid import layers as nn
from pellucid import losses, models, optim
from pellucid.data import DataSet, load
from pellucid.data.augment import Mixup
from pellucid.errors import DataError, PellucidError, ShapeError, TrainingError
from pellucid.optim import schedules
from pellucid.preprocessing import Preprocessing
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

DATA, VALIDATION = small_run.DATA, small_run.VALIDATION
TEN = VALIDATION.subset(np.arange(10))


def simple_state(**changes: object) -> TrainingState:
    model = small_run.network(dropout=0.0)
    settings = {"batch_size": 16, "epochs": 2} | changes
    return TrainingState(model, optim.SGD(model.parameters(), lr=0.05, momentum=0.9), **settings)  # type: ignore[arg-type]  # by name


# It learns


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_a_multilayer_perceptron_learns_xor(activation: str) -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)
    model = models.mlp((2,), 1, hidden=8, activation=activation)
    adam = optim.Adam(model.parameters(), lr=0.05)
    *_, last = train(
        model, (x, y), optimizer=adam, loss=losses.mean_squared_error, epochs=400, batch_size=4
    )
    assert np.count_nonzero((model(x) > 0.5) != (y > 0.5)) == 0
    assert last.loss < 0.05
    assert last.accuracy is None


def test_a_small_network_reads_handwritten_digits() -> None:
    digits = load("digits")
    part, validation = digits.train.split(0.2, seed=0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    adam = optim.Adam(model.parameters(), lr=0.01)
    *_, last = train(model, part, validation=validation, optimizer=adam, batch_size=32, epochs=5)
    assert last.validation_accuracy is not None
    assert last.validation_accuracy > 0.95


def test_every_filter_of_every_layer_learns() -> None:
    model = nn.Sequential(
        conv1=nn.Conv2d(1, 6, 3, padding=1),
        bn1=nn.BatchNorm2d(6),
        tanh1=nn.Tanh(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 8, 2),
        tanh2=nn.Tanh(),
        flatten=nn.Flatten(),
        fc=nn.Linear(32, 3),
    )
    before = model.state_dict()
    list(train(model, DATA, optimizer=optim.SGD(model.parameters()), batch_size=60))
    after = model.state_dict()
    for name in model.named_parameters():
        changed = before[name] != after[name]
        if name != "conv1.bias":  # which the normalisation after it takes away again
            assert changed.reshape(len(changed), -1).any(axis=1).all(), name


# Randomness


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    def weights(seed: int) -> dict[str, np.ndarray]:
        state = small_run.new_state(epochs=1)
        state.seed = seed
        for _ in records(state, DATA):
            pass
        return state.model.state_dict()

    first, again, other = weights(1), weights(1), weights(2)
    assert small_run.equal(first, again)
    assert not np.array_equal(first["fc.weight"], other["fc.weight"])


def test_the_loop_leaves_numpys_global_random_state_alone() -> None:
    before = np.random.get_state(legacy=False)["state"]  # type: ignore[call-overload]
    for _ in records(small_run.new_state(epochs=1), DATA):
        pass
    after = np.random.get_state(legacy=False)["state"]  # type: ignore[call-overload]
    assert all(np.array_equal(before[key], after[key]) for key in before)


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
            record.loss = 0.0  # type: ignore[misc]  # which is what is tested


def test_an_epoch_is_told_in_one_line() -> None:
    epoch = Epoch(3, 12, 4, 0.12345, 0.98765, 0.2, 0.9, 0.01, 2.0, 12345.6, best=True)
    assert str(epoch) == (
        "epoch  3/12 · loss 0.1235, accuracy 98.77% · validation loss 0.2000, "
        "validation accuracy 90.00% (best) · 2.0 s, 12,346 images/s"
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
    frame = history.to_frame()
    assert list(frame.index) == [1, 2]
    assert list(frame["loss"]) == [epoch.loss for epoch in history]


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "expected"),
    [
        (losses.cross_entropy, [[1.0, 2.0], [2.0, 1.0]], np.array([1, 1]), 1),
        (losses.cross_entropy, [[1.0, 2.0], [2.0, 1.0]], np.array([[0.4, 0.6], [0.7, 0.3]]), 2),
        (losses.binary_cross_entropy, [[1.0], [-1.0]], np.array([[1.0], [1.0]]), 1),
        (losses.binary_cross_entropy, [[1.0, 1.0]], np.array([[1.0, 1.0]]), None),
        (losses.mean_squared_error, [[1.0, 2.0]], np.array([[1.0, 2.0]]), None),
    ],
)
def test_answers_are_counted_where_outputs_are_classes(
    loss: losses.Loss, outputs: list[list[float]], targets: np.ndarray, expected: int | None
) -> None:
    assert count_correct(loss, np.array(outputs), targets) == expected


# What the settings do


def test_the_rate_is_the_base_rate_times_the_schedule() -> None:
    state = simple_state(schedule=schedules.Cosine())
    told = list(records(state, DATA))
    rates = [record.rate for record in told if isinstance(record, Step)]
    expected = [0.05 * 0.5 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]
    np.testing.assert_allclose(rates, expected, atol=1e-12)
    assert [record.rate for record in told if isinstance(record, Epoch)] == rates[3::4]


def test_a_data_set_tells_the_model_how_it_is_preprocessed_and_what_it_shows() -> None:
    state = simple_state(epochs=1)
    for _ in records(state, DATA, VALIDATION):
        pass
    assert state.model.preprocessing == Preprocessing.fit(DATA.images)
    assert state.model.classes == ("top", "middle", "bottom")
    assert state.model.input_shape == (1, 6, 6)


def test_a_model_that_brings_its_preprocessing_keeps_it() -> None:
    state = simple_state(epochs=1)
    own = state.model.preprocessing = Preprocessing((1.0,), (2.0,))
    records(state, DATA)
    assert state.model.preprocessing is own


def test_a_pair_of_arrays_is_taken_as_it_is() -> None:
    state, by_hand = simple_state(epochs=1), simple_state(epochs=1)
    for _ in records(state, DATA):
        pass
    assert state.model.preprocessing is not None
    x = state.model.preprocessing(DATA.images)
    for _ in records(by_hand, (x, DATA.labels)):
        pass
    assert small_run.equal(state.model.state_dict(), by_hand.model.state_dict())
    assert by_hand.model.preprocessing is None


def test_averages_are_what_validation_measures_and_what_is_best() -> None:
    state = simple_state(epochs=1)
    state.averages = optim.ExponentialMovingAverage(dict(state.model.named_state()), decay=0.8)
    *_, epoch = records(state, DATA, VALIDATION)
    assert isinstance(epoch, Epoch)
    trained = state.model.state_dict()
    assert not np.array_equal(trained["fc.weight"], state.averages.values["fc.weight"])
    state.use_best()
    assert small_run.equal(state.model.state_dict(), state.averages.values)
    assert state.model.preprocessing is not None
    outputs = state.model(state.model.preprocessing(VALIDATION.images))
    loss, _ = losses.cross_entropy(outputs, VALIDATION.labels)
    assert epoch.validation_loss == pytest.approx(loss, rel=1e-5)


def test_mixed_targets_can_be_trained_on() -> None:
    told = list(records(simple_state(augment=Mixup()), DATA))
    assert all(record.accuracy is not None for record in told)


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
    assert small_run.equal(state.best.values, weights[3])
    state.use_best()
    assert small_run.equal(state.model.state_dict(), weights[3])


def test_accuracy_decides_before_loss() -> None:
    state = simple_state()
    base = Epoch(1, 9, 1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0, 1.0, False)
    from pellucid.training.records import better

    assert better(base, None)
    assert better(dataclasses.replace(base, validation_accuracy=0.6, validation_loss=9.0), base)
    assert better(dataclasses.replace(base, validation_loss=0.9), base)
    assert not better(base, base)
    assert not better(dataclasses.replace(base, validation_loss=None), None)
    assert state.best is None


def test_without_validation_nothing_is_best_and_the_last_weights_stay() -> None:
    state = simple_state()
    history = [record for record in records(state, DATA) if isinstance(record, Epoch)]
    assert not any(epoch.best for epoch in history)
    last = state.model.state_dict()
    state.use_best()
    assert small_run.equal(state.model.state_dict(), last)


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
    assert capsys.readouterr().out == f"{history[0]}\n{history[1]}\n"
    sgd = optim.SGD(one.parameters(), lr=0.05)
    (only,) = train(one, DATA, optimizer=sgd, batch_size=16)
    assert only.loss == history[0].loss
    assert small_run.equal(one.state_dict(), model.state_dict())


# Stopping and going on


def test_breaking_off_and_going_on_is_as_if_it_had_not_stopped() -> None:
    whole, broken = small_run.new_state(), small_run.new_state()
    for _ in records(whole, DATA, VALIDATION):
        pass
    while not broken.finished:
        for _ in islice(records(broken, DATA, VALIDATION), 5):
            pass
    assert small_run.equal(small_run.outcome(whole), small_run.outcome(broken))


class Given:
    """Data that gives batches by itself."""

    def __init__(self, gives: int = 3) -> None:
        self.gives = gives
        self.asked: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return 3

    def batches(self, epoch: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        self.asked.append((epoch, seed))
        generator = np.random.default_rng([seed, epoch])
        for _ in range(self.gives):
            yield generator.normal(size=(4, 1, 6, 6)).astype("f4"), generator.integers(0, 3, 4)


def test_anything_that_gives_batches_is_data() -> None:
    whole, broken, given = simple_state(seed=7), simple_state(seed=7), Given()
    assert len(list(records(whole, given))) == 8
    assert given.asked == [(0, 7), (1, 7)]
    for count in (2, 3, 9):
        for _ in islice(records(broken, Given()), count):
            pass
    assert small_run.equal(whole.model.state_dict(), broken.model.state_dict())


def test_data_that_gives_fewer_batches_than_promised_is_told() -> None:
    with pytest.raises(DataError, match="promised 3 batches an epoch and gave 2"):
        list(records(simple_state(), Given(gives=2)))


# Numbers that stop being numbers


@dataclasses.dataclass(eq=False, repr=False)
class _Overflow(nn.Layer):
    """The identity, until the third step; then infinity, in the outputs or in the gradient."""

    where: str = "forward"

    def forward(self, x, training=None):  # type: ignore[no-untyped-def]
        bad = training is not None and (training.epoch, training.step) == (0, 2)
        factor = np.float32(np.inf if bad and self.where == "forward" else 1.0)
        return x * factor, bad and self.where == "backward"

    def backward(self, dy, cache, *, input_gradient=True):  # type: ignore[no-untyped-def]
        return dy * np.float32(np.inf if cache else 1.0)

    def output_shape(self, input_shape):  # type: ignore[no-untyped-def]
        return input_shape


def failing(where: str) -> TrainingState:
    model = nn.Sequential(
        conv1=nn.Conv2d(1, 4, 3),
        bn1=nn.BatchNorm2d(4),
        branch=nn.Residual(nn.Sequential(inner=_Overflow(where))),
        flatten=nn.Flatten(),
        fc=nn.Linear(64, 3),
    )
    adam = optim.Adam(model.parameters())
    state = TrainingState(model, adam, batch_size=8)
    state.averages = optim.ExponentialMovingAverage(dict(model.named_state()))
    return state


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("forward", r"step 3: the loss is nan; .* is 'branch\.inner' \(_Overflow\)"),
        ("backward", r"step 3: a gradient is NaN .* going backwards, is bn1\.bias"),
    ],
)
def test_a_step_whose_numbers_are_not_finite_is_named_and_changes_nothing(
    where: str, said: str
) -> None:
    state, good = failing(where), failing(where)
    for _ in islice(records(good, DATA), 2):
        pass
    with pytest.raises(TrainingError, match=f"epoch 1, {said}.*as they were before this step"):
        list(records(state, DATA))
    assert (state.epoch, state.step, state.sums.seen) == (0, 2, 16)
    assert state.averages is not None
    assert good.averages is not None
    assert small_run.equal(state.model.state_dict(), good.model.state_dict())
    assert small_run.equal(state.optimizer.state_dict(), good.optimizer.state_dict())
    assert small_run.equal(state.averages.state_dict(), good.averages.state_dict())
    assert state.optimizer.lr == good.optimizer.lr


def test_a_rate_far_too_high_ends_in_an_error_that_names_a_layer() -> None:
    model = models.mlp((2,), 1, hidden=4, activation="relu")
    data = np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[:, :1]
    sgd = optim.SGD(model.parameters(), lr=1e6)
    with pytest.raises(TrainingError, match=r"fc1.*lower learning rate"):
        list(train(model, data, optimizer=sgd, loss=losses.mean_squared_error, epochs=50))


def test_inputs_that_are_not_finite_are_named_where_data_gives_batches() -> None:
    class Bad(Given):
        def batches(self, epoch: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for x, targets in super().batches(epoch, seed):
                x[0] = np.nan
                yield x, targets

    with pytest.raises(TrainingError, match="the inputs already are NaN or infinite"):
        list(records(simple_state(), Bad()))


# What is refused before the first step


def images(count: int = 8) -> np.ndarray:
    return np.zeros((count, 1, 6, 6), np.float32)


def spoilt() -> np.ndarray:
    x = images(3000)
    x[2500, 0, 3, 3] = np.nan
    return x


LABELS = np.arange(8) % 3


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        ((images(), LABELS[:-1]), ShapeError, "one target for each input"),
        ((images(0), LABELS[:0]), DataError, "the training data is empty"),
        ((spoilt(), np.zeros(3000, int)), DataError, "NaN or infinity, first in number 2500"),
        ((images(), LABELS + 1), DataError, "labels .* from 1 to 3, but the model has 3 outputs"),
        ((images(), LABELS - 1), DataError, "labels .* from -1 to 1"),
        ((images(), LABELS / 3), ShapeError, "targets of the training data do not fit the model"),
        ((images(), np.full((8, 2), 0.5)), ShapeError, "targets .* do not fit the model"),
        ((images(), np.array(list("abcabcab"))), DataError, "must be numbers, not of type"),
        ((images()[:, :, :5], LABELS), ShapeError, "fc"),
        ((np.zeros((8, 2, 6, 6), "f4"), LABELS), ShapeError, "conv1.*1 input channel"),
        (images(), DataError, "must be a data set .* not ndarray"),
        (
            dataclasses.replace(DATA, classes=("a", "b", "c", "d")),
            ShapeError,
            "the model has 3 outputs, but the training data has 4 classes",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused_before_the_first_step(
    data: object, kind: type[PellucidError], said: str
) -> None:
    state = simple_state()
    before = state.model.state_dict()
    with pytest.raises(kind, match=said):
        records(state, data)  # type: ignore[arg-type]  # which is what is tested
    assert small_run.equal(state.model.state_dict(), before)
    assert state.model.preprocessing is None


def test_validation_data_are_looked_at_before_the_first_step_too() -> None:
    bad = (images(), LABELS + 1)
    with pytest.raises(DataError, match="labels of the validation data"):
        records(simple_state(), (images(), LABELS), bad)
    with pytest.raises(DataError, match="must both be data sets"):
        records(simple_state(), DATA, (images(), LABELS))
    renamed = dataclasses.replace(VALIDATION, classes=("bottom", "middle", "top"))
    with pytest.raises(DataError, match="different classes"):
        records(simple_state(), DATA, renamed)


def test_a_misfit_is_told_when_train_is_called() -> None:
    model = small_run.network()
    sgd = optim.SGD(model.parameters())
    with pytest.raises(DataError, match="labels"):
        train(model, (images(), LABELS + 1), optimizer=sgd)
    with pytest.raises(TrainingError, match="at least 1, not 0 and 1"):
        train(model, DATA, optimizer=sgd, batch_size=0)


def test_augmentation_needs_images() -> None:
    model = models.mlp((3,), 2)
    state = TrainingState(model, optim.SGD(model.parameters()), augment=Mixup())
    with pytest.raises(ShapeError, match=r"augmentation needs images .* shape \(8, 3\)"):
        records(state, (np.zeros((8, 3)), np.zeros(8, int)))


def test_inputs_are_never_written_to() -> None:
    frozen = dataclasses.replace(DATA, images=DATA.images.copy(), labels=DATA.labels.copy())
    frozen.images.flags.writeable = frozen.labels.flags.writeable = False
    state = small_run.new_state(epochs=1)
    list(records(state, frozen))
    x = images()
    x.flags.writeable = False
    list(records(simple_state(), (x, LABELS)))


def test_the_package_offers_what_it_says() -> None:
    for name in pellucid.training.__all__:
        assert getattr(pellucid.training, name).__doc__ or name == "Record"


def test_a_run_of_one_step_has_everything(tmp_path: Path) -> None:
    one = DataSet(DATA.images[:1], DATA.labels[:1], DATA.classes)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    (epoch,) = train(model, one, optimizer=optim.SGD(model.parameters()))
    assert epoch.steps == 1
    assert epoch.accuracy in (0.0, 1.0)
