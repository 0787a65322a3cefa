"""The learning-rate range test."""

import numpy as np
import pytest

import small_run
from pellucid import layers as nn
from pellucid import losses, models, optim
from pellucid.errors import TrainingError
from pellucid.training import find_rate, train

DATA = small_run.data_set(200)


def quadratic() -> tuple[nn.Sequential, tuple[np.ndarray, np.ndarray]]:
    """Linear regression on inputs with XᵀX/N = I: descent at rate r has the factor 1 − 2r."""
    x = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 4)))[0] * 8
    data = x, x @ np.array([[1.0], [-2.0], [3.0], [-4.0]])
    return nn.Sequential(nn.Linear(4, 1, bias=False)).astype("float64"), data


def test_on_a_quadratic_it_finds_a_rate_at_which_descent_converges() -> None:
    model, data = quadratic()
    sgd = optim.SGD(model.parameters())
    search = find_rate(
        model, data, optimizer=sgd, loss=losses.mean_squared_error, batch_size=64, low=1e-4
    )
    assert 0.01 < search.suggestion < 1.0, "the factor lies in (−1, 1) for rates below 1"
    assert search.rates[-1] > 1.0, "it goes on until the loss grows"
    model, data = quadratic()
    sgd = optim.SGD(model.parameters(), lr=search.suggestion)
    *_, last = train(
        model, data, optimizer=sgd, loss=losses.mean_squared_error, batch_size=64, epochs=300
    )
    assert last.loss < 1e-4


def test_the_rates_grow_by_a_constant_factor_from_low_to_high() -> None:
    model = small_run.network()
    adam = optim.Adam(model.parameters())
    search = find_rate(model, DATA, optimizer=adam, low=1e-5, high=1e-2, steps=40, batch_size=10)
    np.testing.assert_allclose(search.rates, np.geomspace(1e-5, 1e-2, 40))
    assert search.losses.shape == search.smoothed.shape == (40,)
    assert search.suggestion in search.rates


def test_the_smoothed_losses_are_means_of_those_so_far() -> None:
    model = small_run.network()
    adam = optim.Adam(model.parameters())
    search = find_rate(model, DATA, optimizer=adam, steps=20, batch_size=10, low=1e-4)
    for n in range(1, 20):
        weights = 0.9 ** np.arange(n)[::-1]
        expected = np.average(search.losses[:n], weights=weights)
        assert search.smoothed[n - 1] == pytest.approx(expected)


def test_model_and_optimiser_stay_bit_for_bit_as_they_were() -> None:
    model = small_run.network()
    adam = optim.Adam(model.parameters(), lr=0.01)
    list(train(model, DATA, optimizer=adam))
    values, state = model.state_dict(), adam.state_dict()
    gradients = [p.grad.copy() for p in model.parameters()]
    find_rate(model, DATA, optimizer=adam, batch_size=16)
    assert small_run.equal(model.state_dict(), values)
    assert small_run.equal(adam.state_dict(), state)
    assert (adam.lr, adam.base_lr, adam.steps) == (0.01, 0.01, 4)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        np.testing.assert_array_equal(parameter.grad, gradient)


def test_a_new_model_is_not_told_of_the_data() -> None:
    model = small_run.network()
    find_rate(model, DATA, optimizer=optim.Adam(model.parameters()), batch_size=16)
    assert model.preprocessing is None
    assert model.classes is None


def test_it_ends_where_the_loss_is_no_number() -> None:
    class Breaking(losses.Loss):
        calls = 0

        def __call__(
            self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
        ) -> tuple[float, np.ndarray]:
            self.calls += 1
            value, gradient = losses.mean_squared_error(outputs, targets)
            return (np.nan if self.calls > 50 else value), gradient

    model, data = quadratic()
    sgd = optim.SGD(model.parameters())
    search = find_rate(model, data, optimizer=sgd, loss=Breaking(), batch_size=64, low=1e-4)
    assert len(search.rates) == 49, "and one call was to see whether loss and targets fit"
    assert np.isfinite(search.losses).all()


def test_where_nothing_falls_it_says_what_to_do() -> None:
    x, y = np.eye(4, dtype=np.float32), np.arange(4)
    model = models.mlp((4,), 4)
    sgd = optim.SGD(model.parameters())
    with pytest.raises(TrainingError, match="try higher rates"):
        find_rate(model, (x * 0, y), optimizer=sgd, low=1e-30, high=1e-29, batch_size=4)
    with pytest.raises(TrainingError, match="start at a lower rate"):
        find_rate(model, (x, y), optimizer=sgd, low=1e20, high=1e30, batch_size=4)


@pytest.mark.parametrize("wrong", [{"low": 0.0}, {"low": 1.0, "high": 0.5}, {"steps": 9}])
def test_a_range_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    model = small_run.network()
    with pytest.raises(TrainingError, match="must increase in at least 10 steps"):
        find_rate(model, DATA, optimizer=optim.SGD(model.parameters()), **wrong)
