"""A kernel that slides over an image: what is read, multiplied and added at each step."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pellucid import ops
from pellucid.errors import ShapeError
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
        Matrices; y is what `ops.conv2d` gives.
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
    ) -> "Sliding":
        """Convolve `x` with `kernel`, or the usual ones, if they are small enough to be drawn."""
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
        """Every output's place, row by row."""
        return [(i, j) for i in range(self.y.shape[0]) for j in range(self.y.shape[1])]

    def read(self, step: tuple[int, int]) -> Array:
        """Return what the window reads at a step."""
        return np.asarray(self.padded[self.window.patch(*step)])

    def known(self, step: tuple[int, int]) -> Array:
        """Return where the output is computed once this step is done."""
        done = self.steps.index(step) + 1
        return np.arange(self.y.size).reshape(self.y.shape) < done

    def draw_input(self, board: Board, x: float, y: float, label: str = "") -> Grid:
        """Draw the image with its padding, and return the whole as one grid."""
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
        """Draw a frame round what the window reads; round each number where it is dilated."""
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
    """Return a user's matrix as float64, or the default; say so if it is too large to be drawn."""
    values = np.asarray(default if given is None else given, np.float64)
    if values.ndim != 2 or not values.size:
        raise ShapeError(f"{what} is a matrix such as 5×5, not an array of shape {values.shape}")
    if max(values.shape) > largest:
        rows, columns = values.shape
        raise ShapeError(
            f"{what} of {rows}×{columns} is too large to be drawn with its numbers; "
            f"give one of at most {largest}×{largest}, such as a part of it"
        )
    return values


def one(i: int, j: int) -> Area:
    """Return the area of a single cell."""
    return slice(i, i + 1), slice(j, j + 1)


def draw_step(
    board: Board,
    sliding: Sliding,
    step: tuple[int, int],
    top: float = 0.0,
    *,
    labels: bool = True,
    said: Callable[[tuple[int, int]], str] | None = None,
) -> float:
    """Draw one step from left to right: input, kernel, products, output; return its height."""
    high = float(max(sliding.padded.shape[0], sliding.y.shape[0], sliding.kernel.shape[0]))

    def at(rows: int) -> float:
        return top + (high - rows) / 2

    def label(text: str, values: Array) -> str:
        return f"{text}  {values.shape[0]}×{values.shape[1]}" if labels else ""

    read, weight = sliding.read(step), sliding.kernel
    products = read * weight
    image = sliding.draw_input(board, 0, at(sliding.padded.shape[0]), label("input", sliding.x))
    sliding.draw_window(board, image, step)
    x = image.right + 1.3
    taken = board.grid(
        x,
        at(len(read)),
        read,
        Role.INPUT,
        "window" if labels else "",
        name="window",
        strongest=float(np.abs(sliding.x).max()) or None,
    )
    board.frame(taken, (slice(0, len(read)), slice(0, read.shape[1])), Role.KERNEL)
    board.sign(taken.right + 0.65, top + high / 2, "×")
    kernel = board.grid(
        taken.right + 1.3,
        at(len(weight)),
        weight,
        Role.KERNEL,
        "kernel" if labels else "",
        name="kernel",
    )
    board.sign(kernel.right + 0.65, top + high / 2, "=")
    between = board.grid(
        kernel.right + 1.3,
        at(len(weight)),
        products,
        Role.BETWEEN,
        "products" if labels else "",
        name="products",
    )
    start = between.right + 0.35
    output = Grid(start + 3.0, at(sliding.y.shape[0]), *sliding.y.shape)
    board.grid(
        output.x,
        output.y,
        sliding.y,
        Role.OUTPUT,
        label("output", sliding.y),
        name="output",
        known=sliding.known(step),
    )
    board.frame(output, one(*step), Role.OUTPUT)
    board.arrow((image.right + 0.25, top + high / 2), (x - 0.25, top + high / 2))
    board.arrow((start, top + high / 2), (output.x - 0.3, top + high / 2))
    board.text(
        (start + output.x - 0.3) / 2,
        top + high / 2 - 0.55,
        "add up",
        align="center",
        size=8,
        colour="#5b636d",
    )
    board.note(taken.x, at(len(read)) + len(read) + 0.75, addition(products))
    return high


def addition(products: Array) -> str:
    """Return the sum of the products as people write it.

    >>> addition(np.array([[2.0, -6.0], [0.0, 1.0]]))
    '2 − 6 + 0 + 1 = −3'
    """
    first, *others = products.ravel()
    terms = [f" {'−' if v < 0 else '+'} {number(abs(v))}" for v in others]
    return f"{number(first)}{''.join(terms)} = {number(products.sum())}"
