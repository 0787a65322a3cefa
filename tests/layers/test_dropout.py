"""Dropout: what it leaves out, and what it leaves alone."""

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid.errors import PellucidError, ShapeError
from pellucid.testing.gradients import GradientError, check_gradients

LAYERS = pytest.mark.parametrize("Layer", [nn.Dropout, nn.Dropout2d])


@LAYERS
def test_inference_changes_nothing(Layer):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(Layer(0.9)(x), x)


@LAYERS
@pytest.mark.parametrize("p", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_a_share_p_is_left_out_and_the_mean_stays(Layer, p):
    x = np.ones((200, 500, 1, 1), np.float32)
    y, _ = Layer(p).forward(x, nn.StepContext(seed=3))
    assert (y == 0).mean() == pytest.approx(p, abs=0.01)
    kept = y[y != 0]
    np.testing.assert_allclose(kept, 1 / (1 - p) if kept.size else 0, rtol=1e-6)
    assert y.mean() == pytest.approx(1 if p < 1 else 0, abs=0.02)


@LAYERS
def test_the_gradient_goes_where_values_passed(Layer):
    x = np.random.default_rng(0).normal(size=(3, 4, 2, 2))
    check_gradients(Layer(0.4), x)
    training = nn.StepContext(seed=1)
    y, cache = Layer(0.4).forward(x, training)
    dx = Layer(0.4).backward(np.ones_like(x), cache)
    np.testing.assert_array_equal(dx == 0, y == 0)


def test_a_gradient_without_the_division_is_rejected():
    class _Undivided(nn.Dropout):
        def backward(self, dy, cache, *, input_gradient=True):
            return dy * cache

    with pytest.raises(GradientError):
        check_gradients(_Undivided(0.4), np.ones((3, 4)))


def test_whole_channels_are_left_out_by_dropout2d():
    y, _ = nn.Dropout2d(0.5).forward(np.ones((20, 30, 4, 5)), nn.StepContext())
    assert (y == y[:, :, :1, :1]).all()
    assert 0.4 < (y[:, :, 0, 0] == 0).mean() < 0.6
    assert len({tuple(image[:, 0, 0]) for image in y}) > 1


@LAYERS
def test_the_draws_follow_from_the_position_alone(Layer):
    x = np.ones((4, 6, 3, 3), np.float32)

    def draw(x, **position):
        return Layer().forward(x, nn.StepContext(**position))[0]

    first = draw(x, seed=1, epoch=2, step=3)
    batch_last = np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    np.testing.assert_array_equal(draw(x, seed=1, epoch=2, step=3), first)
    np.testing.assert_array_equal(draw(batch_last, seed=1, epoch=2, step=3), first)
    np.testing.assert_array_equal(draw(x.astype(float), seed=1, epoch=2, step=3), first)
    for other in ({"seed": 2}, {"epoch": 1}, {"step": 4}):
        assert (draw(x, **({"seed": 1, "epoch": 2, "step": 3} | other)) != first).any()


def test_two_dropouts_in_one_step_draw_differently():
    training, x = nn.StepContext(), np.ones((4, 50))
    first, _ = nn.Dropout().forward(x, training)
    second, _ = nn.Dropout().forward(x, training)
    assert (first != second).any()


@LAYERS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_and_order_in_memory_are_kept(Layer, dtype):
    x = np.ones((3, 4, 5, 2), dtype).transpose(3, 0, 1, 2)
    y, cache = Layer().forward(x, nn.StepContext())
    dx = Layer().backward(y, cache)
    for result in (y, dx):
        assert (result.dtype, result.strides) == (dtype, x.strides)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_p_is_a_probability(p):
    with pytest.raises(PellucidError, match=r"Dropout: p must be .* from 0 to 1"):
        nn.Dropout(p)


def test_dropout2d_says_that_it_takes_images():
    with pytest.raises(ShapeError, match=r"images \(N, C, H, W\), got shape \(2, 3\)"):
        nn.Dropout2d()(np.ones((2, 3)))
