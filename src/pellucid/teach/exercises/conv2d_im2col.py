"""Convolution as one matrix product."""

from pellucid.teach.exercise import case, exercise
from pellucid.teach.exercises import conv2d as by_loops

conv2d, ONE = by_loops.conv2d, by_loops.ONE

CASES = [
    case("one image, one channel, one filter", **ONE),
    case("two filters, not square", **ONE | {"F": 2, "W": 5}),
    case("two channels", **ONE | {"C": 2, "F": 3}),
    case("stride and padding", **ONE | {"H": 5, "W": 6, "stride": 2, "padding": 1}),
    case("three images", **ONE | {"N": 3, "F": 2}),
    case("everything", N=2, C=3, H=7, W=9, F=4, KH=3, KW=2, stride=2, padding=1),
]
SPEED = case("many pixels", N=8, C=8, H=28, W=28, F=16, KH=3, KW=3, stride=1, padding=1)


@exercise(
    chapter=3,
    title="Convolution as a matrix product",
    make=by_loops.make,
    cases=CASES,
    speed=(SPEED, 20_000),
)
def conv2d_im2col(x, weight, bias, stride=1, padding=0):
    """Return the same as `conv2d`, by one matrix product instead of loops over pixels.

    With the columns of `im2col`, the filters as rows of a matrix (F, C·KH·KW) and the bias as a
    column: ``y = W · columns + b``, which is (N, F, OH·OW), and then (N, F, OH, OW).
    """
    return conv2d(x, weight, bias, stride, padding)


@conv2d_im2col.mistake("The bias is forgotten.", "Add it as a column: bias[:, None].")
def bias_forgotten(x, weight, bias, stride, padding):
    return conv2d(x, weight, 0 * bias, stride, padding)


@conv2d_im2col.mistake(
    "The output is cut into rows of the wrong length.",
    "reshape(N, F, OH, OW): first the rows. With OW and OH swapped, the numbers are in their order "
    "but the lines break elsewhere.",
)
def cut_into_wrong_rows(x, weight, bias, stride, padding):
    y = conv2d(x, weight, bias, stride, padding)
    N, F, OH, OW = y.shape
    return y.reshape(N, F, OW, OH)


@conv2d_im2col.mistake(
    "The filters' numbers are in another order than the columns'.",
    "weight.reshape(F, -1) has the order c, i, j; the columns must have the same.",
)
def filters_in_another_order(x, weight, bias, stride, padding):
    F, C, KH, KW = weight.shape
    other = weight.reshape(F, KH * KW, C).swapaxes(1, 2).reshape(weight.shape)
    return conv2d(x, other, bias, stride, padding)


@conv2d_im2col.mistake(
    "The filters' matrix is transposed by reshaping.",
    "weight.reshape(-1, F) is not the transpose of weight.reshape(F, -1): it cuts the numbers in "
    "other places. Use weight.reshape(F, -1).T.",
)
def filters_transposed_by_reshaping(x, weight, bias, stride, padding):
    F = len(weight)
    return conv2d(x, weight.reshape(-1, F).T.reshape(weight.shape), bias, stride, padding)


@conv2d_im2col.mistake(
    "Batch and filters are mixed up by reshaping.",
    "A product of shape (F, N·OH·OW) becomes (F, N, OH, OW) by reshape, and then (N, F, OH, OW) by "
    "transpose; reshape alone cannot swap axes.",
)
def batch_and_filters_mixed(x, weight, bias, stride, padding):
    y = conv2d(x, weight, bias, stride, padding)
    return y.swapaxes(0, 1).reshape(y.shape)


@conv2d_im2col.mistake(
    "Pixels and filters are mixed up by reshaping.",
    "A product of shape (N, OH·OW, F) becomes (N, F, OH, OW) by transpose and then reshape; "
    "reshape alone cannot swap axes.",
)
def pixels_and_filters_mixed(x, weight, bias, stride, padding):
    y = conv2d(x, weight, bias, stride, padding)
    return y.transpose(0, 2, 3, 1).reshape(y.shape)


@conv2d_im2col.mistake("The padding is ignored.", "Give it to im2col.")
def padding_ignored(x, weight, bias, stride, padding):
    return conv2d(x, weight, bias, stride, 0)


@conv2d_im2col.mistake("The stride is ignored.", "Give it to im2col.")
def stride_ignored(x, weight, bias, stride, padding):
    return conv2d(x, weight, bias, 1, padding)
