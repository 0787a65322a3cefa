"""Convolution agrees with PyTorch's: values and all gradients, for generated geometries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import layers as nn
from pellucid import ops
from pellucid.errors import ShapeError
from pellucid.testing.strategies import convolutions
from twins import assert_twins_agree

MODES = ("zeros", "reflect", "replicate", "circular")


def pairs(smallest, largest):
    return st.tuples(*[st.integers(smallest, largest)] * 2)


@st.composite
def layers(draw, transposed=False):
    """Images, channels and the arguments of a convolution that fit together, mostly."""
    arguments = {
        "kernel_size": draw(pairs(1, 4)),
        "stride": draw(pairs(1, 5)),
        "padding": draw(pairs(0, 3)),
        "dilation": draw(pairs(1, 3)),
        "groups": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
    }
    channels, filters = (draw(st.integers(1, 3)) * arguments["groups"] for _ in range(2))
    if transposed:
        arguments["output_padding"] = tuple(
            draw(st.integers(0, max(step, spread) - 1))
            for step, spread in zip(arguments["stride"], arguments["dilation"], strict=True)
        )
    shape = draw(st.integers(1, 3)), channels, *draw(pairs(1, 9))
    x = np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape)
    return x, (channels, filters), arguments


def twins(kind, channels, arguments):
    """Our layer and PyTorch's with the same weights."""
    ours = getattr(nn, kind)(*channels, **arguments).astype("float64")
    theirs = getattr(torch.nn, kind)(*channels, **arguments, dtype=torch.float64)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


@pytest.mark.parametrize("mode", MODES)
def test_convolution_agrees(mode):
    @settings(max_examples=60, deadline=None)
    @given(layers())
    def agrees(case):
        x, channels, arguments = case
        ours, theirs = twins("Conv2d", channels, arguments | {"padding_mode": mode})
        try:
            ours.output_shape(x.shape)
        except ShapeError:
            with pytest.raises(RuntimeError):
                theirs(torch.tensor(x))
        else:
            assert_twins_agree(ours, theirs, x)

    agrees()


@settings(max_examples=100, deadline=None)
@given(layers(transposed=True))
def test_transposed_convolution_agrees(case):
    x, channels, arguments = case
    ours, theirs = twins("ConvTranspose2d", channels, arguments)
    try:
        ours.output_shape(x.shape)
    except ShapeError:
        with pytest.raises(RuntimeError):
            theirs(torch.tensor(x))
    else:
        assert_twins_agree(ours, theirs, x)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("mode", MODES)
def test_named_padding_agrees(padding, mode):
    x = np.random.default_rng(0).normal(size=(2, 3, 9, 8))
    for kernel in (3, (4, 2), (1, 5)):
        for dilation in (1, (2, 1)):
            arguments = {"kernel_size": kernel, "dilation": dilation, "padding": padding}
            arguments["padding_mode"] = mode
            assert_twins_agree(*twins("Conv2d", (3, 4), arguments), x)


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.sampled_from(["loops", "im2col", "fft"]))
def test_any_sides_and_any_order_of_memory_agree(case, algorithm):
    window, (vertical, horizontal) = case.window, case.window.padding
    options = {
        "stride": window.stride,
        "padding": window.padding,
        "dilation": window.dilation,
        "groups": case.groups,
        "algorithm": algorithm,
    }
    x, weight = (torch.tensor(a.copy(), requires_grad=True) for a in (case.x, case.weight))
    y = torch.nn.functional.conv2d(
        torch.nn.functional.pad(x, (*horizontal, *vertical)),
        weight,
        stride=window.stride,
        dilation=window.dilation,
        groups=case.groups,
    )
    y.backward(torch.tensor(case.dy.copy()))
    for ours, theirs in (
        (ops.conv2d(case.x, case.weight, **options), y.detach()),
        (ops.conv2d_input_gradient(case.dy, case.weight, case.x.shape, **options), x.grad),
        (ops.conv2d_weight_gradient(case.dy, case.x, case.weight.shape, **options), weight.grad),
    ):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("algorithm", ["auto", "im2col", "winograd2", "winograd4", "fft"])
def test_layers_of_real_networks_agree_in_float32(algorithm):
    source = np.random.default_rng(0)
    x = source.normal(size=(4, 32, 17, 16)).astype(np.float32)
    ours = nn.Conv2d(32, 48, 3, padding=1, algorithm=algorithm)
    theirs = torch.nn.Conv2d(32, 48, 3, padding=1)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    assert_twins_agree(ours, theirs, x, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_pass_through_alike(value):
    x = np.random.default_rng(0).normal(size=(2, 2, 6, 7))
    x[1, 0, 2, 3] = value
    ours, theirs = twins("Conv2d", (2, 3), {"kernel_size": 3, "padding": 1})
    np.testing.assert_allclose(ours(x), theirs(torch.tensor(x)).detach().numpy(), atol=1e-12)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@settings(max_examples=60, deadline=None)
@given(size=pairs(1, 6), sides=st.tuples(pairs(0, 6), pairs(0, 6)))
def test_padding_agrees(mode, size, sides):
    x = np.random.default_rng(0).normal(size=(2, 3, *size))
    tensor = torch.tensor(x, requires_grad=True)
    (top, bottom), (left, right) = sides
    try:
        y = ops.pad2d(x, sides, mode)
    except ShapeError:
        with pytest.raises((RuntimeError, NotImplementedError)):
            torch.nn.functional.pad(tensor, (left, right, top, bottom), mode)
        return
    theirs = torch.nn.functional.pad(tensor, (left, right, top, bottom), mode)
    np.testing.assert_array_equal(y, theirs.detach().numpy())
    dy = np.random.default_rng(1).normal(size=y.shape)
    theirs.backward(torch.tensor(dy))
    dx = ops.pad2d_gradient(dy, x.shape, sides, mode)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-12, atol=1e-12)
