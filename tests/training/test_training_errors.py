"""What training refuses, and what it does when numbers stop being numbers."""

import dataclasses
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

import small_run
from pellucid import layers as nn
from pellucid import losses, models, optim
from pellucid.data.augment import Mixup
from pellucid.errors import DataError, PellucidError, ShapeError, TrainingError
from pellucid.ops import mean_squared_error
from pellucid.training import (
    TrainingState,
    records,
    train,
)
from small_run import Given, equal, simple_state

DATA, VALIDATION = small_run.DATA, small_run.VALIDATION


# Numbers that stop being numbers


@dataclasses.dataclass(eq=False, repr=False)
class _Overflow(nn.Layer):
    """The identity, until the third step; then infinity, in the outputs or in the gradient."""

    where: str = "forward"

    def forward(self, x, training=None):
        bad = training is not None and (training.epoch, training.step) == (0, 2)
        factor = np.float32(np.inf if bad and self.where == "forward" else 1.0)
        return x * factor, bad and self.where == "backward"

    def backward(self, dy, cache, *, input_gradient=True):
        return dy * np.float32(np.inf if cache else 1.0)

    def output_shape(self, input_shape):
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
    assert equal(state.model.state_dict(), good.model.state_dict())
    assert equal(state.optimizer.state_dict(), good.optimizer.state_dict())
    assert equal(state.averages.state_dict(), good.averages.state_dict())
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


class NoBatches(list):  # type: ignore[type-arg]
    def batches(self, epoch: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return iter(self)


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
        (NoBatches(), DataError, "the training data is empty: it yields no batches"),
        ((spoilt(), np.zeros(3000, int)), DataError, "NaN or infinity, first at number 2500"),
        ((images(), LABELS + 1), DataError, "labels .* from 1 to 3, but the model has 3 outputs"),
        ((images(), LABELS - 1), DataError, "labels .* from -1 to 1"),
        ((images(), LABELS / 3), ShapeError, "targets of the training data do not fit the model"),
        ((images(), np.full((8, 2), 0.5)), ShapeError, "targets .* do not fit the model"),
        ((images(), LABELS[:, None]), ShapeError, r"pass targets\[:, 0\]"),
        ((images(), np.array(list("abcabcab"))), DataError, "are text, such as"),
        ((images()[:, :, :5], LABELS), ShapeError, "fc"),
        ((np.zeros((8, 2, 6, 6), "f4"), LABELS), ShapeError, "conv1.*1 input channel"),
        (images(), DataError, "is a single array, without targets"),
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
        records(state, data)
    assert equal(state.model.state_dict(), before)
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
    with pytest.raises(PellucidError, match="batch_size must be an integer of at least 1"):
        train(model, DATA, optimizer=sgd, batch_size=0)


def test_an_optimiser_of_another_model_is_told() -> None:
    state = simple_state()
    state.model = small_run.network()
    with pytest.raises(TrainingError, match=r"conv1.*is not a parameter of this model"):
        records(state, DATA)


def test_augmentation_needs_images() -> None:
    model = models.mlp((3,), 2)
    state = TrainingState(model, optim.SGD(model.parameters()), augment=Mixup())
    with pytest.raises(ShapeError, match=r"augmentation needs images .* shape \(8, 3\)"):
        records(state, (np.zeros((8, 3)), np.zeros(8, int)))


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64", "bool"])
def test_labels_are_integers_of_any_type(kind: str) -> None:
    labels = (np.arange(8) % 2).astype(kind)
    state, same = simple_state(epochs=1), simple_state(epochs=1)
    for run, targets in ((state, labels), (same, labels.astype(np.int64))):
        for _ in records(run, (images(), targets)):
            pass
    assert equal(state.model.state_dict(), same.model.state_dict())
    with pytest.raises(DataError, match="labels of the training data run from"):
        records(simple_state(), (images(), np.full(8, 2**64 - 1, np.uint64)))


def test_targets_of_one_number_for_outputs_of_one_column_are_told_how_to_fit() -> None:
    with pytest.raises(ShapeError, match=r"pass targets\[:, None\]"):
        mean_squared_error(np.zeros((4, 1)), np.zeros(4))
