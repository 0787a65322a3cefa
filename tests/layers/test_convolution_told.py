"""What convolution says about inputs and options that do not fit, and when."""

from itertools import product

import numpy as np
import pytest

from pellucid import engine, ops
from pellucid import layers as nn
from pellucid.errors import PellucidError, ShapeError


def normal(*shape):
    return np.random.default_rng(7).normal(size=shape)


def test_an_input_that_does_not_fit_is_told_in_the_users_terms():
    layer = nn.Conv2d(3, 8, 5)
    message = "Conv2d expects 3 input channels, got an input of shape (64, 1, 28, 28)"
    for call in (layer.output_shape, lambda shape: layer(np.zeros(shape, np.float32))):
        with pytest.raises(ShapeError) as told:
            call((64, 1, 28, 28))
        assert str(told.value) == message
    with pytest.raises(
        ShapeError, match=r"expects images of shape \(N, 3, H, W\), got \(64, 784\)"
    ):
        layer.output_shape((64, 784))
    with pytest.raises(ShapeError, match="4×28 is too small for a kernel of 5×5"):
        layer.output_shape((64, 3, 4, 28))
    with pytest.raises(ShapeError, match="ConvTranspose2d expects 3 input channels"):
        nn.ConvTranspose2d(3, 8, 5).output_shape((64, 1, 28, 28))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "stride must be one int or two"),
        ({"dilation": (1, 0)}, "dilation must be one int or two"),
        ({"padding": -1}, "padding must be an int"),
        ({"padding": "full"}, "padding must be an int"),
        ({"padding_mode": "mirror"}, "padding_mode must be 'zeros', .* not 'mirror'"),
        ({"groups": 2}, "groups must divide in_channels and out_channels, not 3 and 8"),
        ({"groups": 0}, "groups must be an integer of at least 1, not 0"),
        ({"algorithm": "gemm"}, "unknown convolution algorithm 'gemm'"),
        ({"algorithm": "winograd4", "stride": 2}, "stride 1 and dilation 1, not a 3×3 kernel"),
        ({"initializer": "he"}, "unknown initializer 'he'"),
    ],
    ids=str,
)
def test_wrong_options_are_told_when_the_layer_is_made(options, message):
    with pytest.raises(PellucidError, match=message):
        nn.Conv2d(3, 8, 3, **options)


def test_wrong_sizes_are_told_when_the_layer_is_made():
    with pytest.raises(
        ShapeError, match="kernel_size must be one int or two, each at least 1, not 0"
    ):
        nn.Conv2d(3, 8, 0)
    with pytest.raises(PellucidError, match="out_channels must be an integer of at least 1"):
        nn.Conv2d(3, 0, 3)
    with pytest.raises(PellucidError, match="groups must divide in_channels"):
        nn.ConvTranspose2d(4, 3, 3, groups=2)


def test_a_transposed_convolution_that_cannot_be_is_told():
    x, weight = normal(1, 2, 3, 3), normal(2, 4, 3, 3)
    for options, message in (
        (
            {"output_padding": 1},
            r"output_padding \(1, 1\) must be smaller than the stride \(1, 1\)",
        ),
        ({"padding": "same"}, "needs padding as numbers, not 'same'"),
        ({"padding": (3, 0)}, "would make images of -1×5 from 3×3; use less padding"),
        ({"bias": normal(2)}, r"expects a bias of shape \(4,\), got \(2,\)"),
    ):
        with pytest.raises(ShapeError, match=message):
            ops.conv_transpose2d(x, weight, **options)
    with pytest.raises(ShapeError, match=r"expects an input of shape \(N, 2, H, W\)"):
        ops.conv_transpose2d(normal(1, 4, 3, 3), weight)
    with pytest.raises(ShapeError, match="needs padding as numbers"):
        nn.ConvTranspose2d(2, 4, 3, padding="same")
    said = r"\(3, 3\) must be smaller than the stride \(2, 2\) or the dilation \(1, 1\)"
    with pytest.raises(ShapeError, match=said):
        nn.ConvTranspose2d(2, 4, 3, stride=2, output_padding=3)


