"""What layers without an operation of their own compute, by NumPy, SciPy and PyTorch."""

import numpy as np
import pytest
from scipy import special

from pellucid import layers as nn
from pellucid.errors import PellucidError, ShapeError

SHAPE = (3, 4, 2, 6)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def where(x, c):
    return np.where(c, x, 0.0)


VALUES = [
    # rearrangement
    (nn.Reshape((0, 2, -1)), SHAPE, lambda x: x.reshape(3, 2, 24)),
    (nn.Reshape((-1, 12)), SHAPE, lambda x: x.reshape(12, 12)),
    (nn.Reshape((2, 0, -1)), SHAPE, lambda x: x.reshape(2, 4, 18)),
    (nn.Reshape((6, 4, 6)), SHAPE, lambda x: x.reshape(6, 4, 6)),
    (nn.Reshape(()), (1, 1), lambda x: x.reshape(())),
    (nn.Reshape((-1,)), (3, 4), lambda x: x.reshape(12)),
    (nn.Permute((0, 2, 3, 1)), SHAPE, lambda x: x.transpose(0, 2, 3, 1)),
    (nn.Permute((2, 0, 3, 1)), SHAPE, lambda x: x.transpose(2, 0, 3, 1)),
    (nn.Slice(), SHAPE, lambda x: x),
    (nn.Slice(start=1), SHAPE, lambda x: x[:, 1:]),
    (nn.Slice(1, 1, 4, 2), SHAPE, lambda x: x[:, 1:4:2]),
    (nn.Slice(-1, step=-2), SHAPE, lambda x: x[..., ::-2]),
    (nn.Slice(0, stop=2), SHAPE, lambda x: x[:2]),
    (nn.Slice(3, -5, -1), SHAPE, lambda x: x[..., -5:-1]),
    (nn.Take((2, 0, 2)), SHAPE, lambda x: x[:, [2, 0, 2]]),
    (nn.Take((-1, -6, 5), axis=-1), SHAPE, lambda x: x[..., [-1, -6, 5]]),
    (nn.Take((2, 1), axis=0), SHAPE, lambda x: x[[2, 1]]),
    (nn.Expand((-1, 4, -1, 5)), (3, 1, 2, 1), lambda x: np.broadcast_to(x, (3, 4, 2, 5))),
    (nn.Expand((3, -1, 2, -1)), (1, 4, 2, 6), lambda x: np.broadcast_to(x, (3, 4, 2, 6))),
    (nn.Expand((-1, 4)), (3, 4), lambda x: x),
    (
        nn.Pad(((0, 0), (1, 2), (0, 0), (3, 1)), 0.5),
        SHAPE,
        lambda x: np.pad(x, ((0, 0), (1, 2), (0, 0), (3, 1)), constant_values=0.5),
    ),
    (nn.Pad(((1, 0), (0, 0))), (3, 4), lambda x: np.pad(x, ((1, 0), (0, 0)))),
    (nn.Flatten(), SHAPE, lambda x: x.reshape(3, 48)),
    (nn.Flatten(1, 2), SHAPE, lambda x: x.reshape(3, 8, 6)),
    (nn.Flatten(2), SHAPE, lambda x: x.reshape(3, 4, 12)),
    (nn.Flatten(-3, -2), SHAPE, lambda x: x.reshape(3, 8, 6)),
    # reductions
    (nn.ReduceSum((2, 3)), SHAPE, lambda x: x.sum((2, 3))),
    (nn.ReduceSum((-1,), keepdims=True), SHAPE, lambda x: x.sum(-1, keepdims=True)),
    (nn.ReduceMean((1, -1)), SHAPE, lambda x: x.mean((1, 3))),
    (nn.ReduceMean((2,), keepdims=True), SHAPE, lambda x: x.mean(2, keepdims=True)),
    (nn.ReduceMax((1, 2)), SHAPE, lambda x: x.max((1, 2))),
    (nn.ReduceMax((3,), keepdims=True), SHAPE, lambda x: x.max(3, keepdims=True)),
    (nn.ArgMax(), SHAPE, lambda x: x.argmax(1)[:, None]),
    (nn.ArgMax(2, keepdims=False), SHAPE, lambda x: x.argmax(2)),
    # elementwise functions
    (nn.Affine(), SHAPE, lambda x: x),
    (nn.Affine(2.5, -0.5), SHAPE, lambda x: 2.5 * x - 0.5),
    (nn.Power(3.0), SHAPE, lambda x: x**3),
    (nn.Exp(), SHAPE, np.exp),
    (nn.Abs(), SHAPE, abs),
    (nn.Erf(), SHAPE, special.erf),
    (nn.Heaviside(), SHAPE, lambda x: np.heaviside(x, 0)),
    (nn.Clip(), SHAPE, lambda x: x),
    (nn.Clip(low=-0.5), SHAPE, lambda x: np.clip(x, -0.5, None)),
    (nn.Clip(high=0.25), SHAPE, lambda x: np.clip(x, None, 0.25)),
    (nn.HardSigmoid(), SHAPE, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    (nn.HardSigmoid(0.3, 0.4), SHAPE, lambda x: np.clip(0.3 * x + 0.4, 0, 1)),
    (nn.Softsign(), SHAPE, lambda x: x / (1 + abs(x))),
    (nn.ThresholdedReLU(), SHAPE, lambda x: where(x, x > 1)),
    (nn.ThresholdedReLU(0.3), SHAPE, lambda x: where(x, x > 0.3)),
    (nn.Identity(), SHAPE, lambda x: x),
    # several inputs
    (nn.Add(), (SHAPE, SHAPE, SHAPE), lambda x: sum(x)),
    (nn.Cat(), (SHAPE, (3, 1, 2, 6)), lambda x: np.concatenate(x, 1)),
    (nn.Cat(3), (SHAPE, (3, 4, 2, 1), SHAPE), lambda x: np.concatenate(x, 3)),
    (nn.BroadcastAdd(), (SHAPE, (3, 4, 1, 1)), lambda x: x[0] + x[1]),
    (nn.Subtract(), ((3, 1, 2, 1), SHAPE), lambda x: x[0] - x[1]),
    (nn.Multiply(), (SHAPE, (3, 4, 1, 1)), lambda x: x[0] * x[1]),
    (nn.Divide(), (SHAPE, (3, 1, 2, 6)), lambda x: x[0] / x[1]),
    (nn.Maximum(), (SHAPE, SHAPE), lambda x: np.maximum(*x)),
    (nn.Minimum(), (SHAPE, SHAPE), lambda x: np.minimum(*x)),
    (nn.MatMul(), ((3, 2, 4), (3, 4, 5)), lambda x: x[0] @ x[1]),
    (nn.MatMul(), ((3, 7, 2, 4), (3, 7, 4, 5)), lambda x: x[0] @ x[1]),
    (
        nn.Where(),
        ((3, 1, 2, 3), (3, 4, 1, 3), (3, 4, 2, 1)),
        lambda x: np.where(x[0] > 0, x[1], x[2]),
    ),
]


def inputs(shape):
    if isinstance(shape[0], int):
        return drawn(*shape)
    return tuple(drawn(*one, seed=i) for i, one in enumerate(shape))


@pytest.mark.parametrize(("layer", "shape", "expected"), VALUES, ids=lambda one: repr(one)[:70])
def test_a_layer_computes_what_it_says(layer, shape, expected):
    x = inputs(shape)
    y = layer(x)
    np.testing.assert_allclose(y, expected(x), rtol=1e-12, atol=1e-15)
    assert y.shape == layer.output_shape(shape) == expected(x).shape


@pytest.mark.parametrize("r", [1, 2, 3])
def test_pixels_are_shuffled_as_in_the_formula(r):
    x = drawn(2, 3 * r * r, 2, 5)
    y = nn.PixelShuffle(r)(x)
    assert y.shape == (2, 3, 2 * r, 5 * r)
    for c, row, column in np.ndindex(3, 2 * r, 5 * r):
        source = c * r * r + row % r * r + column % r
        np.testing.assert_array_equal(y[:, c, row, column], x[:, source, row // r, column // r])
    np.testing.assert_array_equal(nn.PixelUnshuffle(r)(y), x)


WRONG_SHAPES = [
    (nn.Reshape((0, 5)), (3, 4)),
    (nn.Reshape((0, 5, -1)), (3, 4)),
    (nn.Reshape((0, 0, 0)), (3, 4)),
    (nn.Permute((0, 1)), (3, 4, 5)),
    (nn.Slice(2), (3, 4)),
    (nn.Slice(-3), (3, 4)),
    (nn.Slice(1, 4), (3, 4)),
    (nn.Slice(1, 2, 2), (3, 4)),
    (nn.Take((4,)), (3, 4)),
    (nn.Take((-5,)), (3, 4)),
    (nn.Take((0,), axis=2), (3, 4)),
    (nn.Expand((-1, 4)), (3, 2)),
    (nn.Expand((-1, 4)), (3, 1, 1)),
    (nn.Pad(((0, 0),)), (3, 4)),
    (nn.ReduceSum((2,)), (3, 4)),
    (nn.ReduceSum((-3,)), (3, 4)),
    (nn.ArgMax(2), (3, 4)),
    (nn.ArgMax(1), (3, 0)),
    (nn.PixelShuffle(2), (3, 6, 2, 2)),
    (nn.PixelShuffle(2), (3, 4, 2)),
    (nn.PixelUnshuffle(2), (3, 4, 3, 2)),
    (nn.PixelUnshuffle(2), (3, 4, 2, 3)),
    (nn.PixelUnshuffle(2), (3, 4, 2)),
    (nn.Add(), ((3, 4), (3, 5))),
    (nn.Cat(), ((3, 4, 2), (3, 4, 3))),
    (nn.Cat(2), ((3, 4), (3, 4))),
    (nn.Multiply(), ((3, 4), (3, 2))),
    (nn.BroadcastAdd(), ((3, 4), (3, 4, 1))),
    (nn.MatMul(), ((3, 2, 4), (3, 5, 4))),
    (nn.MatMul(), ((3, 2, 4), (2, 4, 5))),
    (nn.Where(), ((3, 4), (3, 4))),
    (nn.Where(), ((3, 4), (3, 4), (3, 3))),
    (nn.Where(), ((3, 4), (3, 4), (4,))),
    (nn.Scale((4,)), (3, 5)),
    (nn.Scale((4, 2)), (4,)),
    (nn.Shift((2, 1)), (3, 4, 3)),
]


@pytest.mark.parametrize(("layer", "shape"), WRONG_SHAPES, ids=lambda one: repr(one)[:50])
def test_an_input_of_another_shape_is_refused_before_and_while_computing(layer, shape):
    with pytest.raises(ShapeError):
        layer.output_shape(shape)
    with pytest.raises(ShapeError):
        layer(inputs(shape))


@pytest.mark.parametrize(
    ("layer", "mixes"),
    [
        (nn.Reshape((0, -1)), False),
        (nn.Reshape((-1, 4)), True),
        (nn.Permute((0, 2, 1)), False),
        (nn.Permute((1, 0)), True),
        (nn.Slice(1), False),
        (nn.Slice(0), True),
        (nn.Slice(-2), True),  # of an array with two axes, it is the batch
        (nn.Take((0,), axis=1), False),
        (nn.Take((0,), axis=0), True),
        (nn.Expand((-1, 2)), False),
        (nn.Expand((2, -1)), True),
        (nn.Pad(((0, 0), (1, 1))), False),
        (nn.Pad(((0, 1), (0, 0))), True),
        (nn.ReduceSum((1, 2)), False),
        (nn.ReduceSum((1, 0)), True),
        (nn.ReduceMax((-1,)), False),
    ],
    ids=repr,
)
def test_a_layer_says_whether_it_mixes_images(layer, mixes):
    assert layer.mixes_images is mixes


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Reshape((-1, -1)),
        lambda: nn.Reshape((-2, 4)),
        lambda: nn.Permute((0, 2)),
        lambda: nn.Permute((1, 1)),
        lambda: nn.Slice(step=0),
        lambda: nn.Take(()),
        lambda: nn.Expand((0, 2)),
        lambda: nn.Expand((-2, 2)),
        lambda: nn.Pad(((-1, 0),)),
        lambda: nn.ReduceSum(()),
        lambda: nn.PixelShuffle(0),
        lambda: nn.PixelUnshuffle(0),
        lambda: nn.ArgMax(-1),
    ],
)
def test_impossible_arguments_are_refused(make):
    with pytest.raises(PellucidError):
        make()


def test_equal_maxima_share_the_gradient():
    layer, x = nn.ReduceMax((1,)), np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]])
    _, cache = layer.forward(x)
    assert layer.backward(np.array([6.0, 4.0]), cache).tolist() == [[0, 3, 3], [4, 0, 0]]


def test_of_equal_values_the_first_is_the_largest():
    assert nn.ArgMax(1)(np.array([[0.0, 2.0, 2.0]])).tolist() == [[1]]
