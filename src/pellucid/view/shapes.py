"""Draw how the shape of a value changes on its way through a network."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from pellucid.errors import PellucidError
from pellucid.layers import Layer
from pellucid.view import layout, style
from pellucid.view.network import Box, Branches, Part, one, read, sizes, with_batch

_WIDEST = 11.0
"""The width of a row, in inches."""
_SIDE, _DEPTH, _THICK, _THIN = 1.3, 0.3, 0.7, 0.05
"""The largest height; the share of a width that is seen from the side; the largest and the smallest
thickness."""
_GAP, _LINES = 0.28, 3
"""Between solids, and lines of text below one."""


class Stage(NamedTuple):
    """A shape that a value takes: what gives it, and how many parts after that keep it."""

    shape: tuple[int, ...]
    made_by: str
    kept_by: int


class Solid(NamedTuple):
    """How large a value is drawn: its thickness stands for channels, the rest for the image."""

    thickness: float
    height: float
    depth: float

    @property
    def width(self) -> float:
        return self.thickness + self.depth


@style.styled
def shapes(model: Layer, input_shape: Any) -> Figure:
    """Draw the values that pass through a network as solids.

    Height and depth of a solid show the size of the image, its thickness the number of channels, on
    a square-root scale, so that small values remain visible. A value without height and width is a
    bar. Below each are its shape and the layer that computed it; layers that keep the shape are
    only counted.

    Parameters
    ----------
    model
        Any layer.
    input_shape
        Shape (C, H, W) or (features,), without the batch axis.

    Raises
    ------
    ShapeError, PellucidError
        The network does not accept such an input, or has several inputs or outputs.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5408, 10))
    >>> [text.get_text() for text in shapes(model, (1, 28, 28)).axes[0].texts if text.get_gid()]
    ['1×28×28', '8×26×26', '5408', '10']
    """
    shape = with_batch(input_shape)
    model.output_shape(shape)
    steps = _steps(one(shape), read(model, shape))
    if any(isinstance(size, tuple) for step in steps for size in step.shape):
        raise PellucidError("shapes are drawn of networks with one input and one output")
    solids = _solids([step.shape for step in steps])
    texts = [_words(step) for step in steps]
    widths = [
        max(solid.width, *(layout.width_of(line, style.SMALL) for line in lines))
        for solid, lines in zip(solids, texts, strict=True)
    ]
    rows: list[list[int]] = [[]]
    for i, width in enumerate(widths):
        if rows[-1] and sum(widths[j] + _GAP for j in rows[-1]) + width > _WIDEST:
            rows.append([])
        rows[-1].append(i)
    heights = [max(solids[i].height + solids[i].depth for i in row) for row in rows]
    below = layout.LINE * _LINES + _GAP
    width = max(sum(widths[i] + _GAP for i in row) for row in rows) + _GAP
    drawn, ax = style.canvas(width, sum(heights) + len(rows) * (below + _GAP))
    y = _GAP
    for row, height in zip(rows, heights, strict=True):
        x = _GAP
        for i in row:
            middle = x + widths[i] / 2
            _draw_solid(ax, middle - solids[i].width / 2, y + height, solids[i])
            _write(ax, middle, y + height + layout.PADDING, texts[i])
            x += widths[i] + _GAP
        y += height + below + _GAP
    return drawn


def _steps(given: tuple[int, ...], chain: tuple[Part, ...]) -> list[Stage]:
    steps = [Stage(given, "input", 0)]
    for part in chain:
        assert isinstance(part, Box | Branches)
        if part.shape == steps[-1].shape:
            steps[-1] = steps[-1]._replace(kept_by=steps[-1].kept_by + 1)
        else:
            made_by = (
                part.label.partition(",")[0] if isinstance(part, Box) else part.name or "branches"
            )
            steps.append(Stage(part.shape, made_by, 0))
    return steps


def _words(step: Stage) -> list[str]:
    kept = f"and {step.kept_by} more" if step.kept_by else ""
    return [sizes(step.shape), style.shortened(step.made_by, 24), kept]


def _solids(shapes: list[tuple[int, ...]]) -> list[Solid]:
    """Return how large values are drawn, the largest of each direction as large as is allowed."""
    images = [shape for shape in shapes if len(shape) == 3]
    most = [max((shape[i] for shape in images), default=1) for i in range(3)]
    longest = max((math.prod(shape) for shape in shapes if len(shape) != 3), default=1)
    solids = []
    for shape in shapes:
        if len(shape) == 3:
            c, h, w = (math.sqrt(n / largest) for n, largest in zip(shape, most, strict=True))
            solids.append(Solid(_THIN + _THICK * c, _SIDE * h, _SIDE * _DEPTH * w))
        else:
            share = math.sqrt(math.prod(shape) / longest)
            solids.append(Solid(_THIN, _SIDE * max(share, 0.1), 0.0))
    return solids


def _draw_solid(ax: Axes, x: float, floor: float, solid: Solid) -> None:
    """Draw the three sides that are seen; (x, floor) is the corner at the front."""
    thick, high, deep = solid
    right, top = x + thick, floor - high
    front = [(x, floor), (right, floor), (right, top), (x, top)]
    above = [(x, top), (right, top), (right + deep, top - deep), (x + deep, top - deep)]
    side = [(right, floor), (right + deep, floor - deep), (right + deep, top - deep), (right, top)]
    for corners, opacity in ((front, 0.85), (above, 0.45), (side, 0.65)):
        ax.add_patch(
            Polygon(corners, fc=(style.BLUE, opacity), ec=style.INK, lw=0.6, joinstyle="round")
        )


def _write(ax: Axes, middle: float, top: float, lines: list[str]) -> None:
    for i, line in enumerate(lines):
        if line:
            text = ax.text(middle, top + (i + 0.5) * layout.LINE, line, ha="center", va="center")
            text.set(size=style.SMALL, color=style.SOFT if i else style.INK)
            text.set_gid(None if i else "shape")
