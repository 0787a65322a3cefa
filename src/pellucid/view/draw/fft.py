"""Convolution through the Fourier transform, step by step."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.types import Array
from pellucid.view.draw.board import Board, Grid
from pellucid.view.draw.cells import Role, number
from pellucid.view.draw.drawing import drawing
from pellucid.view.draw.sliding import KERNEL, WIDE

X = WIDE[:6, :6]


@drawing
def fft() -> Figure:
    """Draw a convolution as one product at each frequency."""
    field = np.zeros_like(X)
    field[:3, :3] = KERNEL
    x_hat, w_hat = np.fft.fft2(X), np.fft.fft2(field)
    y_hat = np.conj(w_hat) * x_hat
    whole = np.fft.ifft2(y_hat).real
    y = ops.conv2d(X[None, None], KERNEL[None, None], algorithm="fft")[0, 0]
    board = Board()
    _draw_transform(board, 0.0, X, Role.INPUT, x_hat, "1  image x  6×6", "2  its spectrum  |x̂|")
    kernel = _draw_transform(
        board,
        8.2,
        field,
        Role.KERNEL,
        w_hat,
        "1  kernel w in a field of 6×6",
        "2  its spectrum  |ŵ|",
    )
    board.frame(kernel, (slice(0, 3), slice(0, 3)), Role.KERNEL)
    board.line([(15.4, 3), (16.4, 3), (16.4, 11.2), (15.4, 11.2)], Role.BETWEEN, 1.4)
    board.arrow((16.4, 7.1), (17.6, 7.1), Role.BETWEEN)
    product = board.grid(
        18.0, 4.1, np.abs(y_hat), Role.BETWEEN, "3  product  |ŷ|", name="product", written=_rounded
    )
    board.formula(18.0, 11.1, r"\hat y = \overline{\hat w} \cdot \hat x")
    board.note(18.0, 12.1, "one product at each frequency")
    board.arrow((product.right + 0.3, 7.1), (product.right + 2.5, 7.1))
    board.note(product.right + 1.4, 6.6, "IFFT", align="center")
    back = board.grid(
        product.right + 2.9, 4.1, np.round(whole, 9), Role.OUTPUT, "4  back in space", name="field"
    )
    board.frame(back, (slice(0, y.shape[0]), slice(0, y.shape[1])), Role.OUTPUT)
    board.note(back.x, 10.8, "outside the frame the kernel")
    board.note(back.x, 11.5, "went round the edge")
    board.arrow((back.right + 0.4, 6.1), (back.right + 1.7, 6.1))
    board.grid(back.right + 2.1, 4.1, y, Role.OUTPUT, "5  cut out: y  4×4", name="output")
    board.title(
        "By FFT, sliding becomes one product at each frequency",
        "Spectra are complex: their absolute values are shown, frequency 0 at the top left. "
        "The conjugate of ŵ makes it a correlation.",
    )
    return board.figure()


def _draw_transform(
    board: Board, top: float, values: Array, role: Role, spectrum: Array, label: str, result: str
) -> Grid:
    drawn = board.grid(0, top, values, role, label, name=role.name.lower())
    board.arrow((6.3, top + 3), (8.5, top + 3))
    board.note(7.4, top + 2.5, "FFT", align="center")
    board.grid(8.9, top, np.abs(spectrum), Role.BETWEEN, result, name="spectrum", written=_rounded)
    return drawn


def _rounded(value: float) -> str:
    return number(round(value, 1 if value < 99.95 else 0))
