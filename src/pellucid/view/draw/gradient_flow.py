"""Values forward and gradients backward through a small network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.types import Array
from pellucid.view.draw.board import Board, Grid
from pellucid.view.draw.cells import Role, number
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import IMAGE

KERNEL = np.array([[-2, 1], [3, -1]], np.float64)
BIAS = np.array([-0.5])
LINEAR = np.array([[0.4, -0.2, 0.1, 0.3], [-0.3, 0.2, 0.4, -0.1], [0.1, 0.3, -0.2, 0.2]])
TARGET = 1


@dataclass(frozen=True)
class Pass:
    """The values of a network in order, with the gradients for them and for the weights."""

    values: tuple[Array, ...]
    gradients: tuple[Array, ...]
    kernel_gradient: Array
    linear_gradient: Array
    loss: float


def computed() -> Pass:
    """Run a network forward and backward: convolution, ReLU, max pooling, linear, cross entropy."""
    x, w = IMAGE[None, None], KERNEL[None, None]
    a = ops.conv2d(x, w, BIAS)
    r = ops.relu(a)
    p, indices = ops.max_pool2d(r, 2)
    flat = p.reshape(1, -1)
    z = ops.linear(flat, LINEAR, None)
    loss, dz = ops.cross_entropy(z, np.array([TARGET]))
    dp = ops.linear_input_gradient(dz, LINEAR).reshape(p.shape)
    dr = ops.max_pool2d_gradient(dp, indices, r.shape, 2)
    da = ops.relu_gradient(dr, r)
    dx = ops.conv2d_input_gradient(da, w, x.shape)
    return Pass(
        tuple(v[0, 0] if v.ndim == 4 else v.T for v in (x, a, r, p, z)),
        tuple(v[0, 0] if v.ndim == 4 else v.T for v in (dx, da, dr, dp, dz)),
        ops.conv2d_weight_gradient(da, x, w.shape)[0, 0],
        ops.linear_weight_gradient(dz, flat),
        loss,
    )


NAMES = ("x", "a", "r", "p", "z")
STEPS = ("convolution", "ReLU", "max pooling", "linear")


@drawing
def gradient_flow() -> Figure:
    """Draw the values of a small network, and below each the gradient of the loss."""
    found = computed()
    board = Board()
    x, grids = 0.0, []
    for k, (value, gradient) in enumerate(zip(found.values, found.gradients, strict=True)):
        rows = len(value)
        role = Role.INPUT if k == 0 else Role.OUTPUT
        y = (5 - rows) / 2
        above = board.grid(x, y, value, role, NAMES[k], name=NAMES[k])
        below = board.grid(
            x, y + 10.0, gradient, Role.GRADIENT, f"d{NAMES[k]}", name=f"d{NAMES[k]}"
        )
        grids.append((above, below))
        x = above.right + (5.2 if k == 3 else 4.0)
    for k, step in enumerate(STEPS):
        _connect(board, *grids[k], *grids[k + 1], step)
    first, last = grids[0][0], grids[-1][0]
    board.note(first.right + 2.0, 3.05, f"bias {number(BIAS[0])}", align="center")
    _draw_weights(board, first.right + 1.0, KERNEL, found.kernel_gradient, "w")
    _draw_weights(board, grids[3][0].right + 0.6, LINEAR, found.linear_gradient, "W")
    board.arrow((last.right + 0.4, 2.5), (last.right + 1.8, 2.5))
    board.text(last.right + 2.1, 2.5, f"loss {found.loss:.2f}", bold=True)
    board.note(last.right + 2.1, 3.3, f"true class: {TARGET}")
    board.line([(last.right + 3.2, 3.9), (last.right + 3.2, 12.5)], Role.GRADIENT, 1.4)
    board.arrow((last.right + 3.2, 12.5), (last.right + 0.4, 12.5), Role.GRADIENT)
    board.title(
        "Values flow forward, gradients flow back through the same steps",
        "Above: what each step computes. Below each: how much the loss changes with it. "
        "Between: the weights, and the gradients that they learn from.",
    )
    return board.figure()


def _connect(
    board: Board, above: Grid, below: Grid, next_above: Grid, next_below: Grid, step: str
) -> None:
    forward, back = above.middle[1], below.middle[1]
    board.arrow((above.right + 0.4, forward), (next_above.x - 0.4, forward))
    board.arrow((next_below.x - 0.4, back), (below.right + 0.4, back), Role.GRADIENT)
    middle = (above.right + next_above.x) / 2
    board.note(middle, forward - 0.55, step, align="center")


def _draw_weights(board: Board, x: float, weight: Array, gradient: Array, name: str) -> None:
    top = 5.4 - len(weight) / 2
    board.grid(x, top, weight, Role.KERNEL, name)
    board.grid(x, top + 4.3, gradient, Role.GRADIENT, f"d{name}")
