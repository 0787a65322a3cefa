"""The sliding window, step by step."""

from __future__ import annotations

from matplotlib.figure import Figure

from pellucid.errors import ShapeError
from pellucid.types import Padding, Pair
from pellucid.view.draw.animation import Animation
from pellucid.view.draw.board import Board
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import MOST_STEPS, Sliding, draw_step

TITLE = "Each output is one window times the kernel, added up"


@drawing
def convolution(
    x: object = None,
    kernel: object = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> Figure:
    """Draw a convolution as a strip of four of its steps.

    Parameters
    ----------
    x, kernel
        Matrices of numbers, at most 12×12 and 7×7; an example by default.
    stride, padding, dilation
        As in `pellucid.ops.conv2d`.

    Examples
    --------
    >>> import pellucid as pl
    >>> drawn = pl.view.draw.convolution([[0, 0, 9], [0, 9, 9], [9, 9, 9]], [[1, -1], [1, -1]])
    """
    sliding = Sliding.of(x, kernel, stride, padding, dilation)
    steps = sliding.steps
    chosen = sorted({0, 1, sliding.y.shape[1], len(steps) - 1} & set(range(len(steps))))
    board, top = Board(), 0.0
    for k in chosen:
        top += draw_step(board, sliding, steps[k], top, labels=k == 0) + 1.4
    board.formula(0, top - 0.1, FORMULA)
    board.title(TITLE, f"Four of {len(steps)} steps." if len(steps) > 4 else "")
    return board.figure()


FORMULA = (
    r"y\,[o, p] = \sum_{i, j}\; x\,[o \cdot S + i \cdot D - P,\; p \cdot S + j \cdot D - P]"
    r"\;\cdot\; w\,[i, j]"
)


@drawing
def convolution_animation(
    x: object = None,
    kernel: object = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> Animation:
    """Draw a convolution as an animation with a picture for each step.

    The arguments are those of `convolution`.
    """
    return animated(Sliding.of(x, kernel, stride, padding, dilation), TITLE)


def animated(sliding: Sliding, title: str, seconds: float = 1.2) -> Animation:
    """Return the steps of a convolution as an animation with a title."""
    if len(sliding.steps) > MOST_STEPS:
        raise ShapeError(
            f"an animation of {len(sliding.steps)} steps is too long; "
            f"use a smaller input or a larger stride, for at most {MOST_STEPS}"
        )
    boards = []
    for step in sliding.steps:
        board = Board()
        draw_step(board, sliding, step)
        board.title(title)
        boards.append(board)
    return Animation.of(boards, seconds)
