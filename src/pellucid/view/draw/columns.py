"""im2col turns patches into columns; col2im adds columns back up at the patches' positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pellucid.geometry import Window
from pellucid.reference.conv import choose
from pellucid.types import Array
from pellucid.view import style
from pellucid.view.draw.board import Board, Grid
from pellucid.view.draw.cells import CELL_INK, Role
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import addition, one

IM2COL: Any = choose.get("im2col")
"""The algorithm, whose steps are drawn here."""

X = np.arange(1, 17, dtype=np.float64).reshape(1, 1, 4, 4)
KERNEL = np.array([[1, 0, -1], [2, 1, 0], [0, -1, 1]], np.float64)
WINDOW = Window.of((4, 4), 3)
COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE)
"""One for each patch."""


@drawing
def im2col() -> Figure:
    """Draw which patch of an image becomes which column."""
    columns = IM2COL.im2col(X, WINDOW)
    board = Board()
    image = board.grid(0, 3.2, X[0, 0], Role.INPUT, "input  4×4", name="input", strongest=60)
    _frame_patches(board, image)
    for n, place in enumerate(_places()):
        patch = X[0, 0][WINDOW.patch(*place)]
        top = 3.9 * (n // 2) + 1.2
        drawn = board.grid(
            7.2 + 4.2 * (n % 2), top, patch, COLOURS[n], f"patch {n}", name="patch", strongest=16
        )
        _surround(board, drawn, COLOURS[n])
    board.arrow((4.5, 5.2), (6.6, 5.2))
    board.arrow((15.1, 5.2), (17.2, 5.2))
    _draw_columns(board, 17.8, columns, "columns  9×4")
    board.title(
        "im2col: each patch that the kernel reads becomes a column",
        "The image's numbers are repeated so that convolution becomes a matrix product.",
    )
    return board.figure()


@drawing
def col2im() -> Figure:
    """Draw how columns of gradients are added at the positions of their patches."""
    dy = np.array([[1.0, 2.0], [3.0, -1.0]])
    columns = KERNEL.reshape(-1, 1) @ dy.reshape(1, -1)  # Wᵀ · dy
    dx = IM2COL.col2im(columns, X.shape, WINDOW)[0, 0]
    board = Board()
    right = _draw_columns(board, 0, columns, "Wᵀ · dy  9×4")
    board.arrow((right + 0.5, 5.2), (right + 2.0, 5.2))
    left = right + 2.6
    at = 1, 1
    for n, place in enumerate(_places()):
        canvas = np.zeros((4, 4))
        canvas[WINDOW.patch(*place)] = columns[:, n].reshape(3, 3)
        known = np.zeros((4, 4), bool)
        known[WINDOW.patch(*place)] = True
        x, y = left + 6.0 * (n % 2), 5.4 * (n // 2) + 0.2
        drawn = board.grid(
            x, y, canvas, COLOURS[n], f"patch {n} at its place", name="patch", known=known
        )
        board.frame(drawn, one(*at), CELL_INK)
        if n < 3:
            plus = (x + 5.0, y + 2) if n % 2 == 0 else (left + 5.0, 4.9)
            board.sign(*plus, "+")
    board.sign(left + 11.2, 5.0, "=")
    total = board.grid(left + 12.4, 3.0, dx, Role.GRADIENT, "dx  4×4", name="dx")
    board.frame(total, one(*at), CELL_INK)
    terms = [columns[:, n].reshape(3, 3)[1 - i, 1 - j] for n, (i, j) in enumerate(_places())]
    board.note(total.x, total.bottom + 0.75, addition(np.array(terms)))
    board.title(
        "col2im: each column goes back to its patch, and overlaps add up",
        "So the gradient of the output becomes the gradient of the input: each pixel was read by "
        "several windows, and hears from all.",
    )
    return board.figure()


def _places() -> list[tuple[int, int]]:
    return [(i, j) for i in range(2) for j in range(2)]


def _frame_patches(board: Board, image: Grid) -> None:
    for n, place in enumerate(_places()):
        board.frame(image, WINDOW.patch(*place), COLOURS[n], inset=0.04 + 0.05 * n, width=1.8)


def _surround(board: Board, grid: Grid, colour: str) -> None:
    board.frame(grid, (slice(0, grid.rows), slice(0, grid.columns)), colour)


def _draw_columns(board: Board, x: float, columns: Array, label: str) -> float:
    """Draw a matrix with one colour per column; return where it ends."""
    for n in range(4):
        part = board.grid(
            x + 1.15 * n,
            0.9,
            columns[:, n : n + 1],
            COLOURS[n],
            name="column",
            strongest=float(np.abs(columns).max()),
        )
        _surround(board, part, COLOURS[n])
        board.text(part.middle[0], 0.68, str(n), align="center", raised=True, size=8)
    board.text(x, -0.35, label, raised=True)
    return part.right
