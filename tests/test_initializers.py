"""Initialisers draw from the distributions of their papers."""

import math

import numpy as np
import pytest

from pellucid.errors import PellucidError
from pellucid.initializers import draw, fans, whitening

SHAPES = {
    "matrix": ((300, 200), 200, 300),
    "kernel": ((80, 30, 5, 3), 30 * 15, 80 * 15),
    "groups": ((80, 1, 5, 3), 15, 80 * 15),
}
VARIANCES = {
    "he": lambda fan_in, fan_out: 2 / fan_in,
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "lecun": lambda fan_in, fan_out: 1 / fan_in,
}


@pytest.mark.parametrize("name", SHAPES)
def test_fans_count_what_feeds_an_output_and_what_an_input_feeds(name):
    shape, fan_in, fan_out = SHAPES[name]
    assert fans(shape) == (fan_in, fan_out)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rule", VARIANCES)
@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_the_variance_is_the_papers(rule, kind, shape):
    size, fan_in, fan_out = SHAPES[shape]
    values = draw(f"{rule}_{kind}", size, np.random.default_rng(0))
    variance = VARIANCES[rule](fan_in, fan_out)
    assert values.shape == size
    assert values.var() == pytest.approx(variance, rel=0.1)
    assert abs(values.mean()) < 5 * math.sqrt(variance / values.size)
    widest = abs(values).max() / math.sqrt(variance)
    assert widest == pytest.approx(math.sqrt(3), rel=0.01) if kind == "uniform" else widest > 3


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (8, 3, 2, 2)])
def test_orthogonal_rows_or_columns_have_length_one(shape):
    matrix = draw("orthogonal", shape, np.random.default_rng(0)).reshape(shape[0], -1)
    smaller = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(smaller @ smaller.T, np.eye(len(smaller)), atol=1e-12)


def test_orthogonal_matrices_point_everywhere_alike():
    """Of a uniformly drawn orthogonal matrix each entry has mean 0 and variance 1/n."""
    source = np.random.default_rng(0)
    entries = np.array([draw("orthogonal", (3, 3), source) for _ in range(2000)])
    np.testing.assert_allclose(entries.mean(axis=0), np.zeros((3, 3)), atol=0.07)
    np.testing.assert_allclose(entries.var(axis=0), np.full((3, 3), 1 / 3), atol=0.04)


def test_a_partial_dirac_kernel_copies_each_channel_and_draws_the_other_filters():
    kernel = draw("partial_dirac", (10, 4, 3, 3), np.random.default_rng(0))
    np.testing.assert_array_equal(kernel[:4], draw("dirac", (4, 4, 3, 3), np.random.default_rng()))
    assert 0.9 / 6 < abs(kernel[4:]).max() <= 1 / 6  # uniform on ±1/√fan-in, fan-in 36
    assert kernel[4:].all()


def test_a_dirac_vector_does_not_exist():
    with pytest.raises(PellucidError, match=r"'dirac' is for kernels \(F, C, …\), not \(3,\)"):
        draw("dirac", (3,), np.random.default_rng(0))


def correlated_images(count=40):
    """Images whose neighbouring pixels are alike, of three channels that are alike."""
    noise = np.random.default_rng(0).normal(size=(count, 3, 12, 12))
    noise += 3 * noise.mean(axis=1, keepdims=True)
    return (noise + np.roll(noise, 1, axis=2) + np.roll(noise, 1, axis=3)).astype(np.float32)


@pytest.mark.parametrize("size", [(2, 2), (1, 3)])
def test_whitened_patches_are_uncorrelated_and_of_size_one(size):
    images = correlated_images()
    filters = whitening(images, size, eps=0.0)
    half = len(filters) // 2
    assert filters.shape == (2 * 3 * size[0] * size[1], 3, *size)
    np.testing.assert_array_equal(filters[half:], -filters[:half])
    patches = np.lib.stride_tricks.sliding_window_view(images, size, axis=(2, 3))
    outputs = np.einsum("nchwij,fcij->fnhw", patches, filters[:half]).reshape(half, -1)
    np.testing.assert_allclose(outputs @ outputs.T / outputs.shape[1], np.eye(half), atol=1e-4)


def test_eps_bounds_filters_of_directions_without_variance():
    filters = whitening(np.ones((4, 2, 5, 5)), (2, 2), eps=0.01)
    assert np.linalg.norm(filters.reshape(len(filters), -1), axis=1).max() == pytest.approx(10)
