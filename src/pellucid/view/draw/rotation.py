"""Both gradients of a convolution are convolutions again."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.types import Array
from pellucid.view.draw.board import Board, Grid
from pellucid.view.draw.cells import Role
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import IMAGE, one

KERNEL = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float64)
DY = np.array([[1, 0, -1], [0, 2, 0], [1, 0, 1]], np.float64)
AT = 1, 3
"""The input whose gradient is framed."""


@drawing
def rotation() -> Figure:
    """Draw the gradients of a convolution for its input and for its kernel."""
    x, w, dy = (a[None, None] for a in (IMAGE, KERNEL, DY))
    board = Board()
    _draw_input_gradient(board, ops.conv2d_input_gradient(dy, w, x.shape)[0, 0])
    _draw_weight_gradient(board, 10.2, ops.conv2d_weight_gradient(dy, x, w.shape)[0, 0])
    board.title(
        "Going back, the kernel is turned by 180°",
        "Each input reached its outputs through the kernel; gradients come back the same way.",
    )
    return board.figure()


def _draw_input_gradient(board: Board, dx: Array) -> None:
    padded = np.pad(DY, 2)
    ring = np.ones(padded.shape, bool)
    ring[2:-2, 2:-2] = False
    board.formula(0, -1.15, r"dx = \mathrm{pad}(dy) \star \mathrm{rot}_{180}(w)")
    board.grid(0, 0.2, padded, Role.PADDING, name="padding", known=ring)
    board.grid(2, 2.2, DY, Role.GRADIENT, name="dy")
    board.text(0, -0.02, "dy, padded by K − 1 = 2", raised=True)
    board.frame(Grid(0, 0.2, 7, 7), (slice(AT[0], AT[0] + 3), slice(AT[1], AT[1] + 3)), Role.KERNEL)
    board.sign(7.75, 3.7, "⋆")
    kernel = board.grid(
        8.5, 2.2, KERNEL[::-1, ::-1], Role.KERNEL, "w turned by 180°", name="turned"
    )
    board.grid(8.5, 7.0, KERNEL, Role.KERNEL, "w", name="kernel", side=0.62, strongest=9)
    board.arrow((11.0, 7.9), (10.9, 5.5), bend=0.55)
    board.sign(kernel.right + 0.95, 3.7, "=")
    out = board.grid(kernel.right + 1.9, 1.2, dx, Role.GRADIENT, "dx  5×5", name="dx")
    board.frame(out, one(*AT), Role.GRADIENT)


def _draw_weight_gradient(board: Board, top: float, dw: Array) -> None:
    at = 0, 1
    board.formula(0, top - 0.2, r"dw = x \star dy")
    image = board.grid(1, top + 1.2, IMAGE, Role.INPUT, "x  5×5", name="input")
    board.frame(image, (slice(at[0], at[0] + 3), slice(at[1], at[1] + 3)), Role.GRADIENT)
    board.sign(7.25, top + 3.7, "⋆")
    dy = board.grid(8.5, top + 2.2, DY, Role.GRADIENT, "dy as the kernel", name="dy")
    board.sign(dy.right + 0.95, top + 3.7, "=")
    out = board.grid(dy.right + 1.9, top + 2.2, dw, Role.GRADIENT, "dw  3×3", name="dw")
    board.frame(out, one(*at), Role.GRADIENT)
