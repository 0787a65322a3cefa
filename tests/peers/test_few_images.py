"""Few images, channels in the lanes: all passes of a convolution agree with PyTorch's float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import compiled
from pellucid.compiled import fused, layout
from pellucid.compiled.conv.deferred import DeferredNorm
from pellucid.contract import Convolution
from pellucid.geometry import Window

CHANNELS = [(3, 16), (16, 24), (64, 64)]


def pairs(smallest, largest):
    return st.tuples(*[st.integers(smallest, largest)] * 2)


@st.composite
def convolutions(draw, kernel_size=None, depthwise=False):
    """A convolution of one to eight images that have enough channels to lie channels last."""
    kernel = draw(pairs(1, 4)) if kernel_size is None else (kernel_size,) * 2
    stride = (1, 1) if kernel_size else draw(pairs(1, 3))
    dilation = (1, 1) if kernel_size else draw(pairs(1, 2))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = draw(pairs(0, 3))
    size = tuple(
        max(draw(st.integers(1, 11)), r - 2 * p) for r, p in zip(reach, padding, strict=True)
    )
    sides = tuple((p, p) for p in padding)
    window = Window.of(size, kernel, stride=stride, dilation=dilation, padding=sides)
    if depthwise:
        C = draw(st.sampled_from([8, 16, 24, 40, 130]))
        return Convolution((draw(st.integers(2, 8)), C, *size), (C, 1, *kernel), window, C)
    C, F = draw(st.sampled_from(CHANNELS))
    return Convolution((draw(st.integers(1, 8)), C, *size), (F, C, *kernel), window)


def passes(by, x, weight, bias, dy, convolution):
    y = by.conv2d(x, weight, bias, convolution)
    dx = by.conv2d_input_gradient(dy, weight, convolution)
    return y, dx, by.conv2d_weight_gradient(dy, x, convolution)


def in_pytorch(x, weight, bias, dy, convolution):
    x, weight, bias, dy = (torch.from_numpy(a).double() for a in (x, weight, bias, dy))
    window = convolution.window
    padding = [top for top, _ in window.padding]
    groups = convolution.groups
    y = torch.nn.functional.conv2d(x, weight, bias, window.stride, padding, window.dilation, groups)
    dx, dw, _ = torch.ops.aten.convolution_backward(
        dy, x, weight, None, window.stride, padding, window.dilation, False, [0, 0], groups,
        (True, True, False),
    )  # fmt: skip
    return y.numpy(), dx.numpy(), dw.numpy()


def numbers(convolution, seed):
    random = np.random.default_rng(seed)
    F = convolution.weight_shape[0]
    shapes = convolution.input_shape, convolution.weight_shape, (F,), convolution.output_shape
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def assert_agree(found, expected, tolerance):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


@given(convolutions(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_convolution_agrees_with_pytorch(convolution, seed):
    assert layout.channels_innermost(convolution.output_shape)
    given_numbers = numbers(convolution, seed)
    found = passes(compiled, *given_numbers, convolution)
    assert_agree(found, in_pytorch(*given_numbers, convolution), 3e-6)


@given(convolutions(depthwise=True), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_depthwise_convolution_agrees_with_pytorch(convolution, seed):
    assert layout.channels_innermost(convolution.output_shape)
    given_numbers = numbers(convolution, seed)
    found = passes(compiled, *given_numbers, convolution)
    assert_agree(found, in_pytorch(*given_numbers, convolution), 3e-6)


@given(convolutions(kernel_size=3), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_winograd_agrees_with_pytorch(convolution, seed):
    given_numbers = numbers(convolution, seed)
    asked = Convolution(
        convolution.input_shape, convolution.weight_shape, convolution.window, 1, "winograd4"
    )
    found = passes(compiled, *given_numbers, asked)
    assert_agree(found, in_pytorch(*given_numbers, convolution), 5e-5)


@pytest.mark.parametrize("algorithm", ["direct", "winograd4"])
@pytest.mark.parametrize("channels", [(16, 24), (64, 64)])
def test_a_norm_is_applied_as_images_are_read_and_a_gradient_is_added_where_it_is_due(
    algorithm, channels
):
    C, F = channels
    window = Window.of((9, 10), 3, padding=1)
    convolution = Convolution((5, C, 9, 10), (F, C, 3, 3), window, 1, algorithm)
    z, weight, _, dy = numbers(convolution, 0)
    norm = np.abs(np.random.default_rng(1).normal(size=(3, C))).astype(np.float32)
    mean, scale, shift = (values[:, None, None] for values in norm)
    x = np.maximum((z - mean) * scale + shift, 0)
    onto = np.random.default_rng(2).normal(size=x.shape).astype(np.float32)
    zeros, deferred = np.zeros(F, np.float32), DeferredNorm(z, norm, relu=True)
    y = fused.conv2d(deferred, weight, None, convolution)
    dw = fused.conv2d_weight_gradient(dy, deferred, convolution)
    dx = fused.conv2d_input_gradient(dy, weight, convolution, onto.copy())
    lying = layout.new_array(x.shape)
    lying[...] = onto
    again = fused.conv2d_input_gradient(dy, weight, convolution, lying)
    expected = in_pytorch(x, weight, zeros, dy, convolution)
    expected = expected[0], expected[1] + onto, expected[2]
    assert_agree((y, dx, dw), expected, 5e-5)
    np.testing.assert_array_equal(dx, again)
