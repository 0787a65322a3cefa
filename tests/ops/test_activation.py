"""Activation functions against their definitions, SciPy's special functions and differences."""

import numpy as np
import pytest
from scipy import special, stats

from pellucid import layers as nn
from pellucid import ops
from pellucid.errors import PellucidError, ShapeError
from pellucid.reference.erf import erf
from pellucid.testing.gradients import GradientError, away_from_kinks, check_gradients

ACTIVATIONS = [
    nn.ReLU(),
    nn.ReLU6(),
    nn.LeakyReLU(),
    nn.LeakyReLU(0.0),
    nn.LeakyReLU(1.5),
    nn.PReLU(),
    nn.PReLU(5, init=-0.5),
    nn.ELU(),
    nn.ELU(0.3),
    nn.SELU(),
    nn.GELU(),
    nn.GELU("tanh"),
    nn.SiLU(),
    nn.Hardswish(),
    nn.Softplus(),
    nn.Softplus(beta=3.0, threshold=4.0),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.Softmax(),
    nn.Softmax(dim=-1),
    nn.LogSoftmax(),
    nn.LogSoftmax(dim=0),
]
each = pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)


class _Distorted(nn.Layer):
    """A layer whose gradients are too large by a thousandth."""

    def __init__(self, layer):
        self.layer = layer

    def children(self):
        return {"": self.layer}

    def forward(self, x, training=None):
        return self.layer.forward(x, training)

    def backward(self, dy, cache, *, input_gradient=True):
        return 1.001 * self.layer.backward(dy, cache, input_gradient=input_gradient)

    def output_shape(self, input_shape):
        return self.layer.output_shape(input_shape)


@pytest.fixture
def x():
    return away_from_kinks((4, 5, 3, 4), np.random.default_rng(0), reach=7)


@each
def test_the_gradient_is_the_derivative(layer, x):
    check_gradients(nn.build(layer.describe()).astype("float64"), x)


@each
def test_a_gradient_off_by_a_thousandth_is_rejected(layer, x):
    with pytest.raises(GradientError, match=r"1\.001"):
        check_gradients(_Distorted(nn.build(layer.describe()).astype("float64")), x)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_and_order_in_memory_are_kept(layer, x, dtype):
    layer = nn.build(layer.describe()).astype(dtype)
    x = np.ascontiguousarray(x.transpose(1, 2, 3, 0).astype(dtype)).transpose(3, 0, 1, 2)
    y, cache = layer.forward(x, nn.StepContext())
    dx = layer.backward(np.ones_like(x), cache)
    for result in (y, dx):
        assert (result.dtype, result.strides) == (dtype, x.strides)


@pytest.mark.parametrize(
    ("layer", "at", "expected"),
    [
        (nn.ReLU(), 0.0, 0.0),
        (nn.ReLU6(), 0.0, 0.0),
        (nn.ReLU6(), 6.0, 0.0),
        (nn.LeakyReLU(0.1), 0.0, 0.1),
        (nn.PReLU(init=0.5), 0.0, 0.5),
        (nn.ELU(0.5), 0.0, 0.5),
        (nn.Softplus(threshold=2.0), 2.0, special.expit(2.0)),
    ],
    ids=repr,
)
def test_at_a_kink_the_derivative_is_that_of_the_left_or_flat_side(layer, at, expected):
    x = np.full((1, 1), at)
    _, cache = layer.astype("float64").forward(x, nn.StepContext())
    assert layer.backward(np.ones((1, 1)), cache).item() == pytest.approx(expected)


@each
def test_nothing_overflows_far_from_zero(layer):
    x = np.array([[-1e4, -100.0, 0.0, 100.0, 1e4]], np.float32)
    layer = nn.build(layer.describe())
    y, cache = layer.forward(x, nn.StepContext())
    assert np.isfinite(y).all()
    assert np.isfinite(layer.backward(np.ones_like(x), cache)).all()


