"""Softmax and cross entropy."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.types import Array
from pellucid.view.draw.board import Board
from pellucid.view.draw.cells import Role
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import one

Z = np.array([[2.0, 1.0, -1.0, 0.5], [0.2, 3.0, 0.0, -1.0]])
TARGETS = np.array([0, 3])
_LEFT = 7.25
CLASSES = ("cat", "dog", "bird", "fish")


@drawing
def softmax_cross_entropy() -> Figure:
    """Draw the computation from a network's outputs to the loss and its gradient."""
    board = Board()
    for n, name in enumerate(("mostly right", "sure, and wrong")):
        board.text(0, 7.2 * n - 1.5, name, bold=True)
        _draw(board, 7.2 * n, Z[n], int(TARGETS[n]))
    board.title(
        "The gradient of softmax with cross entropy is p − t: prediction minus truth",
        "The loss is small where the true class is given a high probability, else large.",
    )
    return board.figure()


def _draw(board: Board, top: float, z: Array, target: int) -> None:
    p = ops.softmax(z[None])[0]
    loss, gradient = ops.cross_entropy(z[None], np.array([target]))
    rows = (
        ("z", "outputs z", z, Role.OUTPUT),
        ("p", "probabilities p = softmax(z)", p, Role.BETWEEN),
        ("t", "truth t", np.eye(len(CLASSES))[target], Role.INPUT),
        ("gradient", "gradient  p − t", gradient[0], Role.GRADIENT),
    )
    for k, word in enumerate(CLASSES):
        board.note(_LEFT + 1.7 * k + 0.5, top - 0.4, word, align="center", raised=True)
    for r, (name, label, values, role) in enumerate(rows):
        y, strongest = top + 1.2 * r, float(np.abs(values).max())
        board.text(_LEFT - 0.85, y + 0.5, label, align="right")
        for k, value in enumerate(values):
            x = _LEFT + 1.7 * k
            drawn = board.grid(x, y, value, role, name=name, strongest=strongest)
            if k == target:
                board.frame(drawn, one(0, 0), role)
    forward, back, word = top + 1.7, top + 4.1, CLASSES[target]
    board.arrow((_LEFT + 6.65, forward), (_LEFT + 7.95, forward))
    board.arrow((_LEFT + 7.95, back), (_LEFT + 6.65, back), Role.GRADIENT)
    formula = rf"L = -\log\, p_{{\mathrm{{{word}}}}} = -\log\, {p[target]:.2f} = {loss:.2f}"
    board.formula(_LEFT + 8.35, forward, formula, size=11)
    board.formula(_LEFT + 8.35, back, r"\partial L / \partial z = p - t", size=11)
