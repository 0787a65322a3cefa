"""The compiled passes over memory, one for several steps, compute what the reference computes."""

import numpy as np
import pytest

import composed
from kernels import numbers
from pellucid import compiled, reference
from pellucid.compiled import fused
from pellucid.compiled.conv.weight_gradient import _shares
from pellucid.compiled.instructions import LANES
from pellucid.contract import Convolution
from pellucid.geometry import Window

FINISHES = [
    (relu, pooled, shortcut)
    for relu in (False, True)
    for pooled in (
        None,
        {"kernel_size": 2, "stride": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1},
    )
    for shortcut in (False, True)
]


@pytest.mark.parametrize(("relu", "pooled", "shortcut"), FINISHES)
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("images", [5, 64])
def test_one_pass_is_the_same_as_one_pass_for_each_step(relu, pooled, shortcut, normalized, images):
    z, around = numbers((images, 5, 6, 8)), numbers((images, 5, 6, 8), 1) if shortcut else None
    window = None if pooled is None else Window.of((6, 8), **pooled)
    weight, bias = numbers(5, 2), numbers(5, 3)
    if normalized:
        results = [
            e.norm_epilogue(z, weight, bias, 1e-5, around, relu, window) for e in (fused, composed)
        ]
        for found, expected in zip(*(r[:3] for r in results), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
        dy = numbers(results[0][0].shape, 4)
        gradients = [
            e.norm_epilogue_gradient(dy, r[3], weight)
            for e, r in zip((fused, composed), results, strict=True)
        ]
    else:
        results = [e.epilogue(z, None, around, relu, window) for e in (fused, composed)]
        np.testing.assert_array_equal(results[0][0], results[1][0])
        dy = numbers(results[0][0].shape, 4)
        gradients = [
            e.epilogue_gradient(dy, r[1]) for e, r in zip((fused, composed), results, strict=True)
        ]
    for found, expected in zip(*gradients, strict=True):
        assert (found is None) == (expected is None)
        if expected is not None:
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=3e-5)


def test_pooling_passes_on_what_is_not_a_number_and_minus_infinity():
    x = np.full((1, 1, 2, 4), -np.inf, np.float32)
    x[0, 0, 1, 3] = np.nan
    window = Window.of((2, 4), 2, stride=2)
    for e in (compiled, reference):
        y, indices = e.max_pool2d(x, window)
        np.testing.assert_array_equal(y.ravel(), [-np.inf, np.nan])
        assert indices.ravel().tolist() == [0, 3]


@pytest.mark.parametrize("kernel", [(3, 3), (5, 1), (1, 1)])
@pytest.mark.parametrize(("size", "shares"), [(3, 1), (9, 2), (13, 4)])
def test_a_weight_gradient_is_the_sum_over_all_shares_of_the_rows(kernel, size, shares):
    window = Window.of(
        (2 * size, 2 * size), kernel, stride=2, padding=(kernel[0] // 2, kernel[1] // 2)
    )
    (OH, OW), weight_shape = window.output_size, (5, 3, *kernel)
    assert LANES != 16 or _shares(OH, OW * 64 // LANES) == shares
    x, dy = numbers((64, 3, 2 * size, 2 * size)), numbers((64, 5, OH, OW), 1)
    convolution = Convolution(x.shape, weight_shape, window, algorithm="direct")
    found = compiled.conv2d_weight_gradient(dy, x, convolution)
    given = (dy.astype(np.float64), x.astype(np.float64))
    expected = reference.conv2d_weight_gradient(*given, convolution)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)
