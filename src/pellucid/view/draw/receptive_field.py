"""The receptive field: the inputs on which an output depends, through several layers."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.types import Array
from pellucid.view import style
from pellucid.view.draw.board import Board
from pellucid.view.draw.cells import Role
from pellucid.view.draw.drawing import drawing

ONES = np.ones((1, 1, 3, 3))
SIZE, SIDE = 17, 0.55


@drawing
def receptive_field() -> Figure:
    """Draw the receptive field after one, two and three layers, without and with stride."""
    board = Board()
    for k, (name, strides) in enumerate(
        (
            ("three 3×3 layers with stride 1", (1, 1, 1)),
            ("the same, the first two with stride 2", (2, 2, 1)),
        )
    ):
        _draw(board, 12.2 * k, name, strides)
    board.title(
        "Each layer lets an output see further",
        "Read from right to left: the numbers say in how many ways the output sees a place.",
    )
    return board.figure()


def _draw(board: Board, top: float, name: str, strides: tuple[int, ...]) -> None:
    board.text(0, top - 1.3, name, bold=True)
    x = 0.0
    for layer, paths in enumerate(_paths(strides)):
        role = Role.INPUT if layer == 0 else Role.OUTPUT
        seen = np.flatnonzero(paths.any(axis=0))
        first, wide, size = seen[0], len(seen), len(paths)
        y = top + (SIZE - size) * SIDE / 2
        board.box(x, y, size * SIDE, size * SIDE, style.FAINT)
        drawn = board.grid(
            x + first * SIDE,
            y + first * SIDE,
            paths[np.ix_(seen, seen)],
            role,
            name="paths",
            side=SIDE,
        )
        board.frame(drawn, (slice(0, wide), slice(0, wide)), role)
        label = f"after layer {layer}" if layer else "input"
        board.text(
            x, y - 0.22, f"{label}: {wide}×{wide}" if wide > 1 else "one output", raised=True
        )
        x += max(size * SIDE, 5.6) + 1.4


def _paths(strides: tuple[int, ...]) -> list[Array]:
    """Return the number of paths to the central output from the input and from each layer.

    Each path is a product of weights; with all weights equal to 1, the gradient counts the paths.
    """
    sizes = [SIZE]
    for stride in strides:
        sizes.append(-(-sizes[-1] // stride))
    paths = np.zeros((1, 1, sizes[-1], sizes[-1]))
    paths[0, 0, sizes[-1] // 2, sizes[-1] // 2] = 1
    found = [paths]
    for stride, size in zip(reversed(strides), reversed(sizes[:-1]), strict=True):
        shape = (1, 1, size, size)
        found.append(ops.conv2d_input_gradient(found[-1], ONES, shape, stride=stride, padding=1))
    return [each[0, 0] for each in reversed(found)]
