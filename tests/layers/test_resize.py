"""Resize: every way to say where a pixel comes from, and how it is weighed."""

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid.errors import PellucidError, ShapeError

ROW = np.array([3.0, 1.0, 4.0, 1.0, 5.0])


def resized(new, **ways):
    """A row of pixels at another length."""
    return nn.Resize(size=(1, new), **ways)(ROW.reshape(1, 1, 1, 5)).ravel()


CENTRES = {
    "half_pixel": lambda o, new: (o + 0.5) * 5 / new - 0.5,
    "asymmetric": lambda o, new: o * 5 / new,
    "align_corners": lambda o, new: o * 4 / (new - 1),
}

SCALED = {
    "half_pixel": lambda o, s, new: (o + 0.5) / s - 0.5,
    "half_pixel_symmetric": lambda o, s, new: 2 + (o - (new - 1) / 2) / s,  # about the centre, 2
    "pytorch_half_pixel": lambda o, s, new: (o + 0.5) / s - 0.5 if new > 1 else 0,
    "asymmetric": lambda o, s, new: o / s,
    "align_corners": lambda o, s, new: o * 4 / (5 * s - 1) if new > 1 else 0,
    "tf_half_pixel_for_nn": lambda o, s, new: (o + 0.5) / s,
}
"""Where output o of `new` lies in the row, with a scale that need not be new/5."""


def linear(t, _):
    return max(1 - abs(t), 0)


def cubic(t, a):
    """Keys' kernel."""
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0


def by_definition(positions, kernel, a=-0.75, width=1.0, outside=True):
    """Return the weighted means of the row, whose last pixels are repeated outside."""
    found = []
    for position in positions:
        weights = {i: kernel((position - i) / width, a) for i in range(-40, 46)}
        if not outside:
            weights = {i: weight for i, weight in weights.items() if 0 <= i < 5}
        total = sum(weights.values())
        found.append(sum(w * ROW[min(max(i, 0), 4)] for i, w in weights.items()) / total)
    return found


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


@pytest.mark.parametrize("kernel", [linear, cubic])
@pytest.mark.parametrize("coordinates", SCALED)
@pytest.mark.parametrize("scale", [0.25, 0.5, 0.7, 1.3, 2.0, 2.5])
def test_a_pixel_is_a_weighted_mean_around_its_position(kernel, coordinates, scale):
    new = int(5 * scale)
    positions = [SCALED[coordinates](o, scale, new) for o in range(new)]
    layer = nn.Resize(scale=(1.0, scale), mode=kernel.__name__, coordinates=coordinates)
    found = layer(ROW.reshape(1, 1, 1, 5)).ravel()
    np.testing.assert_allclose(found, by_definition(positions, kernel), rtol=1e-12)


@pytest.mark.parametrize("scale", [0.25, 0.3, 0.7, 1.3, 2.5])
@pytest.mark.parametrize(("kernel", "a"), [(linear, -0.75), (cubic, -0.75), (cubic, -0.5)])
@pytest.mark.parametrize("outside", [True, False])
@pytest.mark.parametrize("antialias", [True, False])
def test_antialiasing_widens_the_kernel_and_what_is_outside_may_count(
    scale, kernel, a, outside, antialias
):
    ways = {"cubic": a, "exclude_outside": not outside, "antialias": antialias}
    positions = [(o + 0.5) / scale - 0.5 for o in range(int(5 * scale))]
    width = max(1 / scale, 1.0) if antialias else 1.0
    expected = by_definition(positions, kernel, a, width, outside)
    layer = nn.Resize(scale=(scale, 1.0), mode=kernel.__name__, **ways)
    found = layer(ROW.reshape(1, 1, 5, 1)).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_height_and_width_have_their_own_factors():
    layer = nn.Resize(scale=(2.0, 0.5), mode="linear")
    assert layer.output_shape((2, 3, 4, 7)) == (2, 3, 8, 3)
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 7))
    rows = nn.Resize(scale=(2.0, 1.0), mode="linear")(x)
    expected = nn.Resize(scale=(1.0, 0.5), mode="linear")(rows)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-12)
    sized = nn.Resize(size=(8, 3), scale=(2.0, 0.5), mode="linear")
    np.testing.assert_array_equal(sized(x), layer(x))


def test_a_size_and_a_scale_that_say_the_same_size_may_differ_in_positions():
    by_scale = nn.Resize(size=(1, 6), scale=(1.0, 1.3), mode="linear")
    found = by_scale(ROW.reshape(1, 1, 1, 5)).ravel()
    positions = [(o + 0.5) / 1.3 - 0.5 for o in range(6)]
    np.testing.assert_allclose(found, by_definition(positions, linear), rtol=1e-12)
    same = nn.Resize(size=(1, 5), scale=(1.0, 1.1), mode="linear")(ROW.reshape(1, 1, 1, 5)).ravel()
    positions = [(o + 0.5) / 1.1 - 0.5 for o in range(5)]
    np.testing.assert_allclose(same, by_definition(positions, linear), rtol=1e-12)


@pytest.mark.parametrize(
    ("scale", "shape"),
    [
        ((0.2, 1.0), (1, 1, 4, 9)),  # no row
        ((1.0, 0.1), (1, 1, 4, 9)),
        ((1e300, 1.0), (1, 1, 4, 9)),
        ((1.0, 2.0**31), (1, 1, 4, 9)),
        ((1.0, 1.0), (1, 0, 4, 9)),
        ((1.0, 1.0), (1, 1, 0, 9)),
        ((1.0, 1.0), (1, 4, 9)),
    ],
)
def test_what_would_have_no_pixels_or_too_many_is_refused(scale, shape):
    with pytest.raises(ShapeError):
        nn.Resize(scale=scale).output_shape(shape)


@pytest.mark.parametrize(
    "wrong", [{}, {"mode": "area"}, {"coordinates": "corner"}, {"rounding": "up"}]
)
def test_rules_that_do_not_exist_are_refused(wrong):
    with pytest.raises(PellucidError):
        nn.Resize(**({"size": (2, 2)} if wrong else {}) | wrong)
