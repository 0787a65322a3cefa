"""Average pooling and resizing, compiled, are the matrices that the reference multiplies by."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import close, numbers
from pellucid import compiled, engine, ops, reference
from pellucid.geometry import Window

SHAPES = [(64, 3, 12, 9), (70, 20, 7, 8), (3, 33, 12, 9), (1, 16, 5, 6), (5, 2, 8, 8)]


def agree(function, gradient, x, *arguments):
    y = function(x, *arguments)
    with engine.using("reference"):
        expected = function(x.astype(float), *arguments)
    close(y, expected, 20)
    dy = numbers(y.shape, 1)
    dx = gradient(dy, x.shape, *arguments)
    with engine.using("reference"):
        expected = gradient(dy.astype(float), x.shape, *arguments)
    close(dx, expected, 100)
    assert dx.shape == x.shape


@pytest.mark.usefixtures("on_compiled")
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_average_pooling_agrees_with_the_reference(data):
    shape = data.draw(st.sampled_from(SHAPES))
    kernel = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    stride = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    ceil, count = data.draw(st.booleans()), data.draw(st.booleans())
    agree(
        ops.avg_pool2d,
        ops.avg_pool2d_gradient,
        numbers(shape),
        kernel,
        stride,
        padding,
        ceil,
        count,
    )


@pytest.mark.usefixtures("on_compiled")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 2), (5, 5), (11, 17)])
def test_adaptive_pooling_agrees_with_the_reference(shape, size):
    x = numbers(shape)
    y = ops.adaptive_avg_pool2d(x, size)
    close(y, reference.adaptive_avg_pool2d(x.astype(float), size), 40)
    dy = numbers(y.shape, 1)
    dx = ops.adaptive_avg_pool2d_gradient(dy, shape)
    close(dx, reference.adaptive_avg_pool2d_gradient(dy.astype(float), shape), 40)


@pytest.mark.usefixtures("on_compiled")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "options",
    [
        (None, 2), (None, (1.7, 3)), ((3, 20), None), (None, 2, "bilinear"),
        ((17, 5), None, "bilinear", True), (None, (0.6, 2.5), "bilinear"),
    ],
)  # fmt: skip
def test_resizing_agrees_with_the_reference(shape, options):
    agree(ops.upsample2d, ops.upsample2d_gradient, numbers(shape), *options)


def test_a_window_that_has_nothing_to_average_is_left_to_numpy():
    x, window = numbers((2, 8, 1, 1)), Window.of((1, 1), 2, dilation=2, padding=1)
    with np.errstate(invalid="ignore"):
        found = compiled.avg_pool2d(x, window, False)
        np.testing.assert_array_equal(found, reference.avg_pool2d(x, window, False))
