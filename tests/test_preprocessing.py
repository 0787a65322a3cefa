"""Preprocessing: mean 0 and standard deviation 1 in each channel."""

import numpy as np
import pytest

from pellucid.preprocessing import Preprocessing


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_every_channel_comes_to_mean_0_and_standard_deviation_1(dtype: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3000, 2, 5, 4)).astype(dtype)
    images[:, 1] //= 3
    fitted = Preprocessing.fit(images)
    np.testing.assert_allclose(fitted.mean, images.mean(axis=(0, 2, 3), dtype="f8"), rtol=1e-12)
    np.testing.assert_allclose(fitted.scale, images.std(axis=(0, 2, 3), dtype="f8"), rtol=1e-9)
    y = fitted(images, np.float64)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), [0, 0], atol=1e-9)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), [1, 1], rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1e-3, 254.7, -1e5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_channel_that_never_changes_keeps_its_scale(value: float, dtype: str) -> None:
    """Rounding alone would give it a tiny deviation, and the network huge numbers."""
    fitted = Preprocessing.fit(np.full((1500, 1, 7, 3), value, dtype))
    assert fitted.scale == (1.0,)
    assert fitted.mean == pytest.approx([value], rel=1e-6)


@pytest.mark.parametrize("unit", [1e-9, 1e-30, 1e9])
@pytest.mark.parametrize("mean", [0.0, 0.5])
def test_the_unit_of_the_values_makes_no_difference(unit: float, mean: float) -> None:
    images = np.random.default_rng(1).normal(mean, 1, (50, 2, 5, 4))
    expected = Preprocessing.fit(images)(images, np.float64)
    scaled = unit * images
    np.testing.assert_allclose(Preprocessing.fit(scaled)(scaled, np.float64), expected, rtol=1e-9)
