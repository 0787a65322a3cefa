"""Training: what learns, what the settings do, and that it can stop anywhere and go on."""

import dataclasses
import math
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
from pellucid.errors import DataError
from pellucid.optim import schedules
from pellucid.preprocessing import Preprocessing
from pellucid.training import (
    Epoch,
    Step,
    records,
    train,
)
from small_run import Given, equal, simple_state

DATA, VALIDATION = small_run.DATA, small_run.VALIDATION


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
    assert equal(first, again)
    assert not np.array_equal(first["fc.weight"], other["fc.weight"])


def test_the_loop_leaves_numpys_global_random_state_alone() -> None:
    before = np.random.get_state(legacy=False)["state"]
    for _ in records(small_run.new_state(epochs=1), DATA):
        pass
    after = np.random.get_state(legacy=False)["state"]
    assert all(np.array_equal(before[key], after[key]) for key in before)


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
    assert equal(state.model.state_dict(), by_hand.model.state_dict())
    assert by_hand.model.preprocessing is None


def test_averages_are_what_validation_measures_and_what_is_best() -> None:
    state = simple_state(epochs=1)
    state.averages = optim.ExponentialMovingAverage(dict(state.model.named_state()), decay=0.8)
    *_, epoch = records(state, DATA, VALIDATION)
    assert isinstance(epoch, Epoch)
    trained = state.model.state_dict()
    assert not np.array_equal(trained["fc.weight"], state.averages.values["fc.weight"])
    state.use_best()
    assert equal(state.model.state_dict(), state.averages.values)
    assert state.model.preprocessing is not None
    outputs = state.model(state.model.preprocessing(VALIDATION.images))
    loss, _ = losses.cross_entropy(outputs, VALIDATION.labels)
    assert epoch.validation_loss == pytest.approx(loss, rel=1e-5)


def test_mixed_targets_can_be_trained_on() -> None:
    told = list(records(simple_state(augment=Mixup()), DATA))
    assert all(record.accuracy is not None for record in told)


# Stopping and going on


def test_breaking_off_and_going_on_is_as_if_it_had_not_stopped() -> None:
    whole, broken = small_run.new_state(), small_run.new_state()
    for _ in records(whole, DATA, VALIDATION):
        pass
    while not broken.finished:
        for _ in islice(records(broken, DATA, VALIDATION), 5):
            pass
    assert equal(small_run.outcome(whole), small_run.outcome(broken))


def test_anything_that_gives_batches_is_data() -> None:
    whole, broken, given = simple_state(seed=7), simple_state(seed=7), Given()
    assert len(list(records(whole, given))) == 8
    assert given.asked == [(0, 7), (1, 7)]
    for count in (2, 3, 9):
        for _ in islice(records(broken, Given()), count):
            pass
    assert equal(whole.model.state_dict(), broken.model.state_dict())


def test_data_that_gives_fewer_batches_than_promised_is_told() -> None:
    with pytest.raises(DataError, match="promised 3 batches per epoch, but yielded only 2"):
        list(records(simple_state(), Given(gives=2)))


def test_inputs_are_never_written_to() -> None:
    frozen = dataclasses.replace(DATA, images=DATA.images.copy(), labels=DATA.labels.copy())
    frozen.images.flags.writeable = frozen.labels.flags.writeable = False
    state = small_run.new_state(epochs=1)
    list(records(state, frozen))
    x = np.ones((8, 1, 6, 6), np.float32)
    x.flags.writeable = False
    list(records(simple_state(), (x, np.arange(8) % 3)))


def test_the_package_offers_what_it_says() -> None:
    for name in pellucid.training.__all__:
        assert getattr(pellucid.training, name).__doc__ or name == "Record"


def test_a_run_of_one_step_has_everything(tmp_path: Path) -> None:
    one = DataSet(DATA.images[:1], DATA.labels[:1], DATA.classes)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    (epoch,) = train(model, one, optimizer=optim.SGD(model.parameters()))
    assert epoch.steps == 1
    assert epoch.accuracy in (0.0, 1.0)
