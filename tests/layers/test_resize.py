"""Resize: every way to say where a pixel comes from, and how it is weighed."""

import numpy as np
import pytest

from pellucid import layers as nn

ROW = np.array([3.0, 1.0, 4.0, 1.0, 5.0])


def resized(new, **ways):
    """A row of pixels at another length."""
    return nn.Resize(size=(1, new), **ways)(ROW.reshape(1, 1, 1, 5)).ravel()


CENTRES = {
    "half_pixel": lambda o, new: (o + 0.5) * 5 / new - 0.5,
    "asymmetric": lambda o, new: o * 5 / new,
    "align_corners": lambda o, new: o * 4 / (new - 1),
}


@pytest.mark.parametrize("coordinates", CENTRES)
@pytest.mark.parametrize("new", [2, 3, 4, 7, 12])
def test_linear_is_the_line_between_the_two_neighbours(coordinates, new):
    positions = CENTRES[coordinates](np.arange(new), new)
    expected = np.interp(positions, np.arange(5), ROW)
    found = resized(new, mode="linear", coordinates=coordinates)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("coordinates", "pixel"), [("half_pixel", ROW[2]), ("pytorch_half_pixel", ROW[0])]
)
def test_one_pixel_is_the_middle_or_for_pytorch_the_first(coordinates, pixel):
    assert resized(1, mode="linear", coordinates=coordinates) == [pixel]
    two = resized(2, mode="linear", coordinates=coordinates)
    np.testing.assert_array_equal(two, resized(2, mode="linear", coordinates="half_pixel"))


@pytest.mark.parametrize(
    ("rounding", "round_"),
    [
        ("floor", np.floor),
        ("ceil", np.ceil),
        ("round_prefer_floor", lambda p: np.ceil(p - 0.5)),
        ("round_prefer_ceil", lambda p: np.floor(p + 0.5)),
    ],
)
@pytest.mark.parametrize("new", [2, 4, 10])
def test_nearest_takes_the_pixel_that_its_rounding_says(rounding, round_, new):
    positions = round_(CENTRES["half_pixel"](np.arange(new), new)).clip(0, 4).astype(int)
    found = resized(new, mode="nearest", coordinates="half_pixel", rounding=rounding)
    np.testing.assert_array_equal(found, ROW[positions])


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_at_its_own_size_an_image_stays_as_it_is(mode):
    np.testing.assert_array_equal(resized(5, mode=mode), ROW)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("more", [{}, {"antialias": True}, {"exclude_outside": True}])
@pytest.mark.parametrize("new", [2, 3, 9])
def test_an_image_of_one_colour_keeps_it(mode, more, new):
    y = nn.Resize(size=(new, 4), mode=mode, **more)(np.full((1, 1, 5, 6), 2.5))
    np.testing.assert_allclose(y, 2.5, rtol=1e-12)
