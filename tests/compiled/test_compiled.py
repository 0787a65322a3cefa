"""The compiled kernels compute what the reference computes, for every shape."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import close, convolutions, numbers
from pellucid import compiled, engine, reference
from pellucid import layers as nn
from pellucid.compiled.conv import point_gradient, winograd, winograd_gradient
from pellucid.compiled.conv.deferred import DeferredNorm
from pellucid.contract import Convolution
from pellucid.errors import PellucidError
from pellucid.geometry import Window


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.sampled_from(["direct", "auto"]))
def test_every_convolution_and_its_gradients_are_the_definition(convolution, algorithm):
    window, groups, input_shape, weight_shape = convolution
    x, weight, bias = numbers(input_shape), numbers(weight_shape, 1), numbers(weight_shape[:1], 2)
    wide = x.astype(float), weight.astype(float)
    given = Convolution(input_shape, weight_shape, window, groups, algorithm)
    definition = replace(given, algorithm="im2col")
    y = compiled.conv2d(x, weight, bias, given)
    terms = int(np.prod(weight_shape[1:]))
    close(y, reference.conv2d(*wide, bias.astype(float), definition), terms)
    dy = numbers(y.shape, 3)
    dx = compiled.conv2d_input_gradient(dy, weight, given)
    expected = reference.conv2d_input_gradient(dy.astype(float), wide[1], definition)
    close(dx, expected, terms * weight_shape[0])
    dw = compiled.conv2d_weight_gradient(dy, x, given)
    expected = reference.conv2d_weight_gradient(dy.astype(float), wide[0], definition)
    close(dw, expected, dy.size)


@pytest.mark.parametrize("images", [1, 4, 64])
@pytest.mark.parametrize("algorithm", ["direct", "depthwise", "auto"])
def test_one_filter_a_channel_is_computed_by_each_algorithm_that_can(algorithm, images):
    window = Window.of((5, 6), 3, padding=1)
    x, weight, bias = numbers((images, 32, 5, 6)), numbers((32, 1, 3, 3), 1), numbers(32, 2)
    given = Convolution(x.shape, weight.shape, window, 32, algorithm)
    wide, definition = (x.astype(float), weight.astype(float)), replace(given, algorithm="im2col")
    y = compiled.conv2d(x, weight, bias, given)
    close(y, reference.conv2d(*wide, bias.astype(float), definition), 9)
    dx = compiled.conv2d_input_gradient(y, weight, given)
    close(dx, reference.conv2d_input_gradient(y.astype(float), wide[1], definition), 9)
    dw = compiled.conv2d_weight_gradient(y, x, given)
    expected = reference.conv2d_weight_gradient(y.astype(float), wide[0], definition)
    close(dw, expected, images * 30)


@pytest.mark.parametrize("images", [1, 64])
def test_the_reference_engine_computes_winograd_with_groups(images):
    window = Window.of((9, 10), 3, padding=1)
    x, weight, bias = numbers((images, 32, 9, 10)), numbers((48, 16, 3, 3), 1), numbers(48, 2)
    given = Convolution(x.shape, weight.shape, window, 2, "winograd4")
    y = compiled.conv2d(x, weight, bias, given)
    np.testing.assert_array_equal(y, reference.conv2d(x, weight, bias, given))
    dx = compiled.conv2d_input_gradient(y, weight, given)
    np.testing.assert_array_equal(dx, reference.conv2d_input_gradient(y, weight, given))
    dw = compiled.conv2d_weight_gradient(y, x, given)
    np.testing.assert_array_equal(dw, reference.conv2d_weight_gradient(y, x, given))


@pytest.mark.parametrize("size", [(6, 6), (7, 9), (4, 5), (1, 2), (13, 8)])
@pytest.mark.parametrize("padding", [0, 1, 2, ((2, 0), (1, 2))])
@pytest.mark.parametrize("images", [3, 64])
def test_winograd_fits_any_size_and_padding(size, padding, images):
    try:
        window = Window.of(size, 3, padding=padding)
    except PellucidError:
        return  # no output at all
    x, weight, bias = numbers((images, 5, *size)), numbers((7, 5, 3, 3), 1) / 7, numbers(7, 2)
    definition = Convolution(x.shape, weight.shape, window, algorithm="im2col")
    expected = reference.conv2d(
        x.astype(float), weight.astype(float), bias.astype(float), definition
    )
    y = winograd.forward(x, weight, bias, window)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-4)
    dx = winograd.input_gradient(y, weight, x.shape, window)
    expected = reference.conv2d_input_gradient(expected, weight.astype(float), definition)
    np.testing.assert_allclose(dx, expected, rtol=0, atol=2e-4)
    dw = winograd_gradient.weight_gradient(y, x, weight.shape, window)
    expected = reference.conv2d_weight_gradient(y.astype(float), x.astype(float), definition)
    np.testing.assert_allclose(dw, expected, rtol=0, atol=1e-4 * abs(expected).max())


@pytest.mark.parametrize("images", [1, 5, 64, 150])
@pytest.mark.parametrize(("filters", "channels"), [(8, 8), (18, 33), (128, 80), (10, 16)])
@pytest.mark.parametrize("deferred", [False, True])
def test_weight_gradients_of_1x1_kernels_fit_any_channels_and_images(
    images, filters, channels, deferred
):
    window = Window.of((3, 5), 1)
    x, dy = numbers((images, channels, 3, 5)), numbers((images, filters, 3, 5), 1)
    shape = (filters, channels, 1, 1)
    assert point_gradient.supports(shape, window, 1)
    given = Convolution(x.shape, shape, window, algorithm="direct")
    if deferred:
        norm = numbers((3, channels), 2)
        dw = compiled.conv2d_weight_gradient(dy, DeferredNorm(x, norm, relu=True), given)
        mean, scale, shift = norm[:, :, None, None]
        x = np.maximum((x - mean) * scale + shift, 0)
    else:
        dw = compiled.conv2d_weight_gradient(dy, x, given)
    expected = np.einsum("nfhw,nchw->fc", dy.astype(float), x.astype(float))[..., None, None]
    np.testing.assert_allclose(dw, expected, rtol=0, atol=1e-6 * abs(expected).max() * 10)


@pytest.mark.parametrize("images", [1, 16, 40])
@pytest.mark.parametrize("channels", [3, 40])
@pytest.mark.parametrize(
    ("size", "kernel", "options"),
    [
        ((19, 5), 3, {"padding": 1}),
        ((18, 13), 3, {"stride": 2, "padding": ((1, 0), (0, 1))}),
        ((9, 20), (2, 5), {"dilation": 2, "padding": (1, 4), "stride": (3, 1)}),
    ],
)
def test_depthwise_weight_gradients_fit_any_shape(size, kernel, options, channels, images):
    window = Window.of(size, kernel, **options)
    x, dy = numbers((images, channels, *size)), numbers((images, channels, *window.output_size), 1)
    shape = (channels, 1, *window.kernel)
    given = Convolution(x.shape, shape, window, channels, "depthwise")
    dw = compiled.conv2d_weight_gradient(dy, x, given)
    wide = dy.astype(float), x.astype(float)
    expected = reference.conv2d_weight_gradient(*wide, replace(given, algorithm="im2col"))
    close(dw, expected, images * np.prod(window.output_size))


@pytest.mark.parametrize("order", ["C", "batch last"])
@pytest.mark.parametrize("images", [3, 64])
def test_channels_are_joined_cut_and_added_up_exactly(order, images):
    def made(channels, seed):
        x = numbers((images, channels, 5, 4), seed)
        if order == "C":
            return x
        return np.ascontiguousarray(x.transpose(2, 3, 1, 0)).transpose(3, 2, 0, 1)

    parts = [made(channels, channels) for channels in (3, 1, 17)]
    joined = compiled.concatenate(parts, 1)
    np.testing.assert_array_equal(joined, np.concatenate(parts, 1))
    for piece, part in zip(compiled.split(joined, [3, 4, 21], 1), parts, strict=True):
        np.testing.assert_array_equal(piece, part)
    for count in (1, 2, 3, 5, 6, 11):
        equal = [made(6, seed) for seed in range(count)]
        np.testing.assert_array_equal(compiled.total(equal), sum(equal[1:], equal[0]))


@pytest.mark.parametrize("images", [1, 7, 64, 130])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (33, 5), (100, 70), (400, 10)])
def test_matrix_products_fit_any_size(images, inputs, outputs):
    x, weight, bias = numbers((images, inputs)), numbers((outputs, inputs), 1), numbers(outputs, 2)
    dy = numbers((images, outputs), 3)
    wide = x.astype(float), weight.astype(float), dy.astype(float)
    for found, expected in (
        (compiled.linear(x, weight, bias), wide[0] @ wide[1].T + bias),
        (compiled.linear_input_gradient(dy, weight), wide[2] @ wide[1]),
        (compiled.linear_weight_gradient(dy, x), wide[2].T @ wide[0]),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * (1 + abs(expected).max()))


@pytest.mark.parametrize("e", [compiled, reference])
def test_an_algorithm_that_cannot_do_it_says_so(e):
    window = Window.of((8, 8), 5)
    given = Convolution((1, 2, 8, 8), (2, 2, 5, 5), window)
    for name, reason in ("winograd4", "3×3 kernel"), ("depthwise", "one filter for each channel"):
        with pytest.raises(PellucidError, match=reason):
            e.conv2d_algorithm(replace(given, algorithm=name))


@pytest.mark.parametrize("e", [compiled, reference])
def test_precise_leaves_out_the_algorithm_that_rounds_more(e):
    window, shapes = Window.of((16, 16), 3, padding=1), ((64, 64, 16, 16), (64, 64, 3, 3))
    given = Convolution(*shapes, window)
    assert e.conv2d_algorithm(given) == "winograd4"
    assert e.conv2d_algorithm(replace(given, algorithm="precise")) != "winograd4"


def test_precisely_holds_for_every_convolution_that_chooses():
    x, layer = numbers((64, 32, 9, 9)), nn.Conv2d(32, 32, 3)
    exact = layer.astype("float64")(x.astype(float))
    layer = layer.astype("float32")
    with engine.using("compiled"):
        fast = abs(layer(x) - exact).max()
        with engine.precisely():
            precise = abs(layer(x) - exact).max()
    assert precise < fast / 2


@pytest.mark.parametrize("loss", ["mean_squared_error", "binary_cross_entropy"])
@pytest.mark.parametrize("order", ["C", "batch last"])
def test_losses_of_images_are_those_of_the_reference_in_any_order(loss, order):
    y, t = numbers((5, 3, 33, 40), 1), abs(numbers((5, 3, 33, 40), 2)) % 1
    a = abs(numbers((5, 1, 1, 1), 3)) / y.size
    expected, slopes = getattr(reference, loss)(*(each.astype(float) for each in (y, t, a)))
    if order == "batch last":
        y = np.ascontiguousarray(y.transpose(2, 3, 1, 0)).transpose(3, 2, 0, 1)
    value, gradient = getattr(compiled, loss)(y, t, a)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, slopes, rtol=2e-5, atol=1e-6 * abs(slopes).max())
    assert gradient.strides == y.strides


def test_binary_cross_entropy_counts_infinite_outputs_as_the_reference_does():
    z = np.array([[np.inf, -np.inf, np.inf, -np.inf]], np.float32)
    right = np.array([[1, 0, 1, 0]], np.float32)
    one, none = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)
    for t, a, expected in ((right, one, 0), (1 - right, none, 0), (1 - right, one, np.inf)):
        value, gradient = compiled.binary_cross_entropy(z, t, a)
        assert value == reference.binary_cross_entropy(z, t, a)[0] == expected
        np.testing.assert_array_equal(gradient, a * (right - t))
    assert np.isnan(compiled.binary_cross_entropy(np.full_like(z, np.nan), right, one)[0])
