"""A board to draw on: grids of numbers, frames, arrows and text, measured in cells.

The vertical axis points down, as rows of arrays do. When all is drawn, the board becomes a figure
just as large as what is on it, so that nothing is cut off. One language of colour holds in all
drawings: an `Role` says what a grid of numbers is.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.transforms import Bbox

from pellucid import engine
from pellucid.errors import ShapeError
from pellucid.types import Array
from pellucid.view import style

INCHES = 0.34
"""The side of a cell."""

CELL_INK = "#14171a"
"""Numbers in cells: cells are light on any page, so this ink stays dark."""

_HALF_A_DIGIT = 0.365
"""Half the height of a digit in DejaVu Sans, as a part of the size of the text."""

Place = tuple[float, float]
Area = tuple[slice, slice]


P = ParamSpec("P")
R = TypeVar("R")


def drawing(draw: Callable[P, R]) -> Callable[P, R]:
    """Make `draw` use the library's style, and the engine that is written to be read."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with engine.using("reference"):
            return style.styled(draw)(*args, **kwargs)

    return drawn


class Role(Enum):
    """What numbers are, by colour: the same in every drawing."""

    INPUT = style.BLUE
    KERNEL = style.ORANGE
    OUTPUT = style.GREEN
    GRADIENT = style.VERMILLION
    BETWEEN = style.PURPLE
    PADDING = "#8a929c"


Colour = Role | str
"""What a number is, or a colour by its name, where a drawing needs others of its own."""


@dataclass(frozen=True)
class Grid:
    """A grid of numbers on a board: where it lies."""

    x: float
    y: float
    rows: int
    columns: int
    side: float = 1.0

    @property
    def right(self) -> float:
        return self.x + self.columns * self.side

    @property
    def bottom(self) -> float:
        return self.y + self.rows * self.side

    @property
    def middle(self) -> Place:
        return (self.x + self.right) / 2, (self.y + self.bottom) / 2

    def cell(self, row: float, column: float) -> Place:
        """Return the middle of a cell."""
        return self.x + (column + 0.5) * self.side, self.y + (row + 0.5) * self.side


