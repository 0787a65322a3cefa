"""Upsampling: what the nearest and the bilinear image are, and their gradients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import layers as nn
from pellucid import ops
from pellucid.errors import PellucidError, ShapeError
from pellucid.testing.gradients import check_gradients

MODES = [("nearest", False), ("bilinear", False), ("bilinear", True)]


def row(*values):
    """An image of one row."""
    return np.array(values, dtype=float)[None, None, None]


def test_the_nearest_pixel_is_repeated():
    x = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    expected = [[1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2], [3, 3, 3, 4, 4, 4], [3, 3, 3, 4, 4, 4]]
    np.testing.assert_array_equal(nn.Upsample(scale_factor=(2, 3))(x)[0, 0], expected)


def test_between_two_pixels_lies_a_line_and_beyond_the_outermost_centres_the_edge():
    y = nn.Upsample(size=(1, 8), mode="bilinear")(row(0, 8))
    np.testing.assert_allclose(y, row(0, 0, 1, 3, 5, 7, 8, 8), atol=1e-12)


def test_aligned_corners_put_the_first_and_last_centres_upon_each_other():
    y = nn.Upsample(size=(1, 5), mode="bilinear", align_corners=True)(row(0, 8))
    np.testing.assert_allclose(y, row(0, 2, 4, 6, 8), atol=1e-12)
    one = nn.Upsample(size=(1, 1), mode="bilinear", align_corners=True)(row(3, 8))
    np.testing.assert_allclose(one, row(3))


def test_the_two_directions_are_independent():
    generator = np.random.default_rng(0)
    rows, columns = generator.normal(size=4), generator.normal(size=3)
    for mode, align_corners in MODES:
        whole, high, wide = (
            nn.Upsample(size, mode=mode, align_corners=align_corners)
            for size in ((9, 5), (9, 1), (1, 5))
        )
        whole = whole(np.multiply.outer(rows, columns)[None, None])[0, 0]
        high, wide = high(rows[None, None, :, None]), wide(row(*columns))
        np.testing.assert_allclose(whole, np.multiply.outer(high.ravel(), wide.ravel()), atol=1e-12)


@pytest.mark.parametrize(("mode", "align_corners"), MODES)
def test_a_plain_image_stays_plain_and_the_same_size_the_same_image(mode, align_corners):
    layer = nn.Upsample((7, 9), mode=mode, align_corners=align_corners)
    np.testing.assert_allclose(layer(np.full((2, 3, 4, 5), 2.5)), np.full((2, 3, 7, 9), 2.5))
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 9))
    np.testing.assert_array_equal(layer(x), x)
    layer = nn.Upsample(scale_factor=1.1, mode=mode, align_corners=align_corners)
    np.testing.assert_array_equal(layer(x), x)  # ⌊7 · 1.1⌋ = 7, ⌊9 · 1.1⌋ = 9


@pytest.mark.parametrize(("mode", "align_corners"), MODES)
@pytest.mark.parametrize("size", [(7, 9), (2, 3), (1, 1), (4, 8)])
def test_the_gradients_are_the_derivatives(mode, align_corners, size):
    layer = nn.Upsample(size, mode=mode, align_corners=align_corners)
    check_gradients(layer, np.random.default_rng(0).normal(size=(2, 3, 4, 5)))


side = st.integers(1, 9)


@settings(max_examples=50, deadline=None)
@given(st.tuples(side, side), st.tuples(side, side), st.sampled_from(MODES))
def test_backward_is_the_adjoint_of_forward(size, output_size, mode):
    layer = nn.Upsample(output_size, None, *mode)
    generator = np.random.default_rng(0)
    x, dy = generator.normal(size=(2, 3, *size)), generator.normal(size=(2, 3, *output_size))
    y, cache = layer.forward(x, nn.StepContext())
    product = pytest.approx(np.vdot(y, dy), rel=1e-12, abs=1e-12)
    assert np.vdot(x, layer.backward(dy, cache)) == product


def test_the_size_is_rounded_down():
    assert nn.Upsample(scale_factor=1.5).output_shape((2, 3, 5, 7)) == (2, 3, 7, 10)
    assert nn.Upsample(scale_factor=(0.5, 3)).output_shape((2, 3, 5, 7)) == (2, 3, 2, 21)
    assert nn.Upsample(4).output_shape((2, 3, 5, 7)) == (2, 3, 4, 4)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_results_have_the_batch_last_in_memory_and_the_inputs_type(mode):
    x = np.random.default_rng(0).normal(size=(5, 3, 6, 8)).astype(np.float32)
    x.flags.writeable = False
    layer = nn.Upsample(scale_factor=2, mode=mode)
    y, cache = layer.forward(x, nn.StepContext())
    for result in (y, layer.backward(y, cache)):
        assert result.dtype == np.float32
        assert result.transpose(1, 2, 3, 0).flags.c_contiguous


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.Upsample(), "either size or scale_factor"),
        (lambda: nn.Upsample(4, 2), "either size or scale_factor"),
        (lambda: nn.Upsample(0), "size must be one int or two, each at least 1, not 0"),
        (lambda: nn.Upsample(scale_factor=-1), "positive number or two, or None, not -1"),
        (lambda: nn.Upsample(scale_factor=(1, float("nan"))), "positive number or two"),
        (lambda: nn.Upsample(2, mode="linear"), "unknown mode 'linear'; did you mean 'bilinear'"),
        (lambda: nn.Upsample(2, align_corners=True), "align_corners requires mode='bilinear'"),
        (lambda: nn.Upsample(scale_factor=0.1).output_shape((1, 1, 9, 99)), "empty"),
        (lambda: nn.Upsample(2)(np.zeros((1, 1, 4, 4), int)), "floating-point numbers, got int64"),
        (lambda: nn.Upsample(2)(np.zeros((3, 4))), r"\(N, C, H, W\), got \(3, 4\)"),
        (
            lambda: ops.upsample2d_gradient(np.ones((1, 1, 3, 3)), (1, 1, 2, 2), 4),
            r"upsample2d_gradient expects dy of shape \(1, 1, 4, 4\), got \(1, 1, 3, 3\)",
        ),
    ],
)
def test_what_does_not_fit_is_said(make, said):
    with pytest.raises(PellucidError, match=said):
        make()


@pytest.mark.parametrize("factor", [0, -1.0, float("inf"), float("nan"), (2, -2), (1, 2, 3)])
def test_factors_are_positive_numbers(factor):
    with pytest.raises(ShapeError, match="positive number or two"):
        ops.upsample2d(np.ones((1, 1, 4, 4)), scale_factor=factor)
