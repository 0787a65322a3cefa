"""Weights of samples in training: twice the weight is the same as having the sample twice."""

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid import models, optim, train
from pellucid.errors import DataError, FileError, ShapeError
from pellucid.losses import mean_squared_error
from pellucid.preprocessing import Preprocessing
from pellucid.training import Epoch, TrainingState, records
from pellucid.training.batches import ArraySource

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(12, 5))
Y = GENERATOR.integers(0, 3, 12)
TIMES = GENERATOR.integers(1, 4, 12)


def trained(data: tuple[np.ndarray, ...], epochs: int = 20) -> tuple[nn.Layer, list[Epoch]]:
    model = nn.initialize(models.mlp((5,), 3, hidden=7).astype("float64"), seed=1)
    adam = optim.Adam(model.parameters(), lr=0.01)
    return model, list(train(model, data, optimizer=adam, batch_size=99, epochs=epochs))


def test_weighting_a_sample_is_repeating_it() -> None:
    weighted, told = trained((X, Y, TIMES))
    repeated, also = trained((X.repeat(TIMES, axis=0), Y.repeat(TIMES)))
    for name, value in weighted.state_dict().items():
        np.testing.assert_allclose(value, repeated.state_dict()[name], rtol=1e-9, atol=1e-12)
    assert told[-1].loss == pytest.approx(also[-1].loss, rel=1e-9)
    plain, _ = trained((X, Y))
    assert not np.allclose(plain(X), weighted(X))


def test_validation_is_weighted_too() -> None:
    def validation_loss(validation: tuple[np.ndarray, ...]) -> float:
        model = nn.initialize(models.mlp((5,), 3).astype("float64"))
        sgd = optim.SGD(model.parameters(), lr=0.01)
        (epoch,) = train(model, (X, Y), optimizer=sgd, validation=validation)
        assert epoch.validation_loss is not None
        return epoch.validation_loss

    repeated = X.repeat(TIMES, axis=0), Y.repeat(TIMES)
    assert validation_loss((X, Y, TIMES)) == pytest.approx(validation_loss(repeated))


def test_weights_stay_with_their_samples_in_every_batch() -> None:
    source = ArraySource(np.arange(50.0)[:, None], np.arange(50), 8, weights=2.0 * np.arange(50))
    for batches in (source.shuffled(epoch=1, seed=0), source.in_order()):
        for x, targets, weights in batches:
            np.testing.assert_array_equal(2 * x[:, 0], weights)
            np.testing.assert_array_equal(2 * targets, weights)


def test_other_losses_take_them_as_well() -> None:
    x, y, model = np.ones((2, 1), np.float32), np.array([[0.0], [3.0]]), nn.Linear(1, 1)
    sgd = optim.SGD(model.parameters(), lr=0.2)
    data = x, y, np.array([1, 2])
    *_, last = train(model, data, optimizer=sgd, loss=mean_squared_error, epochs=60)
    assert model(x[:1]).item() == pytest.approx(2.0, abs=1e-3)
    assert last.loss == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize(
    ("weights", "error", "said"),
    [
        (np.ones(11), ShapeError, "one weight for each of 12 inputs"),
        (np.ones((12, 1)), ShapeError, r"got weights of shape \(12, 1\)"),
        (np.r_[np.ones(11), 0], DataError, "positive, but number 11 is 0"),
        (np.r_[-1, np.ones(11)], DataError, "positive, but number 0 is -1"),
        (np.full(12, np.nan), DataError, "NaN"),
        (np.full(12, "a"), DataError, "must be numbers"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    weights: np.ndarray, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        trained((X, Y, weights))


def test_a_run_does_not_go_on_with_other_weights() -> None:
    model = models.mlp((5,), 3)
    state = TrainingState(model, optim.SGD(model.parameters()), epochs=2)
    next(iter(records(state, (X, Y, TIMES))))
    records(state, (X, Y, TIMES))
    for other in ((X, Y), (X, Y, TIMES + 1)):
        with pytest.raises(FileError, match="other training data"):
            records(state, other)


def test_preprocessing_counts_an_image_as_often_as_it_weighs() -> None:
    images = GENERATOR.integers(0, 256, (1500, 2, 3, 4)).astype(np.uint8)
    times = GENERATOR.integers(0, 4, 1500)
    weighted = Preprocessing.fit(images, times)
    repeated = Preprocessing.fit(images.repeat(times, axis=0))
    assert weighted.mean == pytest.approx(repeated.mean, rel=1e-12)
    assert weighted.scale == pytest.approx(repeated.scale, rel=1e-12)
