"""Stride: how far the window moves from one output to the next."""

from __future__ import annotations

from matplotlib.figure import Figure

from pellucid.types import Pair
from pellucid.view.draw.animation import Animation
from pellucid.view.draw.board import Board
from pellucid.view.draw.comparison import compare
from pellucid.view.draw.convolution import animated
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import WIDE, Sliding

TITLE = "The larger the stride, the smaller the output"


@drawing
def stride(x: object = None, kernel: object = None) -> Figure:
    """Draw a convolution with strides 1, 2 and 3.

    `x` and `kernel` are matrices of numbers; an example by default.
    """
    board = Board()
    image = WIDE if x is None else x
    compare(board, [(f"stride {s}", Sliding.of(image, kernel, stride=s)) for s in (1, 2, 3)])
    board.title(TITLE, "Dashed: where the window goes next.")
    return board.figure()


@drawing
def stride_animation(x: object = None, kernel: object = None, stride: Pair = 2) -> Animation:
    """Draw a convolution with a stride as an animation with a picture for each step."""
    return animated(Sliding.of(WIDE if x is None else x, kernel, stride=stride), TITLE)
