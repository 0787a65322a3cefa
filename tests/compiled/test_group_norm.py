"""Group, instance and layer normalisation, compiled, are those of the reference in float64."""

import numpy as np
import pytest

from kernels import numbers
from pellucid import compiled, reference
from pellucid.reference.normalization import Standardized

SHAPES = [(64, 6, 12, 9), (70, 24, 3, 4), (3, 36, 12, 9), (1, 18, 5, 6), (5, 12), (40, 6, 7)]


def agree(found, expected):
    for ours, exact in zip(found, expected, strict=True):
        if exact is None:
            assert ours is None
            continue
        assert ours.shape == exact.shape
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-5 * max(1, abs(exact).max()))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("groups", [1, 2, 3, 6, "C"])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("offset", [0, 100])
def test_group_norm_agrees_with_the_reference(shape, groups, affine, offset):
    C = shape[1]
    groups = C if groups == "C" else groups
    if groups == C and len(shape) == 2:
        return  # a group of a single value
    x, dy = numbers(shape) * 3 + np.float32(offset), numbers(shape, 1)
    weight, bias = (numbers(C, 2), numbers(C, 3)) if affine else (None, None)
    *found, cache = compiled.group_norm(x, groups, weight, bias, 1e-5)
    assert not isinstance(cache, Standardized)
    *exact, exact_cache = reference.group_norm(
        x.astype(float), groups, *(None if v is None else v.astype(float) for v in (weight, bias)),
        1e-5,
    )  # fmt: skip
    y, mean, var = found
    np.testing.assert_allclose(mean, exact[1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(var, exact[2], rtol=2e-5, atol=1e-6)
    agree([y], exact[:1])
    agree(
        compiled.group_norm_gradient(dy, cache, weight),
        reference.group_norm_gradient(dy.astype(float), exact_cache, weight),
    )


@pytest.mark.parametrize(
    "shape",
    [(64, 3, 12, 9), (70, 5, 9, 11), (3, 36, 5, 9), (1, 18, 5, 6), (5, 12), (70, 33), (40, 6, 7)],
)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("offset", [1, 100])
def test_layer_norm_agrees_with_the_reference(shape, affine, offset):
    x, dy, axes = numbers(shape) * 3 + np.float32(offset), numbers(shape, 1), len(shape) - 1
    weight, bias = (numbers(shape[1:], 2), numbers(shape[1:], 3)) if affine else (None, None)
    y, cache = compiled.layer_norm(x, axes, weight, bias, 1e-5)
    assert not isinstance(cache, Standardized)
    exact, exact_cache = reference.layer_norm(
        x.astype(float), axes, *(None if v is None else v.astype(float) for v in (weight, bias)),
        1e-5,
    )  # fmt: skip
    agree([y], [exact])
    agree(
        compiled.layer_norm_gradient(dy, cache, weight),
        reference.layer_norm_gradient(dy.astype(float), exact_cache, weight),
    )


def test_layer_norm_over_fewer_axes_is_computed_by_numpy():
    x, dy = numbers((4, 3, 5, 6)), numbers((4, 3, 5, 6), 1)
    y, cache = compiled.layer_norm(x, 1, None, None, 1e-5)
    np.testing.assert_allclose(y, reference.layer_norm(x, 1, None, None, 1e-5)[0], atol=1e-6)
    dx, _, _ = compiled.layer_norm_gradient(dy, cache, None)
    assert dx.shape == x.shape
