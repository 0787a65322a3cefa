"""Patches to columns."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def make(source, N, C, H, W, KH, KW, stride, padding):
    if min(H + 2 * padding - KH, W + 2 * padding - KW) < 0 or min(KH, KW) < 1:
        raise ValueError
    return {
        "x": whole(source, N, C, H, W),
        "kernel_size": (KH, KW),
        "stride": max(stride, 1),
        "padding": padding,
    }


ONE = {"N": 1, "C": 1, "H": 3, "W": 3, "KH": 2, "KW": 2, "stride": 1, "padding": 0}
CASES = [
    case("one image of 3×3", **ONE),
    case("neither image nor kernel square", **ONE | {"W": 4, "KW": 3}),
    case("two channels", **ONE | {"C": 2}),
    case("padding", **ONE | {"padding": 1}),
    case("stride 2", **ONE | {"H": 5, "W": 6, "stride": 2}),
    case("everything", N=2, C=3, H=5, W=7, KH=3, KW=2, stride=2, padding=1),
]
SPEED = case("many pixels", N=16, C=8, H=28, W=28, KH=3, KW=3, stride=1, padding=1)


@exercise(
    chapter=3,
    title="Patches to columns",
    make=make,
    cases=CASES,
    returns=("columns",),
    speed=(SPEED, 20_000),
)
def im2col(x, kernel_size, stride=1, padding=0):
    """Return what each output of a convolution reads, as a column.

    ``columns[n, (c·KH + i)·KW + j, o·OW + p] = x̂[n, c, o·stride + i, p·stride + j]``

    x̂ is x (N, C, H, W) with `padding` zeros on each side, and (KH, KW) is `kernel_size`. The result
    is (N, C·KH·KW, OH·OW). Go over the KH·KW positions of the kernel in Python, and let NumPy go
    over the pixels.
    """
    KH, KW = kernel_size
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]  # (N, C, OH, OW, KH, KW)
    N, C, OH, OW = windows.shape[:4]
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(N, C * KH * KW, OH * OW)


def _as_six(columns, x, kernel_size, stride, padding):
    """Return the columns as (N, C, KH, KW, OH, OW)."""
    KH, KW = kernel_size
    OH = (x.shape[2] + 2 * padding - KH) // stride + 1
    return columns.reshape(len(x), x.shape[1], KH, KW, OH, -1)


def _reordered(axes, x, *geometry):
    six = _as_six(im2col(x, *geometry), x, *geometry)
    return six.transpose(axes).reshape(len(x), -1, six.shape[4] * six.shape[5])


@im2col.mistake(
    "Each column goes through its patch column by column.",
    "Inside a patch, j changes fastest: (c·KH + i)·KW + j.",
)
def patch_column_by_column(x, *geometry):
    return _reordered((0, 1, 3, 2, 4, 5), x, *geometry)


@im2col.mistake(
    "In each column, the channel changes fastest.",
    "All numbers of a channel's patch stand together: (c·KH + i)·KW + j.",
)
def channels_fastest(x, *geometry):
    return _reordered((0, 2, 3, 1, 4, 5), x, *geometry)


@im2col.mistake("The columns go down the image first.", "They go along its rows: column o·OW + p.")
def positions_column_by_column(x, *geometry):
    return _reordered((0, 1, 2, 3, 5, 4), x, *geometry)


@im2col.mistake(
    "The patches are rows, not columns.", "The result is (N, C·KH·KW, OH·OW): a patch per column."
)
def patches_as_rows(x, *geometry):
    return im2col(x, *geometry).swapaxes(1, 2)


@im2col.mistake(
    "Rows and columns are mixed up by reshaping without transposing.",
    "reshape only cuts numbers anew in the order in which they lie. Bring the axes into their "
    "order (N, C, KH, KW, OH, OW) with transpose first.",
)
def reshaped_without_transposing(x, *geometry):
    columns = im2col(x, *geometry)
    six = _as_six(columns, x, *geometry).transpose(0, 1, 4, 5, 2, 3)
    return six.reshape(columns.shape)


@im2col.mistake("The padding is ignored.", "Put zeros around x first.")
def padding_ignored(x, kernel_size, stride, padding):
    return im2col(x, kernel_size, stride, 0)


@im2col.mistake("Padding is put at the top and on the left only.", "It belongs on all four sides.")
def padding_on_one_side(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding, 0), (padding, 0)))
    return im2col(x, kernel_size, stride, 0)


@im2col.mistake("The stride is ignored.", "Patch (o, p) starts at row o·stride, column p·stride.")
def stride_ignored(x, kernel_size, stride, padding):
    return im2col(x, kernel_size, 1, padding)


@im2col.mistake(
    "The kernel is flipped.", "Number (i, j) of a patch is x̂[o + i, p + j], counted from its start."
)
def kernel_flipped(x, *geometry):
    six = _as_six(im2col(x, *geometry), x, *geometry)[:, :, ::-1, ::-1]
    return six.reshape(len(x), -1, six.shape[4] * six.shape[5])
