"""Groups: which input channel each filter sees."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.randomness import generator
from pellucid.types import Array
from pellucid.view.draw.board import Board
from pellucid.view.draw.cells import Role, blank
from pellucid.view.draw.drawing import drawing

CHANNELS, SIDE = 4, 0.36


@drawing
def groups() -> Figure:
    """Draw four channels and four filters with one group, with two, and depthwise."""
    x = generator(0, "drawing", 0, 0).integers(0, 4, (1, CHANNELS, 5, 5)).astype(np.float64)
    weight = generator(1, "drawing", 0, 0).integers(-2, 3, (CHANNELS, CHANNELS, 3, 3))
    board = Board()
    for k, count in enumerate((1, 2, CHANNELS)):
        own = _own(weight.astype(np.float64), count)
        y = ops.conv2d(x, own, groups=count)
        _draw(board, 13.2 * k, count, x, own, y)
    board.title(
        "With groups, a filter sees its own channels only",
        "Rows: input channels. Columns: filters, one kernel for each channel that they see.",
    )
    return board.figure()


def _own(weight: Array, groups: int) -> Array:
    """Return the part of `weight` (F, C, KH, KW) used with groups, (F, C/groups, KH, KW)."""
    each = CHANNELS // groups
    first = [f // each * each for f in range(CHANNELS)]
    return np.stack([weight[f, c : c + each] for f, c in enumerate(first)])


def _draw(board: Board, left: float, groups: int, x: Array, weight: Array, y: Array) -> None:
    each = CHANNELS // groups
    name = "depthwise" if groups == CHANNELS else "an ordinary convolution"
    heading = f"groups = {groups}" + (f", {name}" if groups != 2 else "")
    board.text(left, -1.1, heading, bold=True)
    board.note(left, -0.35, f"{weight.size} weights")
    for c in range(CHANNELS):
        board.grid(left, c * 2.2 + 0.2, x[0, c], Role.INPUT, name="input", side=SIDE, written=blank)
        for f in range(CHANNELS):
            place = left + 2.9 + 2.2 * f, 0.55 + c * 2.2
            if f // each == c // each:
                kernel = weight[f, c % each]
                board.grid(*place, kernel, Role.KERNEL, name="kernel", side=SIDE, written=blank)
            else:
                board.text(place[0] + 0.54, place[1] + 0.5, "·", align="center", colour="#5b636d")
    for f in range(CHANNELS):
        x_middle = left + 2.9 + 2.2 * f + 0.54
        board.arrow((x_middle, 8.75), (x_middle, 9.45))
        board.grid(
            x_middle - 0.54, 9.65, y[0, f], Role.OUTPUT, name="output", side=SIDE, written=blank
        )
    board.note(left, 10.2, "outputs")
