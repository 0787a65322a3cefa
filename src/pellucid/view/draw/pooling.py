"""Pooling, forward and backward."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.types import Array
from pellucid.view import style
from pellucid.view.draw.board import Board, Grid
from pellucid.view.draw.cells import CELL_INK, Role
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import one

X = np.array([[1, 3, 2, 2], [7, 0, 1, 2], [5, 5, 0, 1], [2, 5, 4, 6]], np.float64)
DY = np.array([[1, -2], [4, 3]], np.float64)
COLOURS = (style.BLUE, style.ORANGE, style.PURPLE, style.GREEN)
"""One for each window."""


@drawing
def max_pool() -> Figure:
    """Draw the maxima of windows, and where their gradients go, including ties."""
    y, indices = ops.max_pool2d(X[None, None], 2)
    dx = ops.max_pool2d_gradient(DY[None, None], indices, (1, 1, 4, 4), 2)
    board = Board()
    places = [divmod(int(k), 2) for k in indices[0, 0].ravel()]
    winners = [(2 * (n // 2) + i, 2 * (n % 2) + j) for n, (i, j) in enumerate(places)]
    _draw_both(board, y[0, 0], dx[0, 0], winners, "largest", "to the winner")
    board.title(
        "Max pooling: the largest number wins, and only the winner learns",
        "Dark frame: the winner of each window. Of equal ones the first wins and takes all.",
    )
    return board.figure()


@drawing
def average_pool() -> Figure:
    """Draw the means of windows, and how their gradients are distributed."""
    y = ops.avg_pool2d(X[None, None], 2)
    dx = ops.avg_pool2d_gradient(DY[None, None], (1, 1, 4, 4), 2)
    board = Board()
    _draw_both(board, y[0, 0], dx[0, 0], [], "mean", "a quarter to each")
    board.title(
        "Average pooling: every number counts the same, and learns the same",
        "Each window gives its mean; going back, each of its numbers gets an equal share.",
    )
    return board.figure()


def _draw_both(
    board: Board, y: Array, dx: Array, winners: list[tuple[int, int]], said: str, back: str
) -> None:
    image = board.grid(0, 0, X, Role.INPUT, "x  4×4", name="input")
    output = board.grid(8.3, 1, y, Role.OUTPUT, "y  2×2", name="output")
    spread = board.grid(0, 6.6, dx, Role.GRADIENT, "dx  4×4", name="dx")
    given = board.grid(8.3, 7.6, DY, Role.GRADIENT, "dy  2×2", name="dy")
    board.arrow((4.6, 2), (7.7, 2))
    board.note(6.15, 1.5, said, align="center")
    board.arrow((7.7, 8.6), (4.6, 8.6), Role.GRADIENT)
    board.note(6.15, 8.1, back, align="center")
    board.note(11.2, 2, "forward")
    board.note(11.2, 8.6, "backward")
    for n, colour in enumerate(COLOURS):
        i, j = divmod(n, 2)
        area = slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)
        for large, little in ((image, output), (spread, given)):
            board.frame(large, area, colour, inset=0.05)
            board.frame(little, one(i, j), colour, inset=0.05)
    for winner in winners:
        _mark(board, image, winner)
        _mark(board, spread, winner)


def _mark(board: Board, grid: Grid, at: tuple[int, int]) -> None:
    board.frame(grid, one(*at), CELL_INK, width=1.6, inset=0.17)
