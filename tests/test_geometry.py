"""The arithmetic of sizes: how often a window fits, where it reads, and what padding names mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import ShapeError
from pellucid.geometry import Window, pair, resolve_padding, transposed_size
from pellucid.testing.strategies import windows


def taps(window):
    """Yield (i, j, where it reads in the padded image) for every position of the kernel."""
    for i, j in np.ndindex(window.kernel):
        yield i, j, window.tap(i, j)


def positions(window):
    """Where each output reads along one side of the padded image, by the definition."""
    size, kernel = window.padded_size[0], window.kernel[0]
    stride, dilation = window.stride[0], window.dilation[0]
    starts = range(0, size, stride)
    reads = [[start + k * dilation for k in range(kernel)] for start in starts]
    return [read for read in reads if read[-1] < size]


@given(windows())
def test_the_output_is_as_large_as_the_kernel_fits_often(window):
    assert window.output_size[0] == len(positions(window))


@given(windows())
def test_a_tap_reads_one_value_for_each_output(window):
    reads = np.array(positions(window))
    rows = np.arange(window.padded_size[0])
    for i, _, (tap, _) in taps(window):
        np.testing.assert_array_equal(rows[tap], reads[:, i])


@given(windows())
def test_a_patch_reads_one_value_for_each_kernel_position(window):
    rows = np.arange(window.padded_size[0])
    for output, reads in enumerate(positions(window)):
        np.testing.assert_array_equal(rows[window.patch(output, 0)[0]], reads)


@given(windows())
def test_taps_inside_the_image_are_the_taps_without_the_padding(window):
    padded = np.zeros(window.padded_size)
    image = np.arange(1.0, np.prod(window.size) + 1).reshape(window.size)
    padded[window.inner] = image
    inner = {(i, j): areas for i, j, *areas in window.inner_taps()}
    for i, j, tap in taps(window):
        outputs, inside = inner[i, j]
        read = np.zeros(window.output_size)
        read[outputs] = image[inside]
        np.testing.assert_array_equal(read, padded[tap])


@given(windows(), st.data())
def test_a_strip_of_the_output_is_the_whole_output_over_a_strip_of_the_image(window, data):
    OH = window.output_size[0]
    start = data.draw(st.integers(0, OH - 1))
    stop = data.draw(st.integers(start + 1, OH))
    rows, part = window.strip(start, stop)
    assert part.output_size == (stop - start, window.output_size[1])
    image = np.random.default_rng(0).normal(size=window.size)
    whole, strip = np.zeros(window.padded_size), np.zeros(part.padded_size)
    whole[window.inner] = image
    strip[part.inner] = image[rows]
    for (*_, everywhere), (*_, here) in zip(taps(window), taps(part), strict=True):
        np.testing.assert_array_equal(strip[here], whole[everywhere][start:stop])


@pytest.mark.parametrize("width", [6, 7, 8, 9])
def test_a_strip_keeps_the_columns_that_ceil_mode_adds(width):
    window = Window.of((9, width), 3, stride=2, ceil_mode=True)
    _, part = window.strip(0, 2)
    assert part.output_size == (2, window.output_size[1]) == (2, -(-(width - 3) // 2) + 1)


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 5), st.integers(1, 3))
def test_same_gives_one_output_for_each_stride(size, kernel, stride, dilation):
    window = Window.of((size, size), kernel, stride=stride, padding="same", dilation=dilation)
    assert window.output_size == (-(-size // stride),) * 2
    top, bottom = window.padding[0]
    assert 0 <= bottom - top <= 1


def test_same_pads_as_tensorflow_says_where_the_stride_counts():
    # TensorFlow's own example: 13 pixels, kernel 6, stride 5 give 3 outputs with 1 + 2 of padding
    assert resolve_padding("same", (13, 13), (6, 6), (5, 5), (1, 1)) == ((1, 2), (1, 2))
    # with stride 2 an even image and a kernel of 3 get nothing in front
    assert resolve_padding("same", (28, 27), (3, 3), (2, 2), (1, 1)) == ((0, 1), (1, 1))


def test_padding_in_all_its_forms():
    def sides(padding):
        return resolve_padding(padding, (8, 8), (3, 3), (1, 1), (1, 1))

    assert sides(2) == ((2, 2), (2, 2))
    assert sides((1, 2)) == ((1, 1), (2, 2))
    assert sides(((1, 2), (3, 4))) == ((1, 2), (3, 4))
    assert sides("valid") == ((0, 0), (0, 0))
    assert sides("same") == ((1, 1), (1, 1))


@pytest.mark.parametrize("padding", [-1, (1, -1), ((1, 2), (3, -4)), "full", (1, 2, 3), 1.5])
def test_wrong_padding_is_named(padding):
    with pytest.raises(ShapeError, match="padding must be an int"):
        Window.of((8, 8), 3, padding=padding)


@pytest.mark.parametrize("argument", ["kernel_size", "stride", "dilation"])
@pytest.mark.parametrize("value", [0, -1, (1, 0), (1, 2, 3), 1.5])
def test_what_cannot_be_a_size_is_named(argument, value):
    arguments = {"kernel_size": 3} | {argument: value}
    with pytest.raises(ShapeError, match=f"{argument} must be one int or two, each at least 1"):
        Window.of((8, 8), **arguments)


def test_an_image_that_is_too_small_is_told():
    with pytest.raises(ShapeError, match="an image of 4×9 is too small for a kernel of 5×5"):
        Window.of((4, 9), 5)


def test_height_comes_before_width():
    window = Window.of((10, 20), (3, 5), stride=(1, 2), padding=(1, 0), dilation=(2, 1))
    assert window.extent == (5, 5)
    assert window.padded_size == (12, 20)
    assert window.output_size == (8, 8)


@given(windows())
@settings(max_examples=50)
def test_a_transposed_convolution_gives_back_the_size(window):
    (H, _), (OH, OW) = window.size, window.output_size
    remainder = (window.padded_size[0] - window.extent[0]) % window.stride[0]
    size = transposed_size(
        (OH, OW), window.kernel, window.stride, window.padding, window.dilation, (remainder, 0)
    )
    assert size[0] == H


def test_a_pair_is_one_number_or_two():
    assert pair(3, "stride") == (3, 3)
    assert pair((1, 2), "stride") == (1, 2)
    assert pair(0, "output_padding", minimum=0) == (0, 0)
