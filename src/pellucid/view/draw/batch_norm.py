"""Normalisation: which numbers share a mean."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.types import Array
from pellucid.view import style
from pellucid.view.draw.board import Board
from pellucid.view.draw.cells import number
from pellucid.view.draw.drawing import drawing

X = np.array(
    [
        [[[1, 2], [3, 2]], [[8, 6], [7, 7]], [[0, 4], [0, 4]], [[5, 5], [9, 5]]],
        [[[4, 4], [2, 2]], [[5, 7], [9, 7]], [[1, 1], [5, 1]], [[2, 4], [6, 8]]],
        [[[0, 3], [3, 6]], [[6, 6], [2, 2]], [[7, 3], [6, 8]], [[1, 3], [1, 7]]],
    ],
    np.float64,
)
"""Three images with four channels of 2×2."""

COLOURS = (*style.PALETTE[:6], "#7f7f7f", "#8c6d31", "#5254a3", "#ad494a", "#637939", "#a55194")


@drawing
def batch_norm() -> Figure:
    """Draw over which numbers batch, layer, group and instance normalisation average."""
    N, C = X.shape[:2]
    _, mean, *_ = ops.batch_norm_training(X)
    cases = [
        (
            "batch: each channel, over all images",
            np.tile(mean, (N, 1)),
            np.tile(np.arange(C), (N, 1)),
        )
    ]
    for name, groups in (
        ("layer: each image, over all channels", 1),
        ("group: each image and group of channels", 2),
        ("instance: each image and channel", C),
    ):
        _, means, *_ = ops.group_norm(X, groups)
        each = np.repeat(np.arange(N * groups).reshape(N, groups), C // groups, axis=1)
        cases.append((name, np.repeat(means, C // groups, axis=1), each))
    board = Board()
    for k, (name, means, sets) in enumerate(cases):
        _draw(board, 14.6 * (k % 2), 10.6 * (k // 2), name, means, sets)
    board.formula(
        -0.9, 20.4, r"y = \dfrac{x - \mathrm{mean}}{\sqrt{\mathrm{var} + \varepsilon}}\; w + b"
    )
    board.text(7.4, 20.4, "In each channel, w and b are learned.", colour=style.SOFT)
    board.title(
        "Batch normalisation averages each channel over the batch and all positions",
        "One colour: numbers that share a mean and a variance. Below each map: that mean.",
    )
    return board.figure()


def _draw(board: Board, left: float, top: float, name: str, means: Array, sets: Array) -> None:
    N, C = means.shape
    board.text(left - 0.9, top - 1.5, name, bold=True)
    for c in range(C):
        board.note(left + 2.8 * c + 2.3, top - 0.5, f"channel {c}", align="center")
    for n in range(N):
        y = top + 2.9 * n
        board.note(left - 0.9, y + 0.9, f"image {n}")
        for c in range(C):
            colour = COLOURS[sets[n, c]]
            tile = board.grid(
                left + 2.8 * c + 1.4, y, X[n, c], colour, name="x", side=0.9, strongest=14
            )
            board.frame(tile, (slice(0, 2), slice(0, 2)), colour, width=1.6)
            board.note(tile.middle[0], tile.bottom + 0.42, number(means[n, c]), align="center")
