"""Convolution and cross-correlation."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.view.draw.board import Board
from pellucid.view.draw.cells import Role
from pellucid.view.draw.drawing import drawing

SPOT = np.zeros((5, 5))
SPOT[2, 2] = 1
KERNEL = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float64)


@drawing
def flip() -> Figure:
    """Draw the results of convolution and cross-correlation for a single bright pixel."""
    board = Board()
    rows = (
        ("cross-correlation: what networks call convolution", "x ⋆ w", False),
        ("convolution: flip_kernel=True", "x ∗ w", True),
    )
    for k, (name, sign, flipped) in enumerate(rows):
        top = 7.6 * k
        y = ops.conv2d(SPOT[None, None], KERNEL[None, None], padding=1, flip_kernel=flipped)[0, 0]
        slid = KERNEL[::-1, ::-1] if flipped else KERNEL
        board.text(0, top - 1.2, name, bold=True)
        image = board.grid(0, top, SPOT, Role.INPUT, "x: one bright pixel", name="input")
        board.sign(image.right + 0.8, top + 2.5, sign[2])
        kernel = board.grid(6.6, top + 1, KERNEL, Role.KERNEL, "w", name="kernel")
        board.arrow((kernel.right + 0.4, top + 2.5), (kernel.right + 2.2, top + 2.5))
        slides = board.grid(
            kernel.right + 2.6, top + 1, slid, Role.KERNEL, "what slides", name="slides"
        )
        board.sign(slides.right + 0.8, top + 2.5, "=")
        board.grid(slides.right + 1.6, top, y, Role.OUTPUT, "y", name="output")
    board.title(
        "Correlation slides the kernel as it is, convolution slides it turned",
        "From a bright pixel, convolution makes a copy of the kernel, correlation a turned one.\n"
        "Networks learn their kernels, so that it does not matter which; frameworks correlate.",
    )
    return board.figure()
