"""Convolution as users call it: options, layers, and the faults of other libraries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d, correlate2d

from pellucid import layers as nn
from pellucid import ops
from pellucid.errors import PellucidError
from pellucid.testing.adjoint import check_adjoint
from pellucid.testing.strategies import convolutions


def normal(*shape):
    return np.random.default_rng(7).normal(size=shape)


def learned(layer, x, dy=None):
    """One pass forward and back; returns y and dx, and leaves the gradients in the layer."""
    y, cache = layer.forward(x, nn.StepContext())
    layer.zero_grad()
    return y, layer.backward(np.ones_like(y) if dy is None else dy, cache)


def conv2d(*arguments, **options):
    return nn.Conv2d(*arguments, **options).astype("float64")


def check_both_gradients(x, weight, options):
    """Convolution is linear in its input and in its weights, and each gradient is its adjoint."""
    check_adjoint(
        lambda x: ops.conv2d(x, weight, **options),
        lambda dy: ops.conv2d_input_gradient(dy, weight, x.shape, **options),
        x,
    )
    check_adjoint(
        lambda weight: ops.conv2d(x, weight, **options),
        lambda dy: ops.conv2d_weight_gradient(dy, x, weight.shape, **options),
        weight,
    )


# What goes wrong elsewhere


def test_every_filter_is_trained_and_every_tap_of_it():
    layer = conv2d(2, 4, 3, padding=1)
    _, dx = learned(layer, normal(3, 2, 6, 5), normal(3, 4, 6, 5))
    assert (layer.weight.grad != 0).all()
    assert (layer.bias.grad != 0).all()
    assert (dx != 0).all()


def test_gradients_of_weight_and_bias_are_sums_over_the_batch_alike():
    layer, x, dy = conv2d(2, 4, 3), normal(3, 2, 6, 5), normal(3, 4, 4, 3)
    learned(layer, x, dy)
    weight, bias = layer.weight.grad.copy(), layer.bias.grad.copy()
    learned(layer, np.concatenate([x, x]), np.concatenate([dy, dy]))
    np.testing.assert_allclose(layer.weight.grad, 2 * weight)
    np.testing.assert_allclose(layer.bias.grad, 2 * bias)
    np.testing.assert_allclose(bias, dy.sum(axis=(0, 2, 3)))


@pytest.mark.parametrize("algorithm", ["loops", "im2col", "fft"])
def test_a_remainder_under_the_stride_is_left_out_and_gets_no_gradient(algorithm):
    layer = conv2d(1, 1, 2, stride=3, algorithm=algorithm)
    y, dx = learned(layer, normal(1, 1, 7, 6))  # rows 0 1 · 3 4 · ·, columns 0 1 · 3 4 ·
    assert y.shape == (1, 1, 2, 2)
    used = np.zeros((7, 6), bool)
    used[np.ix_([0, 1, 3, 4], [0, 1, 3, 4])] = True
    np.testing.assert_array_equal(abs(dx[0, 0]) > 1e-12, used)


@pytest.mark.parametrize("padding", [1, (2, 0), ((0, 3), (1, 2)), "same", "valid"], ids=str)
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_backward_works_with_padding(padding, mode):
    layer, x = conv2d(2, 3, (3, 4), padding=padding, padding_mode=mode), normal(2, 2, 6, 7)
    y, dx = learned(layer, x)
    assert y.shape == layer.output_shape(x.shape)
    assert dx.shape == x.shape


@pytest.mark.parametrize("algorithm", ["loops", "im2col", "fft"])
def test_height_and_width_are_not_swapped(algorithm):
    x, weight = normal(2, 3, 9, 5), normal(4, 3, 2, 3)
    options = {"stride": (3, 1), "padding": (0, 2), "dilation": (2, 1), "algorithm": algorithm}
    turned = {k: v[::-1] if isinstance(v, tuple) else v for k, v in options.items()}
    y = ops.conv2d(x, weight, **options)
    assert y.shape == (2, 4, 3, 7)
    lying = ops.conv2d(x.swapaxes(2, 3), weight.swapaxes(2, 3), **turned)
    np.testing.assert_allclose(lying, y.swapaxes(2, 3), atol=1e-12)


# Options


def test_functions_use_the_algorithm_that_they_are_told():
    x, w = np.ones((1, 1, 6, 6)), np.ones((1, 1, 3, 3))
    options = {"stride": 2, "algorithm": "winograd"}  # which has stride 1 alone
    dy = np.ones((1, 1, 2, 2))
    for compute in (
        lambda: ops.conv2d(x, w, **options),
        lambda: ops.conv2d_input_gradient(dy, w, x.shape, **options),
        lambda: ops.conv2d_weight_gradient(dy, x, w.shape, **options),
    ):
        with pytest.raises(PellucidError, match="winograd"):
            compute()


def test_without_options_functions_convolve_with_stride_1_and_without_padding():
    generator = np.random.default_rng(0)
    x, w = generator.normal(size=(1, 1, 5, 6)), generator.normal(size=(1, 1, 3, 2))
    y, wide = correlate2d(x[0, 0], w[0, 0], "valid"), convolve2d(x[0, 0], w[0, 0], "full")
    np.testing.assert_allclose(ops.conv2d(x, w)[0, 0], y)
    np.testing.assert_allclose(ops.conv_transpose2d(x, w)[0, 0], wide)
    for layer, expected in (
        (nn.Conv2d(1, 1, (3, 2), bias=False), y),
        (nn.ConvTranspose2d(1, 1, (3, 2), bias=False), wide),
    ):
        layer.astype("float64").weight.value = w
        np.testing.assert_allclose(layer(x)[0, 0], expected)
    dy = generator.normal(size=y.shape)
    dx = ops.conv2d_input_gradient(dy[None, None], w, x.shape)[0, 0]
    dw = ops.conv2d_weight_gradient(dy[None, None], x, w.shape)[0, 0]
    np.testing.assert_allclose(dx, convolve2d(dy, w[0, 0], "full"))
    np.testing.assert_allclose(dw, correlate2d(x[0, 0], dy, "valid"))
    dy = generator.normal(size=wide.shape)
    dx = ops.conv_transpose2d_input_gradient(dy[None, None], w, x.shape)[0, 0]
    dw = ops.conv_transpose2d_weight_gradient(dy[None, None], x, w.shape)[0, 0]
    np.testing.assert_allclose(dx, correlate2d(dy, w[0, 0], "valid"))
    np.testing.assert_allclose(dw, correlate2d(dy, x[0, 0], "valid"))


def test_groups_are_separate_convolutions():
    x, weight, dy = normal(2, 6, 5, 4), normal(9, 2, 3, 3), normal(2, 9, 3, 2)
    y = ops.conv2d(x, weight, groups=3)
    dx = ops.conv2d_input_gradient(dy, weight, x.shape, groups=3)
    dw = ops.conv2d_weight_gradient(dy, x, weight.shape, groups=3)
    for g in range(3):
        seen, own = slice(2 * g, 2 * g + 2), slice(3 * g, 3 * g + 3)
        part, w, d = x[:, seen], weight[own], dy[:, own]
        np.testing.assert_allclose(y[:, own], ops.conv2d(part, w))
        np.testing.assert_allclose(dx[:, seen], ops.conv2d_input_gradient(d, w, part.shape))
        np.testing.assert_allclose(dw[own], ops.conv2d_weight_gradient(d, part, w.shape))


@pytest.mark.parametrize("algorithm", ["loops", "im2col", "fft", "winograd2", "winograd4"])
def test_a_flipped_kernel_gives_what_mathematics_calls_convolution(algorithm):
    x, weight = normal(1, 1, 6, 5), normal(1, 1, 3, 3)
    options = {"flip_kernel": True, "algorithm": algorithm}
    y = ops.conv2d(x, weight, **options)
    np.testing.assert_allclose(y[0, 0], convolve2d(x[0, 0], weight[0, 0], "valid"), atol=1e-12)
    check_both_gradients(x, weight, options)


@pytest.mark.parametrize(
    ("ours", "numpys"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]
)
def test_other_padding_is_padding_first(ours, numpys):
    x, weight = normal(2, 3, 6, 7), normal(4, 3, 3, 4)
    sides = ((1, 2), (3, 0))
    padded = np.pad(x, ((0, 0), (0, 0), *sides), numpys)
    options = {"padding": sides, "padding_mode": ours, "stride": (1, 2)}
    y = ops.conv2d(x, weight, **options)
    np.testing.assert_allclose(y, ops.conv2d(padded, weight, stride=(1, 2)), atol=1e-12)
    check_both_gradients(x, weight, options)


def test_same_keeps_the_size_and_valid_takes_no_padding():
    x = normal(1, 2, 7, 8)
    assert conv2d(2, 3, (4, 3), padding="same")(x).shape == (1, 3, 7, 8)
    assert conv2d(2, 3, (4, 3), padding="same", stride=2)(x).shape == (1, 3, 4, 4)
    assert conv2d(2, 3, (4, 3), padding="valid")(x).shape == (1, 3, 4, 6)


def test_the_bias_is_added_to_every_output_of_its_filter():
    x, weight = normal(2, 3, 5, 4), normal(2, 3, 3, 3)
    difference = ops.conv2d(x, weight, np.array([1.0, -2.0])) - ops.conv2d(x, weight)
    np.testing.assert_allclose(difference[:, 0], 1)
    np.testing.assert_allclose(difference[:, 1], -2)


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.booleans())
def test_transposed_convolution_is_the_input_gradient(case, flip):
    window = case.window
    spare = tuple(
        (padded - extent) % stride
        for padded, extent, stride in zip(
            window.padded_size, window.extent, window.stride, strict=True
        )
    )
    options = {
        "stride": window.stride,
        "padding": window.padding,
        "dilation": window.dilation,
        "groups": case.groups,
        "flip_kernel": flip,
    }
    bias = normal(case.x.shape[1])
    y = ops.conv_transpose2d(case.dy, case.weight, bias, output_padding=spare, **options)
    expected = ops.conv2d_input_gradient(case.dy, case.weight, case.x.shape, **options)
    np.testing.assert_allclose(y - bias[:, None, None], expected, atol=1e-12)
    options["output_padding"] = spare
    check_adjoint(
        lambda x: ops.conv_transpose2d(x, case.weight, **options),
        lambda dy: ops.conv_transpose2d_input_gradient(dy, case.weight, case.dy.shape, **options),
        case.dy,
        tolerance=1e-12,
    )
    check_adjoint(
        lambda weight: ops.conv_transpose2d(case.dy, weight, **options),
        lambda dy: ops.conv_transpose2d_weight_gradient(dy, case.dy, case.weight.shape, **options),
        case.weight,
        tolerance=1e-12,
    )


def test_transposed_convolution_by_hand():
    x, weight = np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), np.array([[[[1.0, 10.0]]]])
    y = ops.conv_transpose2d(x, weight, stride=(2, 1))
    np.testing.assert_array_equal(y[0, 0], [[1, 12, 20], [0, 0, 0], [3, 34, 40]])


# NaN and infinity


@pytest.mark.parametrize("algorithm", ["loops", "im2col"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_reach_the_outputs_that_read_them_and_no_others(value, algorithm):
    x, weight = normal(2, 2, 6, 7), abs(normal(3, 2, 3, 3)) + 0.1
    x[1, 0, 2, 3] = value
    y = ops.conv2d(x, weight, padding=1, algorithm=algorithm)
    reached = np.zeros((2, 3, 6, 7), bool)
    reached[1, :, 1:4, 2:5] = True
    np.testing.assert_array_equal(~np.isfinite(y), reached)
    np.testing.assert_array_equal(y[reached], value)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("algorithm", ["fft", "winograd2", "winograd4"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_algorithm_hides_nan_or_lets_it_reach_another_image(value, algorithm):
    x, weight = normal(2, 2, 6, 7), abs(normal(3, 2, 3, 3)) + 0.1
    x[1, 0, 2, 3] = value
    y = ops.conv2d(x, weight, padding=1, algorithm=algorithm)
    assert not np.isfinite(y[1, :, 1:4, 2:5]).any()
    assert np.isfinite(y[0]).all()


# The layers


def test_the_layers_names_kinds_and_beginnings():
    layer = nn.Conv2d(4, 6, (3, 2), groups=2)
    assert {name: p.shape for name, p in layer.named_parameters().items()} == {
        "bias": (6,),
        "weight": (6, 2, 3, 2),
    }
    assert (layer.weight.kind, layer.bias.kind) == ("weight", "bias")
    assert not layer.bias.value.any()
    assert list(nn.Conv2d(4, 6, 3, bias=False).named_parameters()) == ["weight"]
    transposed = nn.ConvTranspose2d(4, 6, (3, 2), groups=2)
    assert transposed.weight.shape == (4, 3, 3, 2)
    assert transposed.bias.shape == (6,)


def test_he_initialisation_keeps_the_size_of_signals_through_relu():
    signal = np.random.default_rng(0).normal(size=(64, 32, 9, 9)).clip(0) * np.sqrt(2)
    for layer in (nn.Conv2d(32, 64, 3), nn.ConvTranspose2d(32, 64, 6, stride=3, padding=3)):
        y = layer.astype("float64")(signal)
        assert 1.6 < (y**2).mean() < 2.4  # twice the input's, of which ReLU leaves half


@pytest.mark.parametrize("make", [nn.Conv2d, nn.ConvTranspose2d])
def test_where_nobody_needs_the_input_gradient_it_is_not_computed(make, monkeypatch):
    layer, x = make(2, 3, 3).astype("float64"), normal(2, 2, 5, 5)
    y, cache = layer.forward(x, nn.StepContext())
    layer.backward(y, cache)
    expected = layer.weight.grad.copy()
    layer.zero_grad()
    name = "conv2d" if make is nn.Conv2d else "conv_transpose2d"
    monkeypatch.delattr(ops, f"{name}_input_gradient")
    layer.backward(y, cache, input_gradient=False)
    np.testing.assert_array_equal(layer.weight.grad, expected)


def test_multiplications_are_counted_by_the_definition():
    assert nn.Conv2d(4, 6, (3, 2), groups=2).multiply_adds((5, 4, 9, 9)) == 5 * 6 * 7 * 8 * 2 * 6
    assert nn.ConvTranspose2d(4, 6, 3).multiply_adds((5, 4, 9, 9)) == 5 * 4 * 81 * 6 * 9
