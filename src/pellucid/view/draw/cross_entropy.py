"""Softmax and cross entropy."""

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.view.draw.board import Board
from pellucid.view.draw.cells import Role
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import one

Z = np.array([[2.0, 1.0, -1.0, 0.5], [0.2, 3.0, 0.0, -1.0]])
TARGETS = np.array([0, 3])
CLASSES = ("cat", "dog", "bird", "fish")


@drawing
def softmax_cross_entropy() -> Figure:
    """Draw the way from a network's outputs to the loss and its gradient."""
    p = ops.softmax(Z)
    board = Board()
    for n, (name, top) in enumerate((("mostly right", 0.0), ("sure, and wrong", 7.2))):
        target = int(TARGETS[n])
        loss, gradient = ops.cross_entropy(Z[n : n + 1], TARGETS[n : n + 1])
        truth = np.eye(len(CLASSES))[target]
        rows = (
            ("outputs z", Z[n], Role.OUTPUT, "z"),
            ("probabilities p = softmax(z)", p[n], Role.BETWEEN, "p"),
            ("truth t", truth, Role.INPUT, "t"),
            ("gradient  p − t", gradient[0], Role.GRADIENT, "gradient"),
        )
        board.text(0, top - 1.5, name, bold=True)
        for k, word in enumerate(CLASSES):
            board.note(7.75 + 1.7 * k, top - 0.4, word, align="center", raised=True)
        for r, (label, values, role, artist) in enumerate(rows):
            board.text(6.4, top + 0.5 + 1.2 * r, label, align="right")
            for k, value in enumerate(values):
                drawn = board.grid(
                    7.25 + 1.7 * k,
                    top + 1.2 * r,
                    np.array([[value]]),
                    role,
                    name=artist,
                    side=1.0,
                    strongest=float(np.abs(values).max()),
                )
                if k == target:
                    board.frame(drawn, one(0, 0), role)
        board.arrow((13.9, top + 1.7), (15.2, top + 1.7))
        board.formula(
            15.6,
            top + 1.7,
            rf"L = -\log\, p_{{\mathrm{{{CLASSES[target]}}}}} = -\log\,"
            rf" {p[n, target]:.2f} = {loss:.2f}",
            size=11,
        )
        board.arrow((15.2, top + 4.1), (13.9, top + 4.1), Role.GRADIENT)
        board.formula(15.6, top + 4.1, r"\partial L / \partial z = p - t", size=11)
    board.title(
        "The gradient of softmax with cross entropy is p − t: what was said minus what is true",
        "The loss is small where the true class is given a high probability, else large.",
    )
    return board.figure()
