"""The gradient check accepts right gradients and, above all, rejects wrong ones."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.parameter import Parameter
from pellucid.testing.gradients import GradientError, away_from_kinks, check_gradients


@dataclass(eq=False, repr=False)
class _Affine(nn.Layer):
    """y = x·W + b for square W; each kind of mistake can be switched on."""

    size: int = 3
    mistake: str = "none"
    W: Parameter = field(init=False)
    b: Parameter = field(init=False)

    def __post_init__(self):
        self.W = Parameter("W", (self.size, self.size), "normal:1")
        self.b = Parameter("b", (self.size,), "normal:1", kind="bias")
        self.astype("float64")

    def forward(self, x, training=None):
        y = x @ self.W.value + self.b.value
        if self.mistake == "modifies x":
            x *= 2
        return y, x

    def backward(self, dy, cache, *, input_gradient=True):
        W_gradient, b_gradient, dx = cache.T @ dy, dy.sum(axis=0), dy @ self.W.value.T
        match self.mistake:
            case "weight off by 1.001":
                W_gradient *= 1.001
            case "one weight entry off":
                W_gradient[0, 0] *= 1.001
            case "input off by 1.001":
                dx = dx * 1.001
            case "input transposed":
                dx = dy @ self.W.value
            case "divided by the batch":
                W_gradient /= len(dy)
            case "only the first column trained":
                W_gradient[:, 1:] = 0
            case "input gradient of another shape":
                dx = dx[:1]
            case "two input gradients":
                dx = (dx, dx)
            case "not a number":
                dx = dx * np.nan
            case "modifies dy":
                dy *= 2
            case "depends on input_gradient" if not input_gradient:
                W_gradient *= 2
        if self.mistake == "overwrites the bias":
            self.b.grad[...] = b_gradient
        elif self.mistake != "forgets the bias":
            self.b.add_gradient(b_gradient)
        self.W.add_gradient(W_gradient)
        return dx

    def output_shape(self, input_shape):
        return input_shape


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(4, 3))


def test_right_gradients_are_accepted(x):
    check_gradients(_Affine(), x)
    check_gradients(_Affine(), x, training=False)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("weight off by 1.001", "parameter 'W'.* 1.001 times too large"),
        ("one weight entry off", r"parameter 'W'.* at entry \(0, 0\)"),
        ("input off by 1.001", "the input.* 1.001 times too large"),
        ("input transposed", "the input.* is wrong"),
        ("divided by the batch", "parameter 'W'.* 0.25 times too large"),
        ("only the first column trained", "parameter 'W'.* is wrong"),
        ("forgets the bias", "parameter 'b'.* adds nothing"),
        ("overwrites the bias", "overwrites the gradient of parameter 'b'"),
        ("input gradient of another shape", r"the input has shape \(1, 3\), expected \(4, 3\)"),
        ("two input gradients", "2 gradients for 1 inputs"),
        ("not a number", "the input is not finite"),
        ("modifies x", "modifies x"),
        ("modifies dy", "modifies dy"),
        ("depends on input_gradient", "input_gradient=False changes the gradient of parameter 'W'"),
    ],
)
def test_a_wrong_gradient_is_rejected(mistake, said, x):
    with pytest.raises(GradientError, match=said):
        check_gradients(_Affine(mistake=mistake), x)


@pytest.mark.parametrize("mistake", ["weight off by 1.001", "one weight entry off"])
def test_a_wrong_gradient_is_rejected_in_an_array_too_large_to_go_through(mistake):
    x = np.random.default_rng(1).normal(size=(2, 20))
    check_gradients(_Affine(20), x)
    with pytest.raises(GradientError, match="at direction"):
        check_gradients(_Affine(20, mistake), x)


def test_a_gradient_that_is_zero_by_nature_is_accepted(x):
    class _Centre(_Affine):  # no shift survives the removal of the mean
        def forward(self, x, training=None):
            y, cache = super().forward(x, training)
            return y - y.mean(axis=0), cache

        def backward(self, dy, cache, *, input_gradient=True):
            return super().backward(dy - dy.mean(axis=0), cache, input_gradient=input_gradient)

    check_gradients(_Centre(), x)


def test_random_layers_are_checked_at_one_position_of_their_randomness(x):
    class _Drop(_Affine):
        def forward(self, x, training=None):
            keep = training.generator("dropout").random(x.shape) < 0.5
            return x * keep, keep

        def backward(self, dy, cache, *, input_gradient=True):
            self.W.add_gradient(0), self.b.add_gradient(0)
            return dy * cache

    check_gradients(_Drop(), x)


def test_checking_leaves_values_gradients_and_input_as_they_were(x):
    layer = _Affine()
    layer.W.add_gradient(np.ones((3, 3)))
    values, before = layer.state_dict(), x.copy()
    check_gradients(layer, x)
    assert all(np.array_equal(values[name], value) for name, value in layer.state_dict().items())
    assert np.array_equal(layer.W.grad, np.ones((3, 3)))
    assert not layer.b.grad.any()
    assert np.array_equal(x, before)


def test_a_layer_with_several_inputs_has_each_checked(x):
    class _Product(nn.Multiply):
        def backward(self, dy, cache, *, input_gradient=True):
            first, second = super().backward(dy, cache)
            return first, 1.001 * second

    check_gradients(nn.Multiply(), (x, x + 1))
    with pytest.raises(GradientError, match=r"input 1.* 1.001 times too large"):
        check_gradients(_Product(), (x, x + 1))


def test_float32_is_refused_because_its_differences_are_too_coarse(x):
    with pytest.raises(PellucidError, match="the input is float32"):
        check_gradients(_Affine(), x.astype(np.float32))
    with pytest.raises(PellucidError, match="parameter 'W' is float32"):
        check_gradients(_Affine().astype("float32"), x)


def test_inputs_away_from_kinks_are_distinct_and_not_near_whole_numbers():
    x = away_from_kinks((3, 5, 7), np.random.default_rng(0), reach=7).ravel()
    assert len(set(x)) == x.size
    assert np.diff(np.sort(x)).min() > 0.05
    assert abs(x - np.round(x)).min() > 0.05
    assert x.min() < -3
    assert x.max() > 6
