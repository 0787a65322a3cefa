"""Where values become NaN or infinite is found, and the step is left as it was."""

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid.parameter import Parameter
from pellucid.training.divergence import is_finite, non_finite_gradient, non_finite_loss

STEP = nn.StepContext(seed=1, epoch=2, step=4)


def network(bad):
    model = nn.initialize(nn.Sequential(first=nn.Linear(3, 3), act=nn.ReLU(), last=nn.Linear(3, 2)))
    if bad:
        model[bad].weight.value[0, 1] = np.nan
    return model


@pytest.mark.parametrize(
    ("bad", "x", "said"),
    [
        ("first", 1.0, r"first layer with NaN or infinity in its output is 'first' \(Linear\)"),
        ("last", 1.0, r"first layer with NaN or infinity in its output is 'last' \(Linear\)"),
        (None, 1.0, "all layers' outputs are finite, so it comes from the loss itself"),
        ("first", np.inf, "the inputs already are NaN or infinite"),
    ],
)
def test_the_first_layer_is_named(bad, x, said):
    model = network(bad)
    before = model.state_dict()
    error = non_finite_loss(model, np.full((2, 3), x, np.float32), STEP, np.nan)
    assert str(error).startswith("epoch 3, step 5: the loss is nan; ")
    with pytest.raises(type(error), match=said):
        raise error
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_single_layer_is_the_model_itself():
    model = nn.Linear(2, 2)
    model.weight.value[...] = np.inf
    error = non_finite_loss(model, np.ones((1, 2), np.float32), STEP, np.inf)
    assert r"in its output is the model itself (Linear)" in str(error)


def test_running_statistics_are_left_as_they_were():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2))
    model[1].weight.value[...] = np.nan
    non_finite_loss(model, np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), STEP, np.nan)
    assert model[0].running_mean.value.tolist() == [0, 0]


def test_the_last_parameter_without_a_finite_gradient_is_named():
    parameters = [Parameter(name, (2,), "zeros") for name in "abc"]
    assert non_finite_gradient(parameters, STEP) is None
    for parameter in parameters[:2]:
        parameter.add_gradient(np.array([np.nan, 1.0], np.float32))
    error = str(non_finite_gradient(parameters, STEP))
    assert error.startswith("epoch 3, step 5: a gradient is NaN or infinite; ")
    assert "going backwards, is b." in error


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_counts(bad):
    good, wrong = np.ones((3, 4)), np.ones((3, 4))
    wrong[2, 3] = bad
    assert is_finite(good)
    assert is_finite((good, good))
    assert not is_finite(wrong)
    assert not is_finite((good, wrong))
