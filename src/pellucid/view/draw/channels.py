"""Convolution with several input and output channels."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.types import Array
from pellucid.view.draw.board import Board, Grid
from pellucid.view.draw.cells import Role
from pellucid.view.draw.drawing import drawing

X = np.array(
    [
        [[3, 1, 0, 0], [3, 1, 0, 0], [2, 1, 0, 1], [2, 0, 0, 1]],
        [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]],
        [[1, 1, 1, 1], [0, 0, 0, 0], [2, 2, 2, 2], [0, 0, 0, 0]],
    ],
    np.float64,
)
WEIGHT = np.array(
    [
        [[[1, -1], [1, -1]], [[-1, 1], [-1, 1]], [[0, 0], [1, 0]]],
        [[[0, 1], [0, 1]], [[1, 0], [0, 1]], [[1, 1], [-1, -1]]],
    ],
    np.float64,
)
BIAS = np.array([1.0, -2.0])


@drawing
def channels() -> Figure:
    """Draw three input channels, two filters and the two output maps."""
    y = ops.conv2d(X[None], WEIGHT, BIAS)[0]
    board = Board()
    inputs = [
        board.grid(0, 5.4 * c, X[c], Role.INPUT, f"input channel {c}", name="input")
        for c in range(len(X))
    ]
    for f, left in enumerate((6.6, 16.6)):
        _draw_filter(board, f, left, inputs)
        _draw_sum(board, f, left, y[f])
    board.title(
        "A filter has one kernel for each channel; what they find is added up",
        "Three channels in, two filters, two maps out. Each filter adds its bias everywhere.",
    )
    return board.figure()


def _draw_filter(board: Board, f: int, left: float, inputs: list[Grid]) -> None:
    for c, image in enumerate(inputs):
        middle = image.middle[1]
        label = f"filter {f}" if c == 0 else ""
        if f == 0:
            board.sign(image.right + 1.3, middle, "⋆")
        kernel = board.grid(left, middle - 1, WEIGHT[f, c], Role.KERNEL, label, name="kernel")
        board.sign(kernel.right + 0.75, middle, "=")
        part = ops.conv2d(X[None, c : c + 1], WEIGHT[f : f + 1, c : c + 1])[0, 0]
        found = board.grid(kernel.right + 1.5, middle - 1.5, part, Role.BETWEEN, name="found")
        if c < len(inputs) - 1:
            board.sign(found.middle[0], found.bottom + 1.2, "+")


def _draw_sum(board: Board, f: int, left: float, y: Array) -> None:
    middle = left + 3.5 + 1.5
    bias = board.grid(middle - 0.5, 17.0, BIAS[f : f + 1], Role.KERNEL, name="bias")
    board.sign(middle, 16.2, "+")
    board.note(bias.x - 0.3, bias.middle[1], "bias", align="right")
    board.arrow((middle, 18.3), (middle, 19.2))
    board.grid(left + 3.5, 20.2, y, Role.OUTPUT, f"output {f}", name="output")
