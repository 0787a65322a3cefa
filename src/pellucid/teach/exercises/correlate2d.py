"""Convolution by hand: one image, one kernel."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import case, exercise, whole


def make(source, H, W, KH, KW):
    if KH > H or KW > W:
        raise ValueError
    return {"x": whole(source, H, W), "kernel": whole(source, KH, KW)}


CASES = [
    case("a kernel of one row", H=3, W=4, KH=1, KW=2),
    case("a square kernel", H=4, W=4, KH=2, KW=2),
    case("an image that is not square", H=4, W=6, KH=3, KW=3),
    case("a kernel that is not square", H=5, W=6, KH=3, KW=2),
]


@exercise(chapter=2, title="Convolution of one image", make=make, cases=CASES)
def correlate2d(x, kernel):
    """Return the cross-correlation of an image with a kernel.

    ``y[o, p] = Σ over i, j of x[o + i, p + j] · kernel[i, j]``

    x is (H, W) and kernel (KH, KW). The window stays inside the image: y is
    (H − KH + 1, W − KW + 1).
    """
    return ops.conv2d(x[None, None], kernel[None, None])[0, 0]


@correlate2d.mistake(
    "The kernel is flipped.",
    "That is what mathematics calls convolution. Networks do not turn the kernel: "
    "x[o + i, p + j] meets kernel[i, j].",
)
def kernel_flipped(x, kernel):
    return correlate2d(x, kernel[::-1, ::-1])


@correlate2d.mistake(
    "The kernel is turned upside down.", "Row i of the window meets row i of the kernel."
)
def rows_flipped(x, kernel):
    return correlate2d(x, kernel[::-1])


@correlate2d.mistake(
    "The kernel is mirrored from left to right.", "Column j of the window meets column j."
)
def columns_flipped(x, kernel):
    return correlate2d(x, kernel[:, ::-1])


@correlate2d.mistake(
    "Rows and columns are swapped in the output.",
    "The first index of y is the row o, the second the column p: y[o, p], shape (OH, OW).",
)
def output_transposed(x, kernel):
    return correlate2d(x, kernel).T


@correlate2d.mistake(
    "Rows and columns of the kernel are swapped.", "kernel[i, j]: i is the row, j is the column."
)
def kernel_transposed(x, kernel):
    return correlate2d(x, kernel.T)


@correlate2d.mistake(
    "The last row and the last column are missing.",
    "A window fits H − KH + 1 times. range(H − KH) stops one too early.",
)
def last_window_missing(x, kernel):
    return correlate2d(x, kernel)[:-1, :-1]


@correlate2d.mistake(
    "The last row and the last column stay 0.",
    "y has the right size, but range(H − KH) stops one too early.",
)
def last_window_zero(x, kernel):
    y = correlate2d(x, kernel)
    y[-1], y[:, -1] = 0, 0
    return y


@correlate2d.mistake(
    "Each sum starts where the one before ended.",
    "Set the sum back to 0 for every output.",
)
def sum_not_reset(x, kernel):
    y = correlate2d(x, kernel)
    return np.cumsum(y.ravel()).reshape(y.shape)


@correlate2d.mistake(
    "Only the last product of each window is kept.", "Add the products: +=, not =."
)
def products_overwritten(x, kernel):
    only_last = np.zeros_like(kernel)
    only_last[-1, -1] = kernel[-1, -1]
    return correlate2d(x, only_last)


@correlate2d.mistake(
    "The products are averaged.", "Convolution adds them; it does not divide by how many there are."
)
def averaged(x, kernel):
    return correlate2d(x, kernel) / kernel.size


@correlate2d.mistake(
    "The image is convolved with zeros around it.",
    "The window stays inside the image here, so that y is smaller than x.",
)
def padded(x, kernel):
    sides = [((k - 1) // 2, k // 2) for k in kernel.shape]
    return correlate2d(np.pad(x, sides), kernel)
