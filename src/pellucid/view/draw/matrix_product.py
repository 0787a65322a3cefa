"""Convolution as a matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.geometry import Window
from pellucid.reference.conv import choose
from pellucid.view.draw.board import Board
from pellucid.view.draw.cells import CELL_INK, Role
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import one

X = np.array([[[[0, 1, 3, 2], [1, 3, 2, 0], [3, 2, 0, 1], [2, 0, 1, 3]]]], np.float64)
WEIGHT = np.array([[[[1, -1], [2, 0]]], [[[0, 1], [1, -2]]]], np.float64)
ROW, COLUMN = 1, 4
"""The output that is framed: of filter 1, in the middle of the map."""


@drawing
def matrix_product() -> Figure:
    """Draw a convolution of one image with two filters as one matrix product."""
    algorithm: Any = choose.get("im2col")
    window = Window.of((4, 4), 2)
    columns = algorithm.im2col(X, window)
    rows = WEIGHT.reshape(2, -1)
    y = ops.conv2d(X, WEIGHT)[0]
    board = Board()
    image = board.grid(0, 0, X[0, 0], Role.INPUT, "input  1×4×4", name="input")
    right = board.grid(
        12.4, 0, columns, Role.INPUT, "columns  (C·KH·KW) × (OH·OW) = 4×9", name="columns"
    )
    left = board.grid(6.2, 6.0, rows, Role.KERNEL, "W  F × (C·KH·KW) = 2×4", name="rows")
    product = board.grid(
        12.4, 6.0, y.reshape(2, -1), Role.OUTPUT, "W · columns = 2×9", name="product"
    )
    for f in range(2):
        board.grid(0.5, 6.0 + 2.8 * f, WEIGHT[f, 0], Role.KERNEL, f"filter {f}", name="kernel")
        board.arrow((2.8, 7.0 + 2.8 * f), (5.8, 6.5 + f), bend=-0.1 * f)
        found = board.grid(
            12.9 + 4.6 * f, 9.9, y[f], Role.OUTPUT, f"output {f}  3×3", name="output"
        )
        if f == ROW:
            board.frame(found, one(*divmod(COLUMN, 3)), CELL_INK)
    board.arrow((4.4, 2), (12.0, 2))
    board.note(8.2, 1.5, "im2col", align="center")
    board.arrow((product.middle[0], 8.2), (product.middle[0], 9.0))
    board.frame(image, window.patch(*divmod(COLUMN, 3)), CELL_INK)
    board.frame(left, (slice(ROW, ROW + 1), slice(0, 4)), CELL_INK)
    board.frame(right, (slice(0, 4), slice(COLUMN, COLUMN + 1)), CELL_INK)
    board.frame(product, one(ROW, COLUMN), CELL_INK)
    board.title(
        "Convolution is one matrix product: filters as rows, patches as columns",
        "Framed: a filter's row times a patch's column gives one output.",
    )
    return board.figure()
