"""Back through max pooling."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import case, exercise, whole


def make(source, N, C, H, W, kernel_size, stride, ties=False):
    if min(H, W) < kernel_size or kernel_size < 1:
        raise ValueError
    x = source.permutation(np.arange(float(N * C * H * W))).reshape(N, C, H, W) - 5
    x = np.sign(x) if ties else x
    stride = max(stride, 1)
    shape = ops.max_pool2d(x, kernel_size, stride)[0].shape
    return {"dy": whole(source, *shape), "x": x, "kernel_size": kernel_size, "stride": stride}


ONE = {"N": 1, "C": 1, "H": 4, "W": 4, "kernel_size": 2, "stride": 2}
CASES = [
    case("one image", **ONE),
    case("windows that overlap", **ONE | {"H": 5, "W": 5, "kernel_size": 3, "stride": 1}),
    case("several equal maxima", **ONE, ties=True),
    case("a remainder", **ONE | {"H": 5, "W": 7}),
    case("everything", N=2, C=3, H=7, W=8, kernel_size=3, stride=2),
]
SPEED = case("many pixels", N=8, C=8, H=28, W=28, kernel_size=2, stride=2)


@exercise(
    chapter=6,
    title="Back through max pooling",
    make=make,
    cases=CASES,
    speed=(SPEED, 20_000),
    slow_passes=True,
    returns=("dx",),
)
def max_pool2d_backward(dy, x, kernel_size, stride):
    """Return the gradient for max pooling's input x, from the gradient dy for its output.

    Each dy goes to where its window's maximum was; of equal maxima to the first, row by row. Where
    one number is the maximum of several windows, their gradients add up.
    """
    _, indices = ops.max_pool2d(x, kernel_size, stride)
    return ops.max_pool2d_gradient(dy, indices, x.shape, kernel_size, stride)


def _spread(dy, x, kernel_size, stride, shares):
    """Add dy · shares(window) to every window of the input's gradient."""
    dx = np.zeros_like(x)
    for n, c, o, p in np.ndindex(dy.shape):
        rows = slice(o * stride, o * stride + kernel_size)
        columns = slice(p * stride, p * stride + kernel_size)
        dx[n, c, rows, columns] += dy[n, c, o, p] * shares(x[n, c, rows, columns])
    return dx


def _first(window):
    return (np.arange(window.size) == window.argmax()).reshape(window.shape)


@max_pool2d_backward.mistake(
    "Ties are counted several times: every maximum gets the whole gradient.",
    "`window == window.max()` is true for each of them. Use argmax, which finds the first alone.",
)
def ties_counted_several_times(dy, x, kernel_size, stride):
    return _spread(dy, x, kernel_size, stride, lambda w: w == w.max())


@max_pool2d_backward.mistake(
    "Of several equal maxima they share the gradient.", "Here the first takes all of it."
)
def ties_share(dy, x, kernel_size, stride):
    return _spread(dy, x, kernel_size, stride, lambda w: (w == w.max()) / (w == w.max()).sum())


@max_pool2d_backward.mistake(
    "Of several equal maxima the last one gets the gradient.", "Take the first; > instead of >=."
)
def last_of_ties(dy, x, kernel_size, stride):
    return _spread(dy, x, kernel_size, stride, lambda w: _first(w[::-1, ::-1])[::-1, ::-1])


@max_pool2d_backward.mistake(
    "Where windows overlap, gradients are overwritten instead of added.",
    "One number can be the maximum of several windows; then it gets the sum: +=, not =.",
)
def overwritten(dy, x, kernel_size, stride):
    dx = np.zeros_like(x)
    for n, c, o, p in np.ndindex(dy.shape):
        rows = slice(o * stride, o * stride + kernel_size)
        columns = slice(p * stride, p * stride + kernel_size)
        dx[n, c, rows, columns][_first(x[n, c, rows, columns])] = dy[n, c, o, p]
    return dx


@max_pool2d_backward.mistake(
    "Where windows overlap, a window wipes out what the ones before have put there.",
    "Add into the window; do not write the other places anew: dx[…] += dy · mask.",
)
def window_wiped_out(dy, x, kernel_size, stride):
    dx = np.zeros_like(x)
    for n, c, o, p in np.ndindex(dy.shape):
        rows = slice(o * stride, o * stride + kernel_size)
        columns = slice(p * stride, p * stride + kernel_size)
        dx[n, c, rows, columns] = dy[n, c, o, p] * _first(x[n, c, rows, columns])
    return dx


@max_pool2d_backward.mistake(
    "The gradient is spread evenly.", "That is average pooling. Only the maximum gets it."
)
def spread_evenly(dy, x, kernel_size, stride):
    return _spread(dy, x, kernel_size, stride, lambda w: np.full(w.shape, 1 / w.size))


@max_pool2d_backward.mistake(
    "Every number of the window gets the whole gradient.", "Only the maximum gets it."
)
def everywhere(dy, x, kernel_size, stride):
    return _spread(dy, x, kernel_size, stride, np.ones_like)


@max_pool2d_backward.mistake(
    "The gradient goes to the window's first number.", "It goes to where the maximum was."
)
def first_number(dy, x, kernel_size, stride):
    return _spread(dy, x, kernel_size, stride, lambda w: _first(np.zeros_like(w)))


@max_pool2d_backward.mistake(
    "The gradient is multiplied by the maximum.", "The maximum passes on as it is: its slope is 1."
)
def multiplied_by_the_maximum(dy, x, kernel_size, stride):
    return _spread(dy, x, kernel_size, stride, lambda w: w * _first(w))