def test_arrays_that_do_not_fit_together_are_told():
    x, weight = normal(1, 2, 5, 5), normal(4, 2, 3, 3)
    with pytest.raises(ShapeError, match=r"expects an input of shape \(N, 2, H, W\), got \(1, 3, "):
        ops.conv2d(normal(1, 3, 5, 5), weight)
    with pytest.raises(ShapeError, match="4 filters cannot be split into 3 groups"):
        ops.conv2d(normal(1, 6, 5, 5), weight, groups=3)
    with pytest.raises(ShapeError, match=r"expects a bias of shape \(4,\), got \(3,\)"):
        ops.conv2d(x, weight, normal(3))
    with pytest.raises(ShapeError, match=r"shape \(1, 4, 3, 3\), got \(1, 4, 5, 5\)"):
        ops.conv2d_input_gradient(normal(1, 4, 5, 5), weight, x.shape)
    with pytest.raises(ShapeError, match=r"shape \(1, 4, 3, 3\), got \(2, 4, 3, 3\)"):
        ops.conv2d_weight_gradient(normal(2, 4, 3, 3), x, weight.shape)
    with pytest.raises(ShapeError, match=r"a weight must have the shape \(F, C/groups, KH, KW\)"):
        ops.conv2d(x, weight[0])
    with pytest.raises(PellucidError, match="uint8"):
        ops.conv2d(np.zeros((1, 2, 5, 5), np.uint8), weight)
    with pytest.raises(ShapeError, match="'reflect' can add at most 4 pixels"):
        ops.conv2d(x, weight, padding=5, padding_mode="reflect")


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 0},
        {"padding": -1},
        {"dilation": 0},
        {"padding": "same"},
        {"padding": (1, 2, 3)},
        {"algorithm": "unknown"},
        {"algorithm": "winograd4", "stride": 2},
        {"algorithm": "winograd4", "dilation": 2},
        {"algorithm": "depthwise"},
        {"output_padding": 1},
        {"output_padding": -1, "stride": 2},
    ],
)
def test_options_that_no_image_would_fit_are_told_when_a_transposed_layer_is_made(options):
    with engine.using("compiled"), pytest.raises(PellucidError):
        nn.ConvTranspose2d(4, 4, 3, **options)


def test_options_that_some_image_would_fit_are_accepted():
    with engine.using("compiled"):
        nn.ConvTranspose2d(4, 4, 3, groups=4, algorithm="depthwise")
        nn.ConvTranspose2d(4, 4, 3, algorithm="winograd4")
        nn.ConvTranspose2d(4, 4, 3, padding=9, stride=2, dilation=3, output_padding=2)
        nn.Conv2d(4, 4, 3, groups=4, algorithm="depthwise", padding=9, padding_mode="reflect")


@pytest.mark.parametrize(
    "name",
    ["loops", "im2col", "fft", "winograd2", "winograd4", "direct", "depthwise", "auto", "precise"],
)
def test_both_engines_accept_an_algorithm_for_the_same_convolutions(name):
    def accepts(by, *sizes, **options):
        with engine.using(by):
            try:
                nn.Conv2d(*sizes, **options, algorithm=name)
            except PellucidError:
                return False
        return True

    found = set()
    for channels, filters, groups in product((1, 2, 4), (1, 2, 4, 8), (1, 2, 4)):
        if channels % groups or filters % groups:
            continue
        for kernel, stride, dilation in product((1, 3, (3, 1)), (1, 2), (1, 2)):
            given = {"groups": groups, "stride": stride, "dilation": dilation}
            first, second = (
                accepts(by, channels, filters, kernel, **given) for by in ("reference", "compiled")
            )
            assert first == second, (channels, filters, kernel, given)
            found.add(first)
    assert True in found
