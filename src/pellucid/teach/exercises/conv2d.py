"""Convolution as a layer does it: batch, channels, filters, bias, stride and padding."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import case, exercise, whole


def make(source, N, C, H, W, F, KH, KW, stride, padding):
    if min(H + 2 * padding - KH, W + 2 * padding - KW) < 0:
        raise ValueError
    return {
        "x": whole(source, N, C, H, W),
        "weight": whole(source, F, C, KH, KW),
        "bias": whole(source, F),
        "stride": max(stride, 1),
        "padding": padding,
    }


ONE = {"N": 1, "C": 1, "H": 4, "W": 4, "F": 1, "KH": 2, "KW": 2, "stride": 1, "padding": 0}
CASES = [
    case("one image, one channel, one filter", **ONE),
    case("two filters", **ONE | {"F": 2}),
    case("two channels", **ONE | {"C": 2}),
    case("padding", **ONE | {"H": 3, "W": 3, "padding": 1}),
    case("stride 2 with a remainder", **ONE | {"H": 6, "W": 6, "KH": 3, "KW": 3, "stride": 2}),
    case("neither image nor kernel square", **ONE | {"H": 4, "W": 6, "KW": 3}),
    case("three images", **ONE | {"N": 3}),
    case("everything", N=2, C=3, H=7, W=9, F=4, KH=3, KW=2, stride=2, padding=1),
]


@exercise(chapter=2, title="Convolution with channels and filters", make=make, cases=CASES)
def conv2d(x, weight, bias, stride=1, padding=0):
    """Return the convolution of images with filters.

    ``y[n, f, o, p] = bias[f] + Σ over c, i, j of
    x̂[n, c, o·stride + i, p·stride + j] · weight[f, c, i, j]``

    x̂ is x with `padding` zeros on each side. x is (N, C, H, W), weight (F, C, KH, KW), bias (F,).
    The result is (N, F, OH, OW) with OH = (H + 2·padding − KH) // stride + 1, and OW likewise.
    Loops are welcome here; chapter 3 makes them fast.
    """
    return ops.conv2d(x, weight, bias, stride=stride, padding=padding)


@conv2d.mistake("The bias is forgotten.", "Add bias[f] to the whole map of filter f.")
def bias_forgotten(x, weight, bias, stride, padding):
    return conv2d(x, weight, 0 * bias, stride, padding)


@conv2d.mistake(
    "It returns inside the loop over filters, after the first one.",
    "`return` leaves the function at once. Move it to the left, behind the loop.",
)
def returned_in_the_filter_loop(x, weight, bias, stride, padding):
    y = conv2d(x, weight, bias, stride, padding)
    y[1:] = 0
    y[0, 1:] = 0
    return y


@conv2d.mistake(
    "Only the first filter is computed.", "Every filter f fills a map of its own, y[:, f]."
)
def first_filter_only(x, weight, bias, stride, padding):
    y = conv2d(x, weight, bias, stride, padding)
    y[:, 1:] = 0
    return y


@conv2d.mistake("Only the first image is computed.", "Loop over the batch as well: y[n].")
def first_image_only(x, weight, bias, stride, padding):
    y = conv2d(x, weight, bias, stride, padding)
    y[1:] = 0
    return y


@conv2d.mistake(
    "The bias is added once for each channel.",
    "Add it once for each output, outside the loop over channels.",
)
def bias_for_each_channel(x, weight, bias, stride, padding):
    return conv2d(x, weight, bias * x.shape[1], stride, padding)


@conv2d.mistake(
    "The bias is added once for each product.",
    "Add it once for each output, outside the sum over c, i and j.",
)
def bias_for_each_product(x, weight, bias, stride, padding):
    return conv2d(x, weight, bias * weight[0].size, stride, padding)


@conv2d.mistake(
    "Padding is put at the top and on the left only.",
    "Zeros belong on all four sides; the output is larger then.",
)
def padding_on_one_side(x, weight, bias, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding, 0), (padding, 0)))
    return conv2d(x, weight, bias, stride, 0)


@conv2d.mistake(
    "The image lies in the corner of the padding.",
    "Put it in the middle: it starts at row `padding` and column `padding`.",
)
def image_in_the_corner(x, weight, bias, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))
    return conv2d(x, weight, bias, stride, 0)


@conv2d.mistake("The padding is ignored.", "Put zeros around x first, then slide the window.")
def padding_ignored(x, weight, bias, stride, padding):
    return conv2d(x, weight, bias, stride, 0)


@conv2d.mistake("The stride is ignored.", "Output o reads from row o·stride on, not from row o on.")
def stride_ignored(x, weight, bias, stride, padding):
    return conv2d(x, weight, bias, 1, padding)


@conv2d.mistake(
    "The output has the right size, but the windows do not move by the stride.",
    "Output (o, p) reads from row o·stride and column p·stride on.",
)
def stride_in_the_size_only(x, weight, bias, stride, padding):
    _, _, OH, OW = conv2d(x, weight, bias, stride, padding).shape
    return conv2d(x, weight, bias, 1, padding)[:, :, :OH, :OW]


@conv2d.mistake(
    "The stride moves the rows only.", "The columns move by the stride too: p·stride + j."
)
def stride_for_rows_only(x, weight, bias, stride, padding):
    return ops.conv2d(x, weight, bias, stride=(stride, 1), padding=padding)


@conv2d.mistake(
    "The last window under the stride is lost.",
    "(H + 2·padding − KH) // stride + 1: the 1 is added after the division.",
)
def last_window_lost(x, weight, bias, stride, padding):
    y = conv2d(x, weight, bias, stride, padding)
    H, W = (s + 2 * padding - k for s, k in zip(x.shape[2:], weight.shape[2:], strict=True))
    return y[:, :, : (H + 1) // stride, : (W + 1) // stride]


@conv2d.mistake(
    "The kernel is flipped.",
    "x̂[…, o + i, p + j] meets weight[…, i, j]: networks do not turn the kernel.",
)
def kernel_flipped(x, weight, bias, stride, padding):
    return conv2d(x, weight[:, :, ::-1, ::-1], bias, stride, padding)


@conv2d.mistake(
    "Rows and columns of the kernel are swapped.", "weight[f, c, i, j]: i is the row, j the column."
)
def kernel_transposed(x, weight, bias, stride, padding):
    return conv2d(x, weight.transpose(0, 1, 3, 2), bias, stride, padding)


@conv2d.mistake(
    "Rows and columns of the output are swapped.", "The result is (N, F, OH, OW): first the rows."
)
def output_transposed(x, weight, bias, stride, padding):
    return conv2d(x, weight, bias, stride, padding).transpose(0, 1, 3, 2)


@conv2d.mistake("Only the first channel is read.", "Sum over all channels c.")
def first_channel_only(x, weight, bias, stride, padding):
    return conv2d(x[:, :1], weight[:, :1], bias, stride, padding)


@conv2d.mistake(
    "Only the last channel is left: each overwrites the one before.",
    "Add what the channels give: +=, not =.",
)
def channels_overwritten(x, weight, bias, stride, padding):
    return conv2d(x[:, -1:], weight[:, -1:], bias, stride, padding)


@conv2d.mistake(
    "The channels are summed twice.",
    "A sum over c, i and j is complete; in a loop over channels, sum over i and j only.",
)
def channels_summed_twice(x, weight, bias, stride, padding):
    return conv2d(x, weight * x.shape[1], bias, stride, padding)


@conv2d.mistake("The channels are averaged.", "They are added; nothing divides by C.")
def channels_averaged(x, weight, bias, stride, padding):
    return conv2d(x, weight / x.shape[1], bias, stride, padding)


@conv2d.mistake(
    "Every channel is convolved with the kernel of the first.", "weight[f, c]: c changes as well."
)
def first_kernel_for_all_channels(x, weight, bias, stride, padding):
    return conv2d(x, np.repeat(weight[:, :1], x.shape[1], axis=1), bias, stride, padding)


@conv2d.mistake("Batch and filters are swapped in the output.", "The result is (N, F, OH, OW).")
def filters_first(x, weight, bias, stride, padding):
    return conv2d(x, weight, bias, stride, padding).swapaxes(0, 1)
