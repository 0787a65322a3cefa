"""Draw a network as a diagram of boxes and arrows."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from pellucid.layers import Layer
from pellucid.view import layout, style
from pellucid.view.network import Box, Chain, count, folded, one, read, sizes, with_batch

_MANY, _TOO_MANY = 24, 48
"""Boxes from which repeated parts are drawn once, and from which those that differ in width are."""
_TALLEST = 9.0
"""The height of a column, in inches."""
_MARGIN = 0.15
_HEAD = 0.07


@style.styled
def diagram(model: Layer, input_shape: Any) -> Figure:
    """Draw a network as boxes, from its input to its output.

    A box shows a layer, the elementwise layers that follow it, the shape of the output for one
    image, and the number of parameters. Boxes with parameters are blue, boxes that join branches
    orange. Residual blocks, parallel branches and other graphs have frames. In large networks,
    repeated parts are drawn once; from about fifty boxes on, also blocks that differ only in their
    numbers of channels. Long networks continue in further columns.

    Parameters
    ----------
    model
        Any layer.
    input_shape
        Shape (C, H, W) or (features,), without the batch axis; for a network with several inputs, a
        tuple of shapes.

    Raises
    ------
    ShapeError
        The network does not accept such an input.

    Examples
    --------
    >>> from pellucid import models
    >>> drawn = diagram(models.lenet5((1, 28, 28), 10), (1, 28, 28))
    >>> drawn.axes[0].texts[1].get_text(), drawn.axes[0].texts[3].get_text()
    ('conv1: Conv2d 5×5', '6×28×28, 156 parameters')
    """
    shape = with_batch(input_shape)
    model.output_shape(shape)
    chain = _told(read(model, shape))
    given = Box("input", sizes(one(shape)), None, 0, False, False, ())
    whole: Chain = (given, *chain)
    sketch = layout.in_columns([layout.placed(part) for part in whole], _TALLEST)
    return _drawn(sketch.without_loose_ends())


def _told(chain: Chain) -> Chain:
    """Return the chain with as little folded as is needed."""
    if count(chain) <= _MANY:
        return chain
    once = folded(chain)
    return once if count(once) <= _TOO_MANY else folded(chain, loosely=True)


def _drawn(sketch: layout.Sketch) -> Figure:
    width, height = sketch.width + 2 * _MARGIN, sketch.height + 2 * _MARGIN
    drawn, ax = style.canvas(width, height)
    ax.set(xlim=(-_MARGIN, width - _MARGIN), ylim=(height - _MARGIN, -_MARGIN))
    for frame in sketch.frames:
        _rectangle(ax, frame.x, frame.y, frame.width, frame.height, style.FAINT)
        for i, line in enumerate(frame.label):
            place = frame.x + layout.PADDING, frame.y + layout.PADDING + (i + 0.5) * layout.LINE
            ax.text(*place, line, size=style.SMALL, color=style.SOFT, va="center")
    for path in sketch.lines:
        _line(ax, path)
    for placed in sketch.boxes:
        _box(ax, placed)
    return drawn


def _box(ax: Axes, placed: layout.PlacedBox) -> None:
    colour = style.BLUE if placed.box.parameters else style.SOFT
    colour = style.ORANGE if placed.box.joins else colour
    _rectangle(ax, placed.x, placed.y, placed.width, placed.height, colour)
    y = placed.y + layout.PADDING / 2
    for line in layout.words(placed.box):
        ink = style.SOFT if line.soft else style.INK
        middle = placed.x + placed.width / 2, y + layout.LINE / 2
        ax.text(*middle, line.text, size=line.size, color=ink, ha="center", va="center")
        y += layout.LINE


def _rectangle(ax: Axes, x: float, y: float, width: float, height: float, colour: str) -> None:
    corners = "round,pad=0,rounding_size=0.06"
    ax.add_patch(
        FancyBboxPatch((x, y), width, height, corners, fc="none", ec=colour, lw=1.2, zorder=1)
    )


def _line(ax: Axes, line: layout.Line) -> None:
    """Draw a line: upright where it can be, a curve where it changes lanes, corners else."""
    (x0, y0), (x1, y1) = line.points[0], line.points[-1]
    if len(line.points) == 2 and x0 != x1:
        half = (y0 + y1) / 2
        path = Path([(x0, y0), (x0, half), (x1, half), (x1, y1)], [1, 4, 4, 4])
    else:
        path = Path(line.points)
    ax.add_patch(PathPatch(path, fc="none", ec=style.SOFT, lw=1.0, zorder=0.5))
    if line.arrow:
        head = [(x1, y1), (x1 - _HEAD / 2, y1 - _HEAD), (x1 + _HEAD / 2, y1 - _HEAD)]
        ax.fill(*zip(*head, strict=True), color=style.SOFT, lw=0)
