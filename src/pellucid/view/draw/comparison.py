"""The same image under several windows, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.view.draw.board import Board, Grid
from pellucid.view.draw.cells import Role
from pellucid.view.draw.sliding import Sliding, addition, one


def compare(board: Board, cases: Sequence[tuple[str, Sliding]]) -> None:
    """Draw each case in a column: the patch, the kernel, the output and its size.

    The sum of the products of the first window is shown below the kernel.
    """
    deepest = max(sliding.padded.shape[0] for _, sliding in cases)
    x = 0.0
    for heading, sliding in cases:
        wide = max(sliding.padded.shape[1], 6.5)
        middle = x + wide / 2
        image = sliding.draw_input(
            board,
            middle - sliding.padded.shape[1] / 2,
            deepest - sliding.padded.shape[0],
        )
        board.text(middle, image.y - 0.4, heading, align="center", raised=True, bold=True)
        rows, columns = sliding.y.shape
        weight = sliding.kernel
        board.sign(middle, deepest + 0.85, "⋆")
        left = middle - weight.shape[1] / 2
        kernel = board.grid(left, deepest + 1.5, weight, Role.KERNEL, name="kernel")
        sum_ = addition(sliding.read((0, 0)) * weight)
        board.note(middle, kernel.bottom + 0.75, sum_, align="center")
        top = kernel.bottom + 2.9
        output = board.grid(middle - columns / 2, top, sliding.y, Role.OUTPUT, name="output")
        board.arrow((middle, top - 1.65), (middle, top - 0.35))
        _draw_move(board, sliding, image, output)
        board.formula(middle, output.bottom + 1.25, size(sliding), size=11, align="center")
        board.note(middle, output.bottom + 2.6, f"output {rows}×{columns}", align="center")
        x += wide + 1.6


def _draw_move(board: Board, sliding: Sliding, image: Grid, output: Grid) -> None:
    """Frame the first window and its output, and show where the window moves next."""
    sliding.draw_window(board, image, (0, 0))
    board.frame(output, one(0, 0), Role.OUTPUT)
    if sliding.y.shape[1] > 1:
        first, second = sliding.window.patch(0, 0)[1], sliding.window.patch(0, 1)[1]
        rows = sliding.window.patch(0, 1)[0]
        board.box(
            image.x + second.start + 0.09,
            image.y + rows.start + 0.09,
            second.stop - second.start - 0.18,
            rows.stop - rows.start - 0.18,
            Role.KERNEL,
            width=1.6,
            dashed=True,
        )
        height = image.y - 0.16
        board.arrow(
            (image.x + first.start + 0.1, height),
            (image.x + second.start + 0.1, height),
            Role.KERNEL,
        )


def size(sliding: Sliding) -> str:
    """Return the formula for the output height with its numbers."""
    window = sliding.window
    (high, _), (before, after) = window.size, window.padding[0]
    K, D, S = window.kernel[0], window.dilation[0], window.stride[0]
    return (
        rf"\left\lfloor \dfrac{{{high} + {before} + {after} - {D} \cdot ({K} - 1) - 1}}{{{S}}}"
        rf"\right\rfloor + 1 = {window.output_size[0]}"
    )
