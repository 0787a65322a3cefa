"""Zeros around images."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def make(source, N, C, H, W, padding):
    return {"x": whole(source, N, C, H, W), "padding": padding}


CASES = [
    case("one zero on each side", N=1, C=1, H=2, W=2, padding=1),
    case("no padding", N=1, C=1, H=2, W=3, padding=0),
    case("two images with three channels", N=2, C=3, H=2, W=4, padding=2),
]


@exercise(chapter=2, title="Padding", make=make, cases=CASES)
def pad2d(x, padding):
    """Return images with `padding` zeros on each of their four sides.

    x is (N, C, H, W); the result is (N, C, H + 2·padding, W + 2·padding).
    """
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


@pad2d.mistake(
    "There is padding at the top and on the left only.",
    "Zeros belong on all four sides: below and on the right too.",
)
def padding_before_only(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (padding, 0), (padding, 0)))


@pad2d.mistake(
    "There is padding at the bottom and on the right only.",
    "Zeros belong on all four sides; the image starts at row `padding`, column `padding`.",
)
def padding_after_only(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (0, padding), (0, padding)))


@pad2d.mistake(
    "The image lies in a corner of its frame.",
    "The frame has the right size, but the image belongs in its middle: "
    "y[:, :, padding:padding + H, padding:padding + W] = x.",
)
def image_in_the_corner(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))


@pad2d.mistake(
    "The batch and the channels are padded too.",
    "np.pad(x, padding) pads every axis. Give a pair for each: (0, 0) for the first two.",
)
def every_axis_padded(x, padding):
    return np.pad(x, padding)


@pad2d.mistake("Only the rows are padded.", "Pad the columns as well: the last axis.")
def rows_only(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (0, 0)))


@pad2d.mistake("Only the columns are padded.", "Pad the rows as well: the third axis.")
def columns_only(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (0, 0), (padding, padding)))


@pad2d.mistake(
    "The edge is repeated instead of zeros.", "Padding is zeros here; np.pad's default is zeros."
)
def edge_repeated(x, padding):
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode="edge")


@pad2d.mistake("The image is padded twice.", "Each side gets `padding` zeros, not twice as many.")
def padded_twice(x, padding):
    return pad2d(pad2d(x, padding), padding)
