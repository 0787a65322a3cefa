"""Padding: every mode against NumPy's, its gradient, and what cannot be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import layers as nn
from pellucid import ops
from pellucid.errors import PellucidError, ShapeError
from pellucid.testing.adjoint import AdjointError, check_adjoint
from pellucid.testing.strategies import LAYOUTS, laid_out

# our names and NumPy's
MODES = {
    "constant": "constant",
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


@st.composite
def paddings(draw):
    """Images in some order of memory, and padding that every mode can give them."""
    H, W = draw(st.integers(2, 5)), draw(st.integers(2, 5))
    vertical = draw(st.tuples(*[st.integers(0, H - 1)] * 2))
    horizontal = draw(st.tuples(*[st.integers(0, W - 1)] * 2))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 2)), H, W
    values = np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape)
    return laid_out(values, draw(st.sampled_from(LAYOUTS))), (vertical, horizontal)


@pytest.mark.parametrize("mode", MODES)
@given(case=paddings())
@settings(deadline=None)
def test_padding_is_numpys(mode, case):
    x, sides = case
    expected = np.pad(x, ((0, 0), (0, 0), *sides), MODES[mode])
    np.testing.assert_array_equal(ops.pad2d(x, sides, mode), expected)


@pytest.mark.parametrize("mode", MODES)
@given(case=paddings())
@settings(deadline=None)
def test_the_gradient_is_the_adjoint(mode, case):
    x, sides = case
    check_adjoint(
        lambda x: ops.pad2d(x, sides, mode),
        lambda dy: ops.pad2d_gradient(dy, x.shape, sides, mode),
        x,
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_gradient_that_is_slightly_too_large_is_rejected(mode):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    with pytest.raises(AdjointError):
        check_adjoint(
            lambda x: ops.pad2d(x, 2, mode),
            lambda dy: 1.001 * ops.pad2d_gradient(dy, x.shape, 2, mode),
            x,
        )


def test_reflection_does_not_repeat_the_edge_and_replication_does():
    row = np.array([[[[1.0, 2.0, 3.0]]]])
    assert ops.pad2d(row, (0, 2), "reflect").ravel().tolist() == [3, 2, 1, 2, 3, 2, 1]
    assert ops.pad2d(row, (0, 2), "replicate").ravel().tolist() == [1, 1, 1, 2, 3, 3, 3]
    assert ops.pad2d(row, (0, 2), "circular").ravel().tolist() == [2, 3, 1, 2, 3, 1, 2]


def test_each_pixel_gets_the_gradients_of_all_places_that_hold_it():
    dy = np.ones((1, 1, 1, 7))
    shape, sides = (1, 1, 1, 3), (0, 2)
    gradient = {m: ops.pad2d_gradient(dy, shape, sides, m).ravel().tolist() for m in MODES}
    assert gradient["constant"] == gradient["zeros"] == [1, 1, 1]
    assert gradient["reflect"] == [2, 3, 2]
    assert gradient["replicate"] == [3, 1, 3]
    assert gradient["circular"] == [2, 3, 2]


def test_any_value_can_lie_around_an_image():
    y = ops.pad2d(np.ones((1, 1, 1, 1)), 1, "constant", -np.inf)
    assert np.isneginf(y).sum() == 8


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_result_is_fresh_of_the_same_type_and_the_batch_is_last(mode, dtype):
    x = np.ones((4, 2, 3, 5), dtype)
    for padding in (1, 0):
        y = ops.pad2d(x, padding, mode)
        assert y.dtype == dtype
        assert y.strides[0] == y.itemsize
        assert not np.shares_memory(x, y)
        dx = ops.pad2d_gradient(y, x.shape, padding, mode)
        assert dx.dtype == dtype
        assert not np.shares_memory(dx, y)


def test_padding_that_does_not_fit_is_told():
    x = np.ones((1, 1, 3, 5))
    with pytest.raises(
        ShapeError, match="'reflect' can add at most 2 pixels to a side of 3, not 3"
    ):
        ops.pad2d(x, 3, "reflect")
    with pytest.raises(ShapeError, match="'circular' can add at most 3 pixels to a side of 3"):
        ops.pad2d(x, (4, 0), "circular")
    assert ops.pad2d(x, 4, "replicate").shape == (1, 1, 11, 13)
    with pytest.raises(
        PellucidError, match="unknown padding mode 'reflex'; did you mean 'reflect'"
    ):
        ops.pad2d(x, 1, "reflex")
    with pytest.raises(PellucidError, match="'zeros' takes no value; use 'constant'"):
        ops.pad2d(x, 1, "zeros", 3.0)
    with pytest.raises(PellucidError, match="'same' depends on a kernel"):
        ops.pad2d(x, "same")
    with pytest.raises(ShapeError, match=r"expects images of shape \(N, C, H, W\)"):
        ops.pad2d(x[0], 1)
    with pytest.raises(ShapeError, match=r"expects dy of shape \(1, 1, 5, 7\), got \(1, 1, 3, 5\)"):
        ops.pad2d_gradient(x, x.shape, 1)


def test_the_layer_says_what_is_wrong_when_it_is_made_or_meets_the_image():
    with pytest.raises(PellucidError, match="unknown padding mode"):
        nn.Pad2d(1, mode="mirror")
    with pytest.raises(ShapeError, match="not negative"):
        nn.Pad2d(-1)
    layer = nn.Pad2d(((1, 2), (3, 4)), mode="reflect")
    assert layer.output_shape((2, 3, 9, 9)) == (2, 3, 12, 16)
    with pytest.raises(ShapeError, match="at most 3 pixels"):
        layer.output_shape((2, 3, 9, 4))


def test_the_layer_pads_and_passes_gradients_back():
    x = np.random.default_rng(0).normal(size=(2, 1, 3, 4))
    layer = nn.Pad2d((0, 1), mode="constant", value=7.0)
    y, cache = layer.forward(x)
    assert (y[:, :, :, 0] == 7).all()
    np.testing.assert_array_equal(layer.backward(y, cache), x)
