"""A kernel sliding over an image: the numbers read, multiplied and added at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import PellucidError, ShapeError
from pellucid.geometry import Window
from pellucid.types import Array, Padding, Pair
from pellucid.view.draw.board import Area, Board, Grid
from pellucid.view.draw.cells import Role, number

IMAGE = np.array(
    [
        [0, 0, 1, 3, 3],
        [0, 1, 3, 3, 1],
        [0, 3, 3, 1, 0],
        [2, 3, 1, 0, 0],
        [3, 1, 0, 0, 2],
    ],
    np.float64,
)
"""A bright stroke, and a spot in a corner."""

WIDE = np.pad(IMAGE, ((1, 1), (1, 1)), "wrap")
"""The same, going round: 7×7, so that long strides fit."""

KERNEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float64)
"""Left minus right: large where brightness changes along a row. Source: Sobel's operator."""

LARGEST, MOST_STEPS = 12, 64


@dataclass(frozen=True)
class Sliding:
    """A convolution of one image with one kernel.

    Attributes
    ----------
    x, kernel, y
        Matrices; y is the result of `ops.conv2d`.
    padded
        x with its padding.
    window
        How the kernel slides.
    """

    x: Array
    kernel: Array
    padded: Array
    y: Array
    window: Window

    @classmethod
    def of(
        cls,
        x: object = None,
        kernel: object = None,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
    ) -> Sliding:
        """Convolve `x` with `kernel` (default: an example); raise if too large to draw."""
        image = matrix(x, IMAGE, "an input", LARGEST)
        weight = matrix(kernel, KERNEL, "a kernel", 7)
        size = (weight.shape[0], weight.shape[1])
        window = Window.of(
            (image.shape[0], image.shape[1]),
            size,
            stride=stride,
            padding=padding,
            dilation=dilation,
        )
        if max(window.padded_size) > LARGEST + 4:
            raise ShapeError(
                f"an input of {window.padded_size[0]}×{window.padded_size[1]} with its padding is "
                f"too large to be drawn; use less padding or a smaller input"
            )
        y = ops.conv2d(
            image[None, None],
            weight[None, None],
            stride=stride,
            padding=padding,
            dilation=dilation,
        )
        padded = ops.pad2d(image[None, None], window.padding)
        return cls(image, weight, padded[0, 0], y[0, 0], window)

    @property
    def steps(self) -> list[tuple[int, int]]:
        """The position of every output, row by row."""
        return [(i, j) for i in range(self.y.shape[0]) for j in range(self.y.shape[1])]

    def read(self, step: tuple[int, int]) -> Array:
        """Return the patch that the window reads at a step."""
        return np.asarray(self.padded[self.window.patch(*step)])

    def known(self, step: tuple[int, int]) -> Array:
        """Return a mask of the outputs that are computed after this step."""
        done = self.steps.index(step) + 1
        return np.arange(self.y.size).reshape(self.y.shape) < done

    def draw_input(self, board: Board, x: float, y: float, label: str = "") -> Grid:
        """Draw the image with its padding, and return the grid."""
        rows, columns = self.padded.shape
        top, left = self.window.inner[0].start, self.window.inner[1].start
        if self.padded.shape != self.x.shape:
            outside = np.ones(self.padded.shape, bool)
            outside[self.window.inner] = False
            board.grid(x, y, self.padded, Role.PADDING, name="padding", known=outside)
        board.grid(x + left, y + top, self.x, Role.INPUT, name="input")
        if label:
            board.text(x, y - 0.22, label, raised=True)
        return Grid(x, y, rows, columns)

    def draw_window(
        self, board: Board, grid: Grid, step: tuple[int, int], width: float = 2.2
    ) -> None:
        """Draw a frame around the window, or around each number if it is dilated."""
        rows, columns = self.window.patch(*step)
        board.frame(
            grid,
            (slice(rows.start, rows.stop), slice(columns.start, columns.stop)),
            Role.KERNEL,
            width=width,
        )
        if self.window.dilation != (1, 1):
            for i in range(rows.start, rows.stop, rows.step):
                for j in range(columns.start, columns.stop, columns.step):
                    board.frame(grid, one(i, j), Role.KERNEL, width=1.8, inset=0.1)


