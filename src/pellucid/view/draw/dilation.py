"""Dilation: the distance between the kernel's values."""

from __future__ import annotations

from matplotlib.figure import Figure

from pellucid.types import Pair
from pellucid.view.draw.animation import Animation
from pellucid.view.draw.board import Board
from pellucid.view.draw.comparison import compare
from pellucid.view.draw.convolution import animated
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import WIDE, Sliding

TITLE = "A dilated kernel sees further with the same number of weights"


@drawing
def dilation(x: object = None, kernel: object = None) -> Figure:
    """Draw a convolution with dilations 1, 2 and 3.

    `x` and `kernel` are matrices of numbers; an example by default.
    """
    board = Board()
    image = WIDE if x is None else x
    compare(board, [(f"dilation {d}", Sliding.of(image, kernel, dilation=d)) for d in (1, 2, 3)])
    board.title(
        TITLE, "Small frames: the numbers that are read. Dashed: where the window goes next."
    )
    return board.figure()


@drawing
def dilation_animation(x: object = None, kernel: object = None, dilation: Pair = 2) -> Animation:
    """Draw a dilated convolution as an animation with a picture for each step."""
    return animated(Sliding.of(WIDE if x is None else x, kernel, dilation=dilation), TITLE)
