"""Columns back to images: the adjoint of im2col."""

import numpy as np

from pellucid.teach.exercise import Law, case, exercise, whole
from pellucid.teach.exercises import im2col as columns_of
from pellucid.teach.laws import adjoint_error

im2col = columns_of.im2col


def make(source, N, C, H, W, KH, KW, stride, padding):
    given = columns_of.make(source, N, C, H, W, KH, KW, stride, padding)
    columns = im2col(**given)
    return {
        "columns": whole(source, *columns.shape),
        "input_shape": (N, C, H, W),
        "kernel_size": (KH, KW),
        "stride": given["stride"],
        "padding": padding,
    }


ONE = columns_of.ONE
CASES = [
    case("windows beside each other", **ONE | {"H": 4, "W": 4, "stride": 2}),
    case("windows that overlap", **ONE),
    case("padding", **ONE | {"padding": 1}),
    case("two channels, not square", **ONE | {"C": 2, "W": 4, "KW": 3}),
    case("a remainder that no window reads", **ONE | {"H": 5, "W": 5, "stride": 2}),
    case("everything", N=2, C=3, H=5, W=7, KH=3, KW=2, stride=2, padding=1),
]
SPEED = case("many pixels", N=16, C=8, H=28, W=28, KH=3, KW=3, stride=1, padding=1)


def _off(col2im):
    source = np.random.default_rng(0)
    x = source.normal(size=(2, 3, 6, 5))
    return adjoint_error(
        lambda x: im2col(x, (3, 2), 2, 1), lambda c: col2im(c, x.shape, (3, 2), 2, 1), x
    )


@exercise(
    chapter=3,
    title="Columns back to images",
    make=make,
    cases=CASES,
    returns=("x",),
    laws=(Law("⟨im2col(x), c⟩ = ⟨x, col2im(c)⟩", _off),),
    speed=(SPEED, 20_000),
)
def col2im(columns, input_shape, kernel_size, stride=1, padding=0):
    """Return images in which every number of the columns is added to where im2col read it.

    columns is (N, C·KH·KW, OH·OW), as `im2col` gives them for images of `input_shape` (N, C, H, W).
    The result has `input_shape`. Where windows overlap, several numbers belong to one pixel, and
    they add up. What belongs to the padding is dropped.
    """
    (N, C, H, W), (KH, KW) = input_shape, kernel_size
    OH = (H + 2 * padding - KH) // stride + 1
    OW = (W + 2 * padding - KW) // stride + 1
    columns = columns.reshape(N, C, KH, KW, OH, OW)
    x = np.zeros((N, C, H + 2 * padding, W + 2 * padding), columns.dtype)
    for i in range(KH):
        for j in range(KW):
            x[:, :, i : i + stride * OH : stride, j : j + stride * OW : stride] += columns[
                :, :, i, j
            ]
    return x[:, :, padding : padding + H, padding : padding + W]


def _scatter(columns, input_shape, kernel_size, stride, padding, put):
    """Compute `col2im`, with `put` instead of addition."""
    (N, C, H, W), (KH, KW) = input_shape, kernel_size
    OH = (H + 2 * padding - KH) // stride + 1
    OW = (W + 2 * padding - KW) // stride + 1
    columns = columns.reshape(N, C, KH, KW, OH, OW)
    x = np.zeros((N, C, H + 2 * padding, W + 2 * padding), columns.dtype)
    for i in range(KH):
        for j in range(KW):
            put(
                x[:, :, i : i + stride * OH : stride, j : j + stride * OW : stride],
                columns[:, :, i, j],
            )
    return x[:, :, padding : padding + H, padding : padding + W]


@col2im.mistake(
    "Where windows overlap, numbers are overwritten instead of added.",
    "A pixel that several windows read gets the sum of what belongs to it: +=, not =. With arrays "
    "of indices, x[indices] += … adds only once where an index occurs twice; np.add.at adds all.",
)
def overwritten(*given):
    return _scatter(*given, put=lambda place, values: np.copyto(place, values))


@col2im.mistake(
    "Where windows overlap, numbers are averaged.",
    "They add up; nothing is divided by how many there are.",
)
def averaged(columns, *geometry):
    return col2im(columns, *geometry) / np.maximum(col2im(np.ones_like(columns), *geometry), 1)


@col2im.another("overwritten")
def overwritten_window_by_window(columns, input_shape, kernel_size, stride, padding):
    (N, C, H, W), (KH, KW) = input_shape, kernel_size
    OH = (H + 2 * padding - KH) // stride + 1
    OW = (W + 2 * padding - KW) // stride + 1
    columns = columns.reshape(N, C, KH, KW, OH, OW)
    x = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    for o, p in np.ndindex(OH, OW):
        h, w = o * stride, p * stride
        x[:, :, h : h + KH, w : w + KW] = columns[..., o, p]
    return x[:, :, padding : padding + H, padding : padding + W]


@col2im.mistake(
    "The padding is still there.", "Cut it off: x[:, :, padding:padding + H, padding:padding + W]."
)
def padding_left(columns, input_shape, kernel_size, stride, padding):
    N, C, H, W = input_shape
    return col2im(columns, (N, C, H + 2 * padding, W + 2 * padding), kernel_size, stride, 0)


@col2im.mistake(
    "The padding is cut off at the wrong end.",
    "The image lies in the middle of its frame: drop `padding` rows and columns on every side.",
)
def cut_at_the_wrong_end(columns, input_shape, kernel_size, stride, padding):
    H, W = input_shape[2:]
    return padding_left(columns, input_shape, kernel_size, stride, padding)[:, :, :H, :W]


@col2im.mistake(
    "The stride is ignored.", "Window (o, p) starts at row o·stride and column p·stride."
)
def stride_ignored(columns, input_shape, kernel_size, stride, padding):
    (N, C, H, W), (KH, KW) = input_shape, kernel_size
    OH = (H + 2 * padding - KH) // stride + 1
    OW = (W + 2 * padding - KW) // stride + 1
    x = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    x[:, :, : KH + OH - 1, : KW + OW - 1] = col2im(
        columns, (N, C, KH + OH - 1, KW + OW - 1), kernel_size
    )
    return x[:, :, padding : padding + H, padding : padding + W]


@col2im.mistake(
    "Each column is read column by column.", "Inside a patch, j changes fastest: (c·KH + i)·KW + j."
)
def patch_column_by_column(columns, input_shape, kernel_size, stride, padding):
    (N, C), (KH, KW) = input_shape[:2], kernel_size
    turned = columns.reshape(N, C, KW, KH, -1).swapaxes(2, 3).reshape(columns.shape)
    return col2im(turned, input_shape, kernel_size, stride, padding)
