"""Upsampling and resizing agree with PyTorch's, for generated sizes and factors."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pellucid import layers as nn
from twins import assert_twins_agree

MODES = [("nearest", False), ("bilinear", False), ("bilinear", True)]
sides = st.tuples(st.integers(1, 12), st.integers(1, 12))
factors = st.sampled_from([0.1, 0.21, 0.3, 1 / 3, 0.5, 0.7, 1.0, 1.1, 1.5, 1.7, 2.0, 2.3, 3.0, 3.7])


def assert_agree(x, mode, align_corners, **arguments):
    corners = align_corners if mode == "bilinear" else None
    ours = nn.Upsample(**arguments, mode=mode, align_corners=align_corners)
    theirs = torch.nn.Upsample(**arguments, mode=mode, align_corners=corners)
    assert_twins_agree(ours, theirs, x)


def images(size):
    return np.random.default_rng(0).normal(size=(2, 3, *size))


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(MODES), sides, sides)
def test_a_given_size_agrees(mode, size, output_size):
    assert_agree(images(size), *mode, size=output_size)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(MODES), sides, st.tuples(factors, factors) | factors)
def test_a_given_factor_agrees(mode, size, factor):
    vertical, horizontal = factor if isinstance(factor, tuple) else (factor, factor)
    assume(int(size[0] * vertical) >= 1)
    assume(int(size[1] * horizontal) >= 1)
    assert_agree(images(size), *mode, scale_factor=factor)


@pytest.mark.parametrize("factor", [1.05, 1.9, 2.1, 2.19, 3.1])
@pytest.mark.parametrize(("mode", "align_corners"), MODES)
def test_a_factor_that_only_nearly_fits_the_output_agrees(mode, align_corners, factor):
    assert_agree(images((5, 7)), mode, align_corners, scale_factor=factor)


@pytest.mark.parametrize("size", [*range(1, 80, 7), 65])
def test_where_rounding_decides_which_pixel_is_the_nearest_it_is_the_same(size):
    x = np.arange(size, dtype=np.float32).reshape(1, 1, size, 1)
    for output_size in range(1, 160):
        expected = torch.nn.Upsample((output_size, 1))(torch.tensor(x))
        np.testing.assert_array_equal(nn.Upsample((output_size, 1))(x), expected.numpy())


@pytest.mark.parametrize(("mode", "align_corners"), MODES)
def test_single_precision_stays_and_agrees(mode, align_corners):
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 5)).astype(np.float32)
    corners = align_corners if mode == "bilinear" else None
    ours = nn.Upsample(scale_factor=2.5, mode=mode, align_corners=align_corners)
    theirs = torch.nn.Upsample(scale_factor=2.5, mode=mode, align_corners=corners)
    assert_twins_agree(ours, theirs, x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("ours", "theirs"), [("linear", "bilinear"), ("cubic", "bicubic")])
@settings(max_examples=40, deadline=None)
@given(size=sides, output_size=sides)
def test_resize_is_interpolate(ours, theirs, align_corners, size, output_size):
    x = images(size)
    expected = torch.nn.functional.interpolate(
        torch.tensor(x), output_size, mode=theirs, align_corners=align_corners
    )
    coordinates = "align_corners" if align_corners else "half_pixel"
    layer = nn.Resize(output_size, mode=ours, coordinates=coordinates)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), [("linear", "bilinear"), ("cubic", "bicubic")])
@pytest.mark.parametrize("output_size", [(3, 4), (6, 2), (7, 9), (10, 12)])
def test_resize_with_antialiasing_is_interpolate(ours, theirs, output_size):
    x = images((7, 9))
    expected = torch.nn.functional.interpolate(
        torch.tensor(x), output_size, mode=theirs, antialias=True
    )
    layer = nn.Resize(output_size, mode=ours, antialias=True, exclude_outside=True, cubic=-0.5)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-9, atol=1e-9)
