"""Max pooling: the largest number of each window."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import case, exercise, whole


def make(source, N, C, H, W, kernel_size, stride, values="any"):
    if min(H, W) < kernel_size or kernel_size < 1:
        raise ValueError
    x = whole(source, N, C, H, W)
    x = -np.abs(x) if values == "negative" else x
    return {"x": x, "kernel_size": kernel_size, "stride": max(stride, 1)}


ONE = {"N": 1, "C": 1, "H": 4, "W": 4, "kernel_size": 2, "stride": 2}
CASES = [
    case("one image", **ONE),
    case("negative numbers alone", **ONE, values="negative"),
    case("windows that overlap", **ONE | {"stride": 1}),
    case("a remainder", **ONE | {"H": 5, "W": 7}),
    case("everything", N=2, C=3, H=7, W=8, kernel_size=3, stride=2),
]
SPEED = case("many pixels", N=8, C=8, H=28, W=28, kernel_size=2, stride=2)


@exercise(
    chapter=4, title="Max pooling", make=make, cases=CASES, speed=(SPEED, 20_000), slow_passes=True
)
def max_pool2d(x, kernel_size, stride):
    """Return the largest number of each window, in each channel.

    ``y[n, c, o, p] = max over i, j of x[n, c, o·stride + i, p·stride + j]``

    x is (N, C, H, W) and the window kernel_size × kernel_size. A window that does not fit in whole
    is left out.
    """
    return ops.max_pool2d(x, kernel_size, stride)[0]


def _windows(x, kernel_size, stride):
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size,) * 2, axis=(2, 3))
    return windows[:, :, ::stride, ::stride]


@max_pool2d.mistake("It takes the mean.", "The largest number of each window is wanted: max.")
def mean_taken(x, kernel_size, stride):
    return _windows(x, kernel_size, stride).mean(axis=(4, 5))


@max_pool2d.mistake("It takes the smallest number.", "The largest is wanted.")
def smallest_taken(x, kernel_size, stride):
    return _windows(x, kernel_size, stride).min(axis=(4, 5))


@max_pool2d.mistake(
    "No output is below 0.",
    "The search for the maximum starts at 0, which is larger than every negative number. Start at "
    "−∞, or at the window's first number.",
)
def starts_at_zero(x, kernel_size, stride):
    return np.maximum(max_pool2d(x, kernel_size, stride), 0)


@max_pool2d.mistake(
    "It takes the number that is farthest from 0.", "−9 is smaller than 1: no absolute values here."
)
def absolute_values(x, kernel_size, stride):
    return max_pool2d(np.abs(x), kernel_size, stride)


@max_pool2d.mistake(
    "The maximum goes over the channels too.", "Each channel keeps its own: (N, C, OH, OW)."
)
def over_channels(x, kernel_size, stride):
    return np.broadcast_to(
        max_pool2d(x, kernel_size, stride).max(axis=1, keepdims=True),
        max_pool2d(x, kernel_size, stride).shape,
    )


@max_pool2d.mistake("The stride is ignored.", "Window (o, p) starts at row o·stride.")
def stride_ignored(x, kernel_size, stride):
    return max_pool2d(x, kernel_size, 1)


@max_pool2d.mistake(
    "The windows move by their own size instead of the stride.",
    "Windows may overlap: window (o, p) starts at row o·stride, column p·stride.",
)
def moves_by_the_kernel(x, kernel_size, stride):
    return max_pool2d(x, kernel_size, kernel_size)


@max_pool2d.mistake(
    "The remainder at the edge gives outputs too.",
    "A window that does not fit in whole is left out.",
)
def remainder_kept(x, kernel_size, stride):
    return ops.max_pool2d(x, kernel_size, stride, ceil_mode=True)[0]


@max_pool2d.mistake("The last window is lost.", "A window fits (H − K) // stride + 1 times.")
def last_window_lost(x, kernel_size, stride):
    H, W = x.shape[2:]
    y = max_pool2d(x, kernel_size, stride)
    return y[:, :, : (H - kernel_size) // stride, : (W - kernel_size) // stride]


@max_pool2d.mistake("Rows and columns are swapped in the output.", "First the rows: (OH, OW).")
def output_transposed(x, kernel_size, stride):
    return max_pool2d(x, kernel_size, stride).transpose(0, 1, 3, 2)