class Board:
    """What is drawn on; positions are (x, y) in cells, y downwards."""

    def __init__(self) -> None:
        self._figure = Figure(figsize=(1, 1), facecolor=style.PAPER)
        FigureCanvasAgg(self._figure)
        self._axes: Axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._fit(Bbox([[0, 0], [10, 10]]))

    def grid(
        self,
        x: float,
        y: float,
        values: Array,
        colour: Colour,
        label: str = "",
        *,
        name: str = "",
        known: Array | None = None,
        written: Callable[[float], str] | None = None,
        side: float = 1.0,
        strongest: float | None = None,
    ) -> Grid:
        """Draw a matrix: a cell for each number, the stronger coloured the larger it is.

        Parameters
        ----------
        label
            What stands above; ``name`` is what the artist is called, the label if not given.
        known
            True where the number is shown; elsewhere the cell is empty.
        written
            How a number is written; ``blank`` leaves the cells without.
        strongest
            The number with full colour, if not the largest of `values`.
        """
        values = np.atleast_2d(values)
        rows, columns = values.shape
        grid = Grid(x, y, rows, columns, side)
        shown = np.ones(values.shape, bool) if known is None else np.atleast_2d(known)
        most = strongest or float(np.abs(values).max(initial=0)) or 1.0
        mesh = self._axes.pcolormesh(
            x + side * np.arange(columns + 1),
            y + side * np.arange(rows + 1),
            np.ma.masked_array(values, ~shown),
            cmap=_colours(colour),
            vmin=-most,
            vmax=most,
            edgecolors=style.FAINT,
            linewidth=0.8 * min(side, 1),
        )
        mesh.set_clip_on(False)
        mesh.set_label(name or label)
        write = written or number
        texts = {at: write(values[at]) for at in zip(*np.nonzero(shown), strict=True)}
        size = _fitting(max(map(len, texts.values()), default=1), side)
        for (i, j), text in texts.items():
            if text:
                self.text(*grid.cell(i, j), text, size=size, colour=CELL_INK, align="center")
        if label:
            self.text(x, y - 0.22, label, raised=True)
        return grid

    def frame(
        self, grid: Grid, area: Area, colour: Colour, *, width: float = 2.2, inset: float = 0.0
    ) -> None:
        """Draw a line round an area of a grid's cells."""
        rows, columns = area
        x, y = grid.x + columns.start * grid.side, grid.y + rows.start * grid.side
        high, wide = rows.stop - rows.start, columns.stop - columns.start
        self.box(
            x + inset,
            y + inset,
            wide * grid.side - 2 * inset,
            high * grid.side - 2 * inset,
            colour,
            width=width,
        )

    def box(
        self,
        x: float,
        y: float,
        wide: float,
        high: float,
        colour: Colour,
        *,
        width: float = 1.2,
        filled: bool | float = False,
        dashed: bool = False,
    ) -> None:
        """Draw a rectangle: its outline, or filled with a light shade of a role's colour."""
        line = _plain(colour)
        face: Any = "none"
        if filled:
            strength = 0.16 if filled is True else filled
            face = shade(colour, strength)
        self._axes.add_patch(
            Rectangle(
                (x, y),
                wide,
                high,
                facecolor=face,
                edgecolor=line,
                linewidth=width,
                linestyle=(0, (4, 2)) if dashed else "-",
                joinstyle="round",
                zorder=3 if not filled else 0.5,
            )
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = style.MEDIUM,
        colour: str = style.INK,
        align: str = "left",
        raised: bool = False,
        bold: bool = False,
        math: bool = False,
    ) -> None:
        """Write `text` with its middle at the height y, or its foot if `raised`."""
        centred = not raised and not math
        self._axes.text(
            x,
            y + (_HALF_A_DIGIT * size / 72 / INCHES if centred else 0),
            text,
            fontsize=size,
            color=colour,
            ha=align,
            va="center" if math else "baseline",
            weight="bold" if bold else "normal",
            parse_math=math,
            zorder=4,
        )

    def note(self, x: float, y: float, text: str, **options: Any) -> None:
        """Write what is said in passing."""
        self.text(x, y, text, size=style.SMALL, colour=style.SOFT, **options)

    def sign(self, x: float, y: float, text: str) -> None:
        """Write a sign between two grids, such as × or =."""
        self.text(x, y, text, size=24 if text in "⋆∘" else 15, colour=style.SOFT, align="center")

    def formula(self, x: float, y: float, text: str, size: float = 12, **options: Any) -> None:
        """Write a formula, in TeX without its dollar signs."""
        self.text(x, y, f"${text}$", size=size, math=True, **options)

    def arrow(
        self, start: Place, end: Place, colour: Colour = style.SOFT, bend: float = 0.0
    ) -> None:
        """Draw an arrow."""
        line = _plain(colour)
        self._axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>,head_length=4,head_width=2.2",
                connectionstyle=f"arc3,rad={bend}",
                color=line,
                linewidth=1.4,
                shrinkA=0,
                shrinkB=0,
                zorder=2,
            )
        )

    def line(self, places: Iterable[Place], colour: Colour, width: float = 1.2) -> None:
        """Draw a line from place to place."""
        found = _plain(colour)
        xs, ys = zip(*places, strict=True)
        self._axes.plot(xs, ys, color=found, linewidth=width, zorder=2, solid_capstyle="round")

    def title(self, title: str, caption: str = "") -> None:
        """Write the point of the drawing above all that is there, and a caption below it."""
        bounds = self.bounds()
        lines = caption.count("\n") + 1 if caption else 0
        top = bounds.y0 - 0.95 - 0.66 * lines - (0.25 if lines else 0)
        self.text(bounds.x0, top, title, size=13, bold=True)
        for i, line in enumerate(caption.splitlines()):
            self.text(bounds.x0, top + 0.95 + 0.66 * i, line, colour=style.SOFT)

    def bounds(self) -> Bbox:
        """Return what is covered, in cells, with y0 at the top."""
        canvas: Any = FigureCanvasAgg(self._figure)
        renderer = canvas.get_renderer()
        covered = [
            artist.get_window_extent(renderer)
            for artist in [*self._axes.texts, *self._axes.patches, *self._axes.lines]
        ]
        inside = self._axes.transData.inverted()
        boxes = [inside.transform_bbox(box) for box in covered]
        for mesh in self._axes.collections:
            boxes.append(mesh.get_datalim(self._axes.transData))
        corners = np.concatenate([box.get_points() for box in boxes])
        return Bbox([corners.min(axis=0), corners.max(axis=0)])

    def figure(self, bounds: Bbox | None = None, margin: float = 0.6) -> Figure:
        """Return the board as a figure, as large as `bounds` or as what is on it."""
        self._fit((bounds or self.bounds()).padded(margin))
        return self._figure

    def _fit(self, bounds: Bbox) -> None:
        self._figure.set_size_inches(bounds.width * INCHES, bounds.height * INCHES)
        self._axes.set(xlim=(bounds.x0, bounds.x1), ylim=(bounds.y1, bounds.y0))


def number(value: float) -> str:
    """Return a number as it is written in a cell: short, with a real minus sign.

    >>> number(-3.0), number(0.123), number(2.5)
    ('−3', '0.12', '2.5')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:.0f}"
    return "0" if text in ("-0", "0") else text.replace("-", "−")


def blank(value: float) -> str:
    """Write a number not at all."""
    return ""


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


def shade(colour: Colour, strength: float) -> tuple[float, float, float]:
    """Return a colour mixed with white: 0 is white, 1 the colour itself."""
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(_plain(colour)))
    return red, green, blue


def _plain(colour: Colour) -> str:
    return colour.value if isinstance(colour, Role) else colour


def _colours(colour: Colour) -> Colormap:
    grey = colour is Role.PADDING
    strong, weak = shade(colour, 0.26 if grey else 0.62), shade(colour, 0.26 if grey else 0.06)
    colours = LinearSegmentedColormap.from_list("cells", [strong, weak, strong])
    return colours.with_extremes(bad=style.PAPER)


def _fitting(longest: int, side: float) -> float:
    """Return the size of text of which `longest` characters fit into a cell."""
    points = 72 * INCHES * side
    return min(style.MEDIUM, 0.86 * points / (0.64 * max(longest, 1)))
