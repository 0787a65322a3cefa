"""Linear layers, and the layers that only change the shape."""

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid import ops
from pellucid.errors import PellucidError, ShapeError
from pellucid.testing.gradients import check_gradients


def batch_last(x):
    """The same array, the batch last in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 3), (2, 2, 5, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_gradients_are_the_derivatives(shape, bias):
    layer = nn.initialize(nn.Linear(3, 5, bias=bias).astype("float64"))
    check_gradients(layer, np.random.default_rng(0).normal(size=shape))


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 3)])
def test_each_output_is_a_weighted_sum_of_all_inputs(shape):
    generator = np.random.default_rng(0)
    x, W, b = generator.normal(size=shape), generator.normal(size=(2, 3)), generator.normal(size=2)
    expected = np.einsum("n...i,oi->n...o", x, W) + b
    for order in (x, batch_last(x), np.asfortranarray(x), x[::-1][::-1]):
        np.testing.assert_allclose(ops.linear(order, W, b), expected, rtol=1e-12)


def test_linear_is_bilinear_and_its_gradients_are_the_adjoints():
    generator = np.random.default_rng(0)
    x, W = generator.normal(size=(7, 2, 3)), generator.normal(size=(5, 3))
    dy = generator.normal(size=(7, 2, 5))
    product = np.vdot(ops.linear(x, W), dy)
    assert np.vdot(x, ops.linear_input_gradient(dy, W)) == pytest.approx(product, rel=1e-12)
    assert np.vdot(W, ops.linear_weight_gradient(dy, x)) == pytest.approx(product, rel=1e-12)


@pytest.mark.parametrize("shape", [(6, 3), (6, 2, 3)])
def test_outputs_and_input_gradients_have_the_batch_last_in_memory(shape):
    x = np.ones(shape, np.float32)
    y = ops.linear(x, np.ones((4, 3), np.float32), np.ones(4, np.float32))
    dx = ops.linear_input_gradient(y, np.ones((4, 3), np.float32))
    for result in (y, dx):
        assert result.dtype == np.float32
        assert np.moveaxis(result, 0, -1).flags.c_contiguous


def test_weight_and_bias_gradients_are_sums_over_the_batch_neither_divided_by_it():
    layer = nn.Linear(2, 1)
    _, cache = layer.forward(np.ones((8, 2), np.float32), nn.StepContext())
    layer.backward(np.ones((8, 1), np.float32), cache)
    np.testing.assert_array_equal(layer.weight.grad, [[8, 8]])
    np.testing.assert_array_equal(layer.bias.grad, [8])


def test_bias_is_described_as_it_was_given():
    assert nn.Linear(2, 3).describe() == {"type": "Linear", "in_features": 2, "out_features": 3}
    assert nn.Linear(2, 3, bias=False).describe()["bias"] is False
    assert list(nn.build(nn.Linear(2, 3).describe()).named_parameters()) == ["weight", "bias"]
    assert list(nn.Linear(2, 3, bias=False).named_parameters()) == ["weight"]


def test_multiply_adds_count_one_for_each_weight_and_row():
    assert nn.Linear(3, 5).multiply_adds((4, 2, 3)) == 4 * 2 * 3 * 5


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: nn.Linear(400, 10)(np.zeros((64, 16, 5, 5), np.float32)),
            r"Linear expects an input of shape \(N, …, 400\), got \(64, 16, 5, 5\); add a Flatten",
        ),
        (lambda: nn.Linear(3, 2).output_shape((4, 5)), r"got \(4, 5\)$"),
        (lambda: nn.Linear(3, 2).output_shape((3,)), r"got \(3,\)$"),
        (lambda: nn.Linear(0, 2), "in_features must be an integer of at least 1, not 0"),
        (lambda: nn.Linear(2, 2, initializer="he"), "unknown initializer 'he'"),
        (lambda: ops.linear(np.ones((2, 3)), np.ones((4, 2))), r"\(N, …, 2\), got \(2, 3\)"),
        (lambda: ops.linear(np.ones((2, 3)), np.ones((4, 3)), np.ones(3)), "bias of shape"),
        (
            lambda: ops.linear_weight_gradient(np.ones((2, 3)), np.ones((4, 3))),
            "linear_weight_gradient expects dy of shape",
        ),
    ],
)
def test_what_does_not_fit_is_said(make, said):
    with pytest.raises(PellucidError, match=said):
        make()


class TestFlatten:
    def test_copies_nothing_when_the_batch_is_last_in_memory(self):
        x = batch_last(np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5))
        y, cache = nn.Flatten().forward(x)
        dx = nn.Flatten().backward(y, cache)
        assert np.shares_memory(x, y)
        assert np.shares_memory(y, dx)
        assert dx.strides == x.strides

    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [(1, -1, (2, 60)), (0, -1, (120,)), (2, 3, (2, 3, 20)), (0, 1, (6, 4, 5)), (1, 1, None)],
    )
    def test_joins_the_axes_in_order(self, start, end, expected):
        x = np.arange(120.0).reshape(2, 3, 4, 5)
        layer, expected = nn.Flatten(start, end), expected or x.shape
        assert layer.output_shape(x.shape) == expected
        np.testing.assert_array_equal(layer(x), x.reshape(expected))

    @pytest.mark.parametrize(("start", "end"), [(2, 1), (4, -1), (1, 4), (-5, 1)])
    def test_says_which_axes_there_are_not(self, start, end):
        with pytest.raises(ShapeError, match=rf"axes {start} to {end} of an input of shape \(2,"):
            nn.Flatten(start, end).output_shape((2, 3, 4, 5))


def test_identity_changes_nothing():
    x = np.ones((2, 3))
    y, cache = nn.Identity().forward(x)
    assert y is x
    assert nn.Identity().backward(x, cache) is x
