"""Pooling: the definition, its gradients, and what goes wrong elsewhere."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import engine, ops
from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.geometry import Window
from pellucid.ops.pooling import pooling_window
from pellucid.testing.gradients import away_from_kinks, check_gradients


def run(layer, x, dy=None):
    """One pass forward and back; dy is ones if not given."""
    y, cache = layer.forward(x, nn.StepContext())
    return y, layer.backward(np.ones_like(y) if dy is None else dy, cache)


def image(*rows):
    """One image of one channel."""
    return np.array(rows, dtype=float)[None, None]


def pooled_by_definition(x, window, of_values):
    """Loops over everything; `of_values` makes a number of a window's values inside the image."""
    N, C, H, W = x.shape
    (OH, OW), (KH, KW), (SH, SW) = window.output_size, window.kernel, window.stride
    (DH, DW), ((top, _), (left, _)) = window.dilation, window.padding
    y = np.empty((N, C, OH, OW))
    for n, c, o, p in product(range(N), range(C), range(OH), range(OW)):
        places = [
            (o * SH + i * DH - top, p * SW + j * DW - left) for i in range(KH) for j in range(KW)
        ]
        values = [x[n, c, h, w] for h, w in places if 0 <= h < H and 0 <= w < W]
        y[n, c, o, p] = of_values(values, places)
    return y


GEOMETRIES = [
    {"kernel_size": 2},
    {"kernel_size": (3, 2), "stride": (2, 3)},
    {"kernel_size": 3, "stride": 1, "padding": 1},
    {"kernel_size": (2, 3), "stride": 4, "padding": (1, 0)},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": 4, "stride": 3, "padding": ((2, 1), (0, 2))},
    {"kernel_size": 3, "stride": 2, "padding": "same"},
    {"kernel_size": (7, 5)},
]


@pytest.mark.parametrize("geometry", [*GEOMETRIES, {"kernel_size": 3, "stride": 1, "dilation": 2}])
def test_max_pooling_takes_the_largest_value_of_each_window(geometry):
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 5))
    window = pooling_window(x.shape, **geometry)
    expected = pooled_by_definition(x, window, lambda values, _: max(values))
    np.testing.assert_array_equal(nn.MaxPool2d(**geometry)(x), expected)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("count_include_pad", [True, False])
def test_average_pooling_divides_by_the_right_count(geometry, count_include_pad):
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 5))
    window = pooling_window(x.shape, **geometry)
    (top, bottom), (left, right) = window.padding

    def mean(values, places):
        if not count_include_pad:
            return sum(values) / len(values)
        padded = [(h, w) for h, w in places if -top <= h < 7 + bottom and -left <= w < 5 + right]
        return sum(values) / len(padded)

    layer = nn.AvgPool2d(**geometry, count_include_pad=count_include_pad)
    np.testing.assert_allclose(layer(x), pooled_by_definition(x, window, mean), rtol=1e-12)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("layer", [nn.MaxPool2d, nn.AvgPool2d])
def test_the_gradients_are_the_derivatives(layer, geometry):
    x = away_from_kinks((2, 2, 7, 5), np.random.default_rng(0))
    check_gradients(layer(**geometry), x)


@pytest.mark.parametrize("output_size", [1, 3, (2, 4), (None, 2), (9, 8)])
@pytest.mark.parametrize("layer", [nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d])
def test_the_gradients_of_adaptive_pooling_are_the_derivatives(layer, output_size):
    x = away_from_kinks((2, 2, 7, 5), np.random.default_rng(0))
    check_gradients(layer(output_size), x)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_backward_is_the_adjoint_of_forward(data):
    """⟨pool(x), dy⟩ = ⟨x, gradient(dy)⟩; a maximum is linear too once its indices are fixed."""
    side = st.integers(1, 8)
    size = data.draw(st.tuples(side, side))
    kernel = tuple(data.draw(st.integers(1, min(4, s))) for s in size)
    stride = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    ceil_mode = data.draw(st.booleans())
    layers = [
        nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil_mode),
        nn.AvgPool2d(kernel, stride, padding, ceil_mode, data.draw(st.booleans())),
        nn.AdaptiveAvgPool2d(kernel),
        nn.AdaptiveMaxPool2d(kernel),
        nn.GlobalAvgPool2d(),
    ]
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = generator.normal(size=(2, 3, *size))
    for layer in layers:
        dy = generator.normal(size=layer.output_shape(x.shape))
        y, dx = run(layer, x, dy)
        assert np.vdot(y, dy) == pytest.approx(np.vdot(x, dx), rel=1e-12, abs=1e-12)


