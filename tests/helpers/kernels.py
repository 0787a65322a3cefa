"""Inputs for tests of the compiled kernels, and the tolerance for their sums."""

import numpy as np
from hypothesis import strategies as st

from pellucid.compiled import layout
from pellucid.geometry import Window


@st.composite
def convolutions(draw):
    """Draw a window, a number of groups, and small shapes of the input and the weight."""
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = tuple(draw(st.tuples(st.integers(0, 3), st.integers(0, 3))) for _ in range(2))
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple(
        draw(st.integers(max(1, e - sum(p)), e + 6)) for e, p in zip(extent, padding, strict=True)
    )
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    window = Window.of(size, kernel, stride=stride, padding=padding, dilation=dilation)
    if draw(st.integers(0, 3)) == 0:  # one filter for each channel
        groups = C = F = draw(st.sampled_from([2, 5, 17, 33]))
    else:
        groups = draw(st.sampled_from([1, 1, 2, 3]))
        C, F = draw(st.integers(1, 5)) * groups, draw(st.integers(1, 9)) * groups
    N = draw(st.sampled_from([1, 2, 15, 16, 17, 40, 64, 70]))
    return window, groups, (N, C, *size), (F, C // groups, *kernel)


def numbers(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def images(shape, seed=0):
    """Return random images in the memory layout of the compiled engine."""
    return layout.images(layout.memory(numbers(shape, seed)))


def close(found, expected, terms):
    """Assert that sums of `terms` products agree up to the likely rounding error of float32."""
    bound = 4 * np.sqrt(terms) * 2**-23 * max(1.0, float(abs(expected).max(initial=0)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)
