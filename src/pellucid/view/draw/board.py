"""A board to draw on: grids of numbers, frames, arrows and text, measured in cells.

The vertical axis points down, like the rows of an array. The finished board becomes a figure
exactly as large as its contents, so that nothing is cut off. All drawings use the same colours:
a `Role` says what a grid of numbers represents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from pellucid.types import Array
from pellucid.view import style
from pellucid.view.draw.cells import (
    CELL_INK,
    INCHES,
    Colour,
    colours,
    fitting,
    number,
    plain,
)

_HALF_A_DIGIT = 0.365
"""Half the height of a digit in DejaVu Sans, as a part of the size of the text."""

Place = tuple[float, float]
Area = tuple[slice, slice]


@dataclass(frozen=True)
class Grid:
    """The position and size of a grid of numbers on a board."""

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
        """Return the centre of a cell."""
        return self.x + (column + 0.5) * self.side, self.y + (row + 0.5) * self.side


class Board:
    """A drawing surface; positions are (x, y) in cells, y downwards."""

    def __init__(self) -> None:
        self._figure = style.ShownFigure(figsize=(1, 1), facecolor=style.PAPER)
        FigureCanvasAgg(self._figure)
        self._axes: Axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._beside: list[Text] = []  # text in cells fits, and need not be measured
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
        """Draw a matrix: one cell per number, with a stronger colour for a larger magnitude.

        Parameters
        ----------
        label
            Text above the grid; ``name`` is the name of the artist, by default the label.
        known
            True where the number is shown; other cells are empty.
        written
            Function that formats a number; ``blank`` leaves the cells empty.
        strongest
            Magnitude drawn in full colour, by default the largest of `values`.
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
            cmap=colours(colour),
            vmin=-most,
            vmax=most,
            edgecolors=style.FAINT,
            linewidth=0.8 * min(side, 1),
        )
        mesh.set_clip_on(False)
        mesh.set_label(name or label)
        write = written or number
        texts = {at: write(values[at]) for at in zip(*np.nonzero(shown), strict=True)}
        size = fitting(max(map(len, texts.values()), default=1), side)
        for (i, j), text in texts.items():
            if text:
                self._write(*grid.cell(i, j), text, size=size, colour=CELL_INK, align="center")
        if label:
            self.text(x, y - 0.22, label, raised=True)
        return grid

    def frame(
        self, grid: Grid, area: Area, colour: Colour, *, width: float = 2.2, inset: float = 0.0
    ) -> None:
        """Draw a frame around an area of cells of a grid."""
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
        dashed: bool = False,
    ) -> None:
        """Draw a rectangle."""
        self._axes.add_patch(
            Rectangle(
                (x, y),
                wide,
                high,
                facecolor="none",
                edgecolor=plain(colour),
                linewidth=width,
                linestyle=(0, (4, 2)) if dashed else "-",
                joinstyle="round",
                zorder=3,
            )
        )

    def text(self, x: float, y: float, text: str, **options: Any) -> None:
        """Write `text` with its middle at height y, or its baseline if `raised`.

        The options are those of `_write`: size, colour, align, raised, bold, math.
        """
        self._beside.append(self._write(x, y, text, **options))

    def note(self, x: float, y: float, text: str, **options: Any) -> None:
        """Write a secondary remark."""
        self.text(x, y, text, size=style.SMALL, colour=style.SOFT, **options)

    def sign(self, x: float, y: float, text: str) -> None:
        """Write a sign between two grids, such as ⋆ (correlation), ⊙ (entry by entry) or =."""
        size = {"⋆": 24, "⊙": 17}.get(text, 15)
        self.text(x, y, text, size=size, colour=style.SOFT, align="center")

    def formula(self, x: float, y: float, text: str, size: float = 12, **options: Any) -> None:
        """Write a formula, given in TeX without dollar signs."""
        self.text(x, y, f"${text}$", size=size, math=True, **options)

    def arrow(
        self, start: Place, end: Place, colour: Colour = style.SOFT, bend: float = 0.0
    ) -> None:
        """Draw an arrow."""
        self._axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>,head_length=4,head_width=2.2",
                connectionstyle=f"arc3,rad={bend}",
                color=plain(colour),
                linewidth=1.4,
                shrinkA=0,
                shrinkB=0,
                zorder=2,
            )
        )

    def line(self, places: Iterable[Place], colour: Colour, width: float = 1.2) -> None:
        """Draw a line through points."""
        xs, ys = zip(*places, strict=True)
        self._axes.plot(
            xs, ys, color=plain(colour), linewidth=width, zorder=2, solid_capstyle="round"
        )

    def title(self, title: str, caption: str = "") -> None:
        """Write the title above everything drawn so far, and a caption below it."""
        bounds = self.bounds()
        lines = caption.count("\n") + 1 if caption else 0
        top = bounds.y0 - 0.95 - 0.66 * lines - (0.25 if lines else 0)
        self.text(bounds.x0, top, title, size=13, bold=True)
        for i, line in enumerate(caption.splitlines()):
            self.text(bounds.x0, top + 0.95 + 0.66 * i, line, colour=style.SOFT)

    def bounds(self) -> Bbox:
        """Return the bounds of the contents in cells, with y0 at the top."""
        canvas: Any = FigureCanvasAgg(self._figure)
        renderer = canvas.get_renderer()
        covered = [
            artist.get_window_extent(renderer)
            for artist in [*self._beside, *self._axes.patches, *self._axes.lines]
        ]
        inside = self._axes.transData.inverted()
        boxes = [inside.transform_bbox(box) for box in covered]
        boxes += [mesh.get_datalim(self._axes.transData) for mesh in self._axes.collections]
        corners = np.concatenate([box.get_points() for box in boxes])
        return Bbox([corners.min(axis=0), corners.max(axis=0)])

    def figure(self, bounds: Bbox | None = None, margin: float = 0.6) -> Figure:
        """Return the board as a figure, as large as `bounds`, by default as its contents."""
        self._fit((bounds or self.bounds()).padded(margin))
        return self._figure

    def _write(
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
    ) -> Text:
        centred = not raised and not math
        return self._axes.text(
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

    def _fit(self, bounds: Bbox) -> None:
        self._figure.set_size_inches(bounds.width * INCHES, bounds.height * INCHES)
        self._axes.set(xlim=(bounds.x0, bounds.x1), ylim=(bounds.y1, bounds.y0))