class TestMaximum:
    @pytest.mark.parametrize("name", engine.NAMES)
    def test_the_gradient_goes_to_the_first_of_equal_maxima_alone(self, name):
        with engine.using(name):
            _, dx = run(nn.MaxPool2d(2), image([1, 5], [5, 5]).astype("float32"))
        np.testing.assert_array_equal(dx, image([0, 1], [0, 0]))

    def test_a_tie_passes_on_as_much_gradient_as_came(self):
        x = np.zeros((3, 4, 6, 6))
        y, dx = run(nn.MaxPool2d(2), x)
        assert dx.sum() == y.size
        y, dx = run(nn.AdaptiveMaxPool2d(4), x)
        assert dx.sum() == y.size

    def test_where_windows_overlap_the_gradients_add(self):
        _, dx = run(nn.MaxPool2d(2, stride=1), image([0, 0, 0], [0, 9, 0], [0, 0, 0]))
        np.testing.assert_array_equal(dx, image([0, 0, 0], [0, 4, 0], [0, 0, 0]))

    def test_a_remainder_under_the_stride_gets_no_output_and_no_gradient(self):
        y, dx = run(nn.MaxPool2d(2), image([1, 2, 9], [3, 4, 9], [9, 9, 9]))
        np.testing.assert_array_equal(y, image([4]))
        np.testing.assert_array_equal(dx, image([0, 0, 0], [0, 1, 0], [0, 0, 0]))

    def test_in_ceil_mode_the_remainder_has_its_partial_windows(self):
        y, dx = run(nn.MaxPool2d(2, ceil_mode=True), image([1, 2, 9], [3, 4, 8], [7, 6, 5]))
        np.testing.assert_array_equal(y, image([4, 9], [7, 5]))
        np.testing.assert_array_equal(dx, image([0, 0, 1], [0, 1, 0], [1, 0, 1]))

    def test_a_partial_window_that_would_begin_in_the_padding_is_left_out(self):
        layer = nn.MaxPool2d(2, stride=2, padding=1, ceil_mode=True)
        assert layer.output_shape((1, 1, 4, 5)) == (1, 1, 3, 3)

    def test_padding_never_wins(self):
        x = image([-3, -2], [-5, -4])
        y, dx = run(nn.MaxPool2d(2, stride=2, padding=1), x)
        np.testing.assert_array_equal(y, x)
        np.testing.assert_array_equal(dx, np.ones_like(x))

    def test_padding_does_not_win_over_minus_infinity_either(self):
        y, dx = run(nn.MaxPool2d(3, padding=1), image([-np.inf, -np.inf], [-np.inf, -np.inf]))
        assert y.item() == -np.inf
        np.testing.assert_array_equal(dx, image([1, 0], [0, 0]))

    def test_a_window_that_misses_the_image_passes_no_gradient(self):
        y, dx = run(nn.MaxPool2d((1, 2), padding=(0, 1), dilation=(1, 3)), image([7, 8]))
        assert y.item() == -np.inf
        np.testing.assert_array_equal(dx, image([0, 0]))

    @pytest.mark.parametrize("place", [(0, 0), (1, 2), (3, 3)])
    def test_what_is_not_a_number_stays_so(self, place):
        x = image([1, 2, 3, 4], [5, 6, 7, 8], [8, 7, 6, 5], [4, 3, 2, 1])
        x[0, 0, *place] = np.nan
        for layer in (nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(2)):
            expected = np.zeros((2, 2), bool)
            expected[place[0] // 2, place[1] // 2] = True
            np.testing.assert_array_equal(np.isnan(layer(x)[0, 0]), expected)

    @pytest.mark.parametrize("name", engine.NAMES)
    def test_the_gradient_of_what_is_not_a_number_goes_to_it(self, name):
        x = image([np.nan, 2], [3, 1]).astype("float32")
        with engine.using(name):
            _, dx = run(nn.MaxPool2d(2), x[..., ::-1])
        np.testing.assert_array_equal(dx, image([0, 1], [0, 0]))

    def test_the_indices_are_small_whatever_the_kernel(self):
        x = np.random.default_rng(0).normal(size=(1, 1, 20, 20))
        assert ops.max_pool2d(x, 16)[1].dtype == np.uint8
        y, indices = ops.max_pool2d(x, 20)
        assert indices.item() == x.argmax()
        assert y.item() == x.max()

    @pytest.mark.parametrize("name", engine.NAMES)
    @pytest.mark.parametrize("place", [(0, 0), (12, 17), (19, 19)])
    def test_in_a_large_window_the_gradient_goes_to_its_maximum(self, name, place):
        x = np.random.default_rng(0).random((2, 3, 20, 20)).astype("float32")
        x[:, :, *place] = 2
        with engine.using(name):
            y, dx = run(nn.MaxPool2d(20), x)
        assert (y == 2).all()
        np.testing.assert_array_equal(dx, x == 2)

    def test_the_indices_of_adaptive_pooling_are_positions_in_the_image(self):
        x = np.random.default_rng(0).normal(size=(2, 3, 7, 5))
        y, indices = ops.adaptive_max_pool2d(x, (3, 2))
        picked = np.take_along_axis(x.reshape(2, 3, 35), indices.reshape(2, 3, 6), axis=2)
        np.testing.assert_array_equal(picked.reshape(y.shape), y)


class TestAverage:
    def test_each_value_of_a_window_receives_the_same_share(self):
        _, dx = run(nn.AvgPool2d(2), np.zeros((1, 1, 2, 4)), np.array([[[[4.0, 8.0]]]]))
        np.testing.assert_array_equal(dx, image([1, 1, 2, 2], [1, 1, 2, 2]))

    def test_padding_counts_or_not_as_asked(self):
        x = np.ones((1, 1, 2, 2))
        assert nn.AvgPool2d(2, padding=1)(x)[0, 0, 0, 0] == 0.25
        assert nn.AvgPool2d(2, padding=1, count_include_pad=False)(x)[0, 0, 0, 0] == 1

    def test_what_ceil_mode_adds_is_never_averaged_over(self):
        x = np.ones((1, 1, 3, 3))
        for include in (True, False):
            layer = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=include)
            np.testing.assert_array_equal(layer(x), np.ones((1, 1, 2, 2)))

    def test_adaptive_cells_cover_the_image_and_overlap_where_they_must(self):
        x = np.arange(5.0).reshape(1, 1, 1, 5)
        y, dx = run(nn.AdaptiveAvgPool2d((1, 3)), x)
        np.testing.assert_allclose(y[0, 0, 0], [0.5, 2, 3.5])
        np.testing.assert_allclose(dx[0, 0, 0], [1 / 2, 1 / 2 + 1 / 3, 1 / 3, 1 / 3 + 1 / 2, 1 / 2])

    @pytest.mark.parametrize("output_size", [1, 2, (5, 3), (10, 1), 7])
    def test_adaptive_pooling_is_the_pooling_of_its_cells(self, output_size):
        x = np.random.default_rng(0).normal(size=(2, 3, 10, 6))
        mean, largest = nn.AdaptiveAvgPool2d(output_size)(x), nn.AdaptiveMaxPool2d(output_size)(x)
        OH, OW = mean.shape[2:]
        for o, p in product(range(OH), range(OW)):
            rows = slice(10 * o // OH, math.ceil(10 * (o + 1) / OH))
            columns = slice(6 * p // OW, math.ceil(6 * (p + 1) / OW))
            cell = x[:, :, rows, columns]
            np.testing.assert_allclose(mean[:, :, o, p], cell.mean(axis=(2, 3)), rtol=1e-12)
            np.testing.assert_array_equal(largest[:, :, o, p], cell.max(axis=(2, 3)))

    def test_the_global_average_is_each_channels_mean(self):
        x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
        y = nn.GlobalAvgPool2d()(x)
        assert y.shape == (2, 3, 1, 1)
        np.testing.assert_allclose(y[:, :, 0, 0], x.mean(axis=(2, 3)), rtol=1e-12)


LAYERS = [
    nn.MaxPool2d(2),
    nn.MaxPool2d(3, 2, 1),
    nn.AvgPool2d(2),
    nn.AvgPool2d(3, 2, 1),
    nn.AdaptiveAvgPool2d(3),
    nn.AdaptiveMaxPool2d(3),
    nn.GlobalAvgPool2d(),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_height_and_width_keep_their_places(layer):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 9))
    y, dx = run(layer, x)
    swapped_y, swapped_dx = run(layer, x.swapaxes(2, 3))
    np.testing.assert_allclose(swapped_y.swapaxes(2, 3), y, rtol=1e-12)
    np.testing.assert_allclose(swapped_dx.swapaxes(2, 3), dx, rtol=1e-12)
    assert nn.MaxPool2d((1, 3)).output_shape((1, 1, 6, 6)) == (1, 1, 6, 2)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_results_have_the_batch_last_in_memory_and_the_inputs_type(layer):
    x = np.random.default_rng(0).normal(size=(5, 3, 6, 8)).astype(np.float32)
    x.flags.writeable = False
    y, dx = run(layer, x)
    for result in (y, dx):
        assert result.dtype == np.float32
        assert result.transpose(1, 2, 3, 0).flags.c_contiguous


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_the_order_in_memory_has_no_meaning(layer):
    x = np.random.default_rng(0).normal(size=(5, 3, 6, 8))
    y, dx = run(layer, x)
    for order in (x.transpose(1, 2, 3, 0).copy().transpose(3, 0, 1, 2), np.asfortranarray(x)):
        np.testing.assert_allclose(run(layer, order)[0], y, rtol=1e-12)
        np.testing.assert_allclose(run(layer, order, np.asfortranarray(y * 0 + 1))[1], dx)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_whole_numbers_are_refused(layer):
    with pytest.raises(PellucidError, match="expects floating-point numbers, got uint8"):
        layer(np.zeros((2, 3, 6, 8), np.uint8))


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_batch_may_be_empty(layer):
    y, dx = run(layer, np.zeros((0, 3, 6, 8), np.float32))
    assert y.shape == layer.output_shape((0, 3, 6, 8))
    assert dx.shape == (0, 3, 6, 8)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.MaxPool2d(0), "kernel_size must be one int or two, each at least 1, not 0"),
        (lambda: nn.MaxPool2d((2, 2, 2)), "kernel_size .* one int or two"),
        (lambda: nn.AvgPool2d(2, stride=0), "stride must be one int or two"),
        (lambda: nn.MaxPool2d(2, padding=2), r"padding 2 is more than half of the kernel \(2, 2\)"),
        (lambda: nn.MaxPool2d(5, padding=3), "padding 3 is more than half"),
        (lambda: nn.AvgPool2d(2, padding=-1), "not negative"),
        (lambda: nn.MaxPool2d(2, dilation=0), "dilation must be one int or two"),
        (lambda: nn.AdaptiveAvgPool2d(0), "output_size must be one int or two, each at least 1"),
        (lambda: nn.AdaptiveMaxPool2d((1, 2, 3)), "output_size .* one int or two"),
        (lambda: nn.MaxPool2d(5).output_shape((1, 1, 4, 9)), "image of 4×9 is too small"),
        (lambda: nn.MaxPool2d(2)(np.zeros((2, 3, 4))), r"\(N, C, H, W\), got \(2, 3, 4\)"),
        (lambda: nn.GlobalAvgPool2d()(np.zeros((2, 3, 0, 4))), r"got \(2, 3, 0, 4\)"),
        (
            lambda: ops.avg_pool2d_gradient(np.ones((1, 1, 2, 2)), (1, 1, 6, 6), 2),
            r"avg_pool2d_gradient expects dy of shape \(1, 1, 3, 3\), got \(1, 1, 2, 2\)",
        ),
    ],
)
def test_what_does_not_fit_is_said(make, said):
    with pytest.raises(PellucidError, match=said):
        make()


def test_a_window_of_the_whole_image_is_a_window_too():
    assert Window.of((2, 3), (2, 3)).output_size == (1, 1)
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_array_equal(nn.MaxPool2d((4, 5))(x)[:, :, 0, 0], x.max(axis=(2, 3)))
