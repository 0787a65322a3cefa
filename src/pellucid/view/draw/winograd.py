"""Winograd's convolution of one tile, step by step."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.geometry import Window
from pellucid.reference.conv import choose
from pellucid.types import Array
from pellucid.view.draw.board import Board, Grid
from pellucid.view.draw.cells import Role, number
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import IMAGE

KERNEL = np.array([[2, 0, 2], [0, 4, -2], [-2, 2, 0]], np.float64)
SMALL = 0.86


@drawing
def winograd() -> Figure:
    """Draw F(2×2, 3×3): a tile of 2×2 outputs with 16 multiplications instead of 36."""
    F2: Any = choose.get("winograd2")
    d = IMAGE[:4, :4]
    V, U = F2.B_T @ d @ F2.B_T.T, F2.G @ KERNEL @ F2.G.T
    y = ops.conv2d(d[None, None], KERNEL[None, None], algorithm="winograd2")[0, 0]
    board = Board()
    tile = board.grid(0, 0, d, Role.INPUT, "input tile d  4×4", name="input")
    kernel = board.grid(0.5, 7.3, KERNEL, Role.KERNEL, "kernel w  3×3", name="kernel")
    _draw_map(board, tile, 7.4, F2.B_T, r"B^T", 14.4)
    _draw_map(board, kernel, 7.4, F2.G, r"G", 14.4)
    right = board.grid(14.4, 0, V, Role.INPUT, "V  4×4", name="V")
    left = board.grid(14.4, 6.8, U, Role.KERNEL, "U  4×4", name="U")
    board.formula(right.x + 2.1, -0.38, r"= B^T\, d\; B", size=11)
    board.formula(left.x + 2.1, 6.42, r"= G\, w\, G^T", size=11)
    board.sign(15.0, 5.0, "⊙")
    board.note(15.5, 5.0, "number by number")
    board.line([(18.7, 2), (19.5, 2), (19.5, 8.8), (18.7, 8.8)], Role.BETWEEN, 1.4)
    board.arrow((19.5, 5.4), (20.5, 5.4), Role.BETWEEN)
    product = board.grid(20.9, 3.4, U * V, Role.BETWEEN, "M = U ⊙ V", name="product")
    _draw_map(board, product, 27.2, F2.A_T, r"A^T", 33.3)
    output = board.grid(33.3, 4.4, y, Role.OUTPUT, "outputs  2×2", name="output")
    board.formula(output.x - 0.4, output.bottom + 0.8, r"= A^T M\, A", size=11)
    _draw_counts(board, F2)
    board.title(
        "Winograd: few multiplications, many additions",
        "The maps B, G and A are fixed and only add, subtract and halve. "
        "What is multiplied is one number of U with one of V.",
    )
    return board.figure()


def _draw_map(board: Board, grid: Grid, x: float, values: Array, name: str, end: float) -> None:
    """Draw a fixed matrix between its input and its output."""
    rows = len(values)
    y = grid.middle[1]
    board.arrow((grid.right + 0.4, y), (x - 0.4, y))
    drawn = board.grid(
        x, y - rows * SMALL / 2, values, Role.PADDING, name="map", side=SMALL, written=_fraction
    )
    board.formula(x, drawn.y - 0.38, name, size=11)
    board.arrow((drawn.right + 0.4, y), (end - 0.4, y))


def _draw_counts(board: Board, F2: Any) -> None:
    window = Window.of((4, 4), 3)
    shapes = (1, 1, 4, 4), (1, 1, 3, 3), window, 1
    fewer, usual = F2.multiplications(*shapes), choose.get("loops").multiplications(*shapes)
    board.text(20.9, 9.6, f"{fewer} multiplications", bold=True)
    board.note(
        20.9, 10.35, f"the definition takes 4 · 9 = {usual}, {usual / fewer:g} times as many"
    )


def _fraction(value: float) -> str:
    found = Fraction(value).limit_denominator(24)
    return {"1/2": "½", "-1/2": "−½"}.get(str(found), number(value))