@pytest.mark.parametrize(
    ("layer", "definition"),
    [
        (nn.ReLU(), lambda x: np.where(x > 0, x, 0)),
        (nn.ReLU6(), lambda x: np.where(x > 0, np.where(x < 6, x, 6), 0)),
        (nn.LeakyReLU(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
        (nn.ELU(0.7), lambda x: np.where(x > 0, x, 0.7 * (np.exp(x) - 1))),
        (nn.GELU(), lambda x: x * stats.norm.cdf(x)),
        (nn.SiLU(), lambda x: x * special.expit(x)),
        (nn.Hardswish(), lambda x: np.where(x > -3, np.where(x < 3, x * (x + 3) / 6, x), 0)),
        (nn.Softplus(2.0), lambda x: np.log(1 + np.exp(2 * x)) / 2),
        (nn.Sigmoid(), special.expit),
        (nn.Softmax(), lambda x: special.softmax(x, axis=1)),
        (nn.LogSoftmax(-1), lambda x: special.log_softmax(x, axis=-1)),
    ],
    ids=repr,
)
def test_the_value_is_that_of_the_definition(layer, definition, x):
    np.testing.assert_allclose(layer(x), definition(x), rtol=1e-12, atol=1e-14)


def test_sigmoid_keeps_its_precision_where_it_is_small():
    x = np.linspace(-80, 10, 500, dtype=np.float32)
    np.testing.assert_allclose(ops.sigmoid(x), special.expit(x.astype(np.float64)), rtol=4e-7)


def test_prelu_has_one_slope_for_each_channel():
    layer = nn.PReLU(2)
    layer.weight.value = np.array([0.5, -1.0], np.float32)
    x = np.full((1, 2, 1, 2), -2.0, np.float32)
    np.testing.assert_array_equal(layer(x)[0, :, 0], [[-1, -1], [2, 2]])
    x[..., 0] = 3.0
    dy = np.array([5.0, 7.0], np.float32) * np.ones_like(x)
    dx = ops.prelu_input_gradient(dy, x, layer.weight.value)
    np.testing.assert_array_equal(dx[0, :, 0], [[5, 3.5], [5, -7]])
    dw = ops.prelu_weight_gradient(dy, x, layer.weight.value)
    np.testing.assert_array_equal(dw, [-14, -14])


def test_selu_leaves_a_standard_normal_input_standard():
    y = nn.SELU()(np.random.default_rng(0).standard_normal((1000, 1000)))
    assert y.mean() == pytest.approx(0, abs=0.005)
    assert y.var() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("function", [ops.softmax, ops.log_softmax])
def test_softmax_subtracts_the_maximum_of_each_row_not_that_of_the_batch(function):
    row = np.array([[1.0, 2.0, 3.0]], np.float32)
    batch = np.concatenate([row, row - 2000, row + 2000])
    np.testing.assert_array_equal(function(batch), np.repeat(function(row), 3, axis=0))


def test_relu_lets_a_value_that_is_no_number_be_seen():
    assert np.isnan(ops.relu(np.array([np.nan]))).all()


class TestErf:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_is_right_to_five_units_in_the_last_place(self, dtype):
        x = np.concatenate([np.linspace(-7, 7, 200_001), np.logspace(-30, 0, 10_001)]).astype(dtype)
        exact = special.erf(x.astype(np.float64))
        error = abs(erf(x) - exact) / np.spacing(abs(exact).astype(dtype))
        assert error.max() < 5

    def test_is_odd_and_has_its_limits(self):
        x = np.array([0.0, -0.0, np.inf, -np.inf, 1e300, -1e300])
        np.testing.assert_array_equal(erf(x), [0, 0, 1, -1, 1, -1])
        assert np.signbit(erf(x)).tolist() == np.signbit(x).tolist()
        assert np.isnan(erf(np.array([np.nan]))).all()

    @pytest.mark.parametrize(
        "x",
        [
            np.zeros((0, 3)),
            np.array(0.3),
            np.arange(24.0).reshape(2, 3, 4)[:, ::-1, ::2],
            np.broadcast_to(0.3, (3, 2)),
            np.linspace(-1, 1, 50_000).reshape(2, -1).T,
        ],
        ids=["empty", "one number", "strided", "broadcast", "longer than a piece"],
    )
    def test_takes_any_shape_and_order_in_memory(self, x):
        np.testing.assert_allclose(erf(x), special.erf(x), rtol=1e-15)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: nn.LeakyReLU(-0.1),
            "negative_slope must be a number of at least 0, not -0.1",
        ),
        (lambda: nn.ELU(float("nan")), "ELU: alpha must be a finite number of at least 0, not nan"),
        (lambda: nn.GELU("sigmoid"), "'none' or 'tanh', not 'sigmoid'"),
        (lambda: nn.Softplus(beta=0.0), "beta must be a number above 0"),
        (lambda: nn.PReLU(0), "num_parameters must be an integer of at least 1"),
        (lambda: nn.PReLU(3)(np.zeros((2, 4))), r"PReLU expects 3 channels, got .*\(2, 4\)"),
        (lambda: nn.Softmax(2)(np.zeros((2, 4))), r"shape \(2, 4\) has no axis 2"),
        (lambda: nn.ReLU()(np.array([1, 2])), "relu expects floating-point numbers, got int"),
    ],
)
def test_what_does_not_fit_is_said(make, said):
    with pytest.raises(PellucidError, match=said):
        make()


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"relu_gradient expects dy of shape \(2,\), got \(3,\)"):
        ops.relu_gradient(np.ones(3), np.ones(2))
