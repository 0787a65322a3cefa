"""Initialisers draw from the distributions of their papers."""

import math

import numpy as np
import pytest

from pellucid.initializers import draw, fans

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
