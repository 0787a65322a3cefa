"""Padding: zeros around the image."""

from __future__ import annotations

from matplotlib.figure import Figure

from pellucid.types import Padding
from pellucid.view.draw.animation import Animation
from pellucid.view.draw.board import Board
from pellucid.view.draw.comparison import compare
from pellucid.view.draw.convolution import animated
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import Sliding

TITLE = "Zeros around the image let the kernel reach its edge"


@drawing
def padding(x: object = None, kernel: object = None) -> Figure:
    """Draw a convolution without padding, with "same" padding and with full padding.

    `x` and `kernel` are matrices of numbers; an example by default.
    """
    board = Board()
    without = Sliding.of(x, kernel)
    high, wide = without.kernel.shape
    cases = (
        ("valid: none", without),
        ("same: the size stays", Sliding.of(x, kernel, padding="same")),
        ("full: all overlaps", Sliding.of(x, kernel, padding=(high - 1, wide - 1))),
    )
    compare(board, cases)
    board.title(TITLE, "Grey: padding. Dashed: where the window goes next.")
    return board.figure()


@drawing
def padding_animation(x: object = None, kernel: object = None, padding: Padding = 1) -> Animation:
    """Draw a convolution with padding as an animation with a picture for each step."""
    return animated(Sliding.of(x, kernel, padding=padding), TITLE, seconds=0.7)