def matrix(given: object, default: Array, what: str, largest: int) -> Array:
    """Return the user's matrix as float64, or the default; raise if it cannot be drawn."""
    try:
        values = np.asarray(default if given is None else given, np.float64)
    except (TypeError, ValueError):
        raise ShapeError(f"{what} is rows of equally many numbers, not {given!r}") from None
    if values.ndim != 2 or not values.size:
        raise ShapeError(f"{what} is a matrix such as 5×5, not an array of shape {values.shape}")
    if max(values.shape) > largest:
        rows, columns = values.shape
        raise ShapeError(
            f"{what} of {rows}×{columns} is too large to be drawn with its numbers; "
            f"give one of at most {largest}×{largest}, such as a part of it"
        )
    if not np.isfinite(values).all():
        raise PellucidError(f"{what} has numbers that are not finite, which have no colour")
    return values


def one(i: int, j: int) -> Area:
    """Return the area of a single cell."""
    return slice(i, i + 1), slice(j, j + 1)


@dataclass(frozen=True)
class _Row:
    """Grids side by side, vertically centred."""

    board: Board
    middle: float
    labels: bool

    def top(self, values: Array) -> float:
        return self.middle - len(values) / 2

    def label(self, text: str, values: Array | None = None) -> str:
        """Return the text with the size of the matrix, or nothing in a row without labels."""
        size = "" if values is None else f"  {values.shape[0]}×{values.shape[1]}"
        return text + size if self.labels else ""

    def grid(self, x: float, values: Array, role: Role, name: str, **options: Any) -> Grid:
        label = self.label(name, values if role is Role.OUTPUT else None)
        return self.board.grid(x, self.top(values), values, role, label, name=name, **options)

    def arrow(self, start: float, end: float) -> None:
        self.board.arrow((start, self.middle), (end, self.middle))


def draw_step(
    board: Board, sliding: Sliding, step: tuple[int, int], top: float = 0.0, *, labels: bool = True
) -> float:
    """Draw one step from left to right: input, kernel, products, output; return its height."""
    x, read, weight, y = sliding.padded, sliding.read(step), sliding.kernel, sliding.y
    products = read * weight
    high = max(len(x), len(weight), len(y))
    row = _Row(board, top + high / 2, labels)

    image = sliding.draw_input(board, 0, row.top(x), row.label("input", sliding.x))
    sliding.draw_window(board, image, step)
    strongest = float(np.abs(x).max()) or None
    taken = row.grid(image.right + 1.3, read, Role.INPUT, "window", strongest=strongest)
    row.arrow(image.right + 0.25, taken.x - 0.25)
    board.frame(taken, (slice(0, taken.rows), slice(0, taken.columns)), Role.KERNEL)
    board.note(taken.x, taken.bottom + 0.75, addition(products))

    board.sign(taken.right + 0.65, row.middle, "⊙")
    kernel = row.grid(taken.right + 1.3, weight, Role.KERNEL, "kernel")
    board.sign(kernel.right + 0.65, row.middle, "=")
    found = row.grid(kernel.right + 1.3, products, Role.BETWEEN, "products")

    start, end = found.right + 0.35, found.right + 3.05
    row.arrow(start, end)
    board.note((start + end) / 2, row.middle - 0.55, "add up", align="center")
    output = row.grid(end + 0.3, y, Role.OUTPUT, "output", known=sliding.known(step))
    board.frame(output, one(*step), Role.OUTPUT)
    return high


def addition(products: Array) -> str:
    """Format the sum of the products, abbreviated in the middle if it is long.

    >>> addition(np.array([[2.0, -6.0], [0.0, 1.0]]))
    '2 − 6 + 0 + 1 = −3'
    >>> addition(np.ones((5, 5)))
    '1 + 1 + 1 + 1 + … + 1 + 1 + 1 + 1 = 25'
    """
    first, *others = products.ravel()
    terms = [number(first), *(f"{'−' if v < 0 else '+'} {number(abs(v))}" for v in others)]
    if len(terms) > 12:
        terms[4:-4] = ["+ …"]
    return f"{' '.join(terms)} = {number(products.sum())}"
