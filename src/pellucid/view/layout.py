"""Layout of a network's boxes, in inches from the upper left corner downward.

A chain is a stack of its parts. Branches are arranged in rows, each chain one row below the lowest
one that it reads; a value that is read further down passes the rows between in its own lane, so
that no line crosses a box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from pellucid.view.network import Box, Branches, Chain, Part, Repeat, sizes
from pellucid.view.style import FONT, MEDIUM, SMALL

GAP, ROW_GAP = 0.26, 0.34
"""Between the parts of a chain, and between the rows of branches."""
LINE, PADDING = 0.165, 0.12
"""The height of a line of text; what is left free around text and inside a frame."""
LANE, BETWEEN, COLUMN_GAP = 0.16, 0.2, 0.5
"""The width of a lane; the space between what stands side by side, and between columns."""

Point = tuple[float, float]


class Words(NamedTuple):
    """A line of text, its size in points, and whether it is secondary."""

    text: str
    size: float
    soft: bool


class PlacedBox(NamedTuple):
    """A box and its position."""

    x: float
    y: float
    width: float
    height: float
    box: Box


class Frame(NamedTuple):
    """A rectangle around several boxes, with the lines of its label."""

    x: float
    y: float
    width: float
    height: float
    label: tuple[str, ...]


class Line(NamedTuple):
    """A line through points, with or without an arrow at its end."""

    points: tuple[Point, ...]
    arrow: bool


@dataclass
class Sketch:
    """A rectangle of drawn elements with an entry at the top centre and an exit at the bottom."""

    width: float = 0.0
    height: float = 0.0
    boxes: list[PlacedBox] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def put(self, other: Sketch, x: float, y: float) -> None:
        """Add the elements of another sketch with its corner at (x, y)."""
        self.boxes += [b._replace(x=b.x + x, y=b.y + y) for b in other.boxes]
        self.frames += [f._replace(x=f.x + x, y=f.y + y) for f in other.frames]
        self.lines += [
            line._replace(points=tuple((px + x, py + y) for px, py in line.points))
            for line in other.lines
        ]

    def without_loose_ends(self) -> Sketch:
        """Return a copy without lines that lead to nothing, such as from the last box."""
        lines = self.lines
        while True:
            starts = {_rounded(line.points[0]) for line in lines}
            kept = [line for line in lines if line.arrow or _rounded(line.points[-1]) in starts]
            kept = [line for line in kept if line.arrow or line.points[0] != line.points[-1]]
            if len(kept) == len(lines):
                return replace(self, lines=kept)
            lines = kept

    def connect(self, *points: Point, arrow: bool = True) -> None:
        """Draw a line through points, with an arrow at the last."""
        self.lines.append(Line(points, arrow))


def _rounded(point: Point) -> Point:
    x, y = point
    return round(x, 6), round(y, 6)


def words(box: Box) -> list[Words]:
    """Return the lines of text in a box."""
    name = box.name if box.last is None else _from_to(box.name, box.last.name)
    if box.joins:
        name = ""
    lines = [Words(": ".join(filter(None, [name, box.label])), MEDIUM, False)]
    if box.followers:
        lines.append(Words(", ".join(box.followers), SMALL, True))
    if box.shape is None:
        return lines
    text = sizes(box.shape)
    if box.parameters:
        text += f", {box.parameters:,} parameters" + ", shared" * box.shared
    if box.times > 1:
        text += f", {box.times} times"
    return [*lines, Words(text, SMALL, True)]


@cache
def width_of(text: str, size: float) -> float:
    """Return the width of a text in inches, with a margin for rounding to pixels."""
    width, _, _ = TextToPath().get_text_width_height_descent(
        text, FontProperties(family=FONT, size=size), False
    )
    return 1.04 * float(width) / 72


def stack(chain: Chain) -> Sketch:
    """Return the parts of a chain stacked vertically."""
    return stacked([placed(part) for part in chain])


def stacked(parts: Sequence[Sketch]) -> Sketch:
    """Return sketches stacked vertically and joined by arrows."""
    whole = Sketch(max((part.width for part in parts), default=0.0))
    middle, y = whole.width / 2, 0.0
    for part in parts:
        if y:
            whole.connect((middle, y), (middle, y + GAP))
            y += GAP
        whole.put(part, middle - part.width / 2, y)
        y += part.height
    whole.height = y
    return whole


def placed(part: Part) -> Sketch:
    """Return the sketch of a part."""
    if isinstance(part, Box):
        lines = words(part)
        width = max(width_of(line.text, line.size) for line in lines) + 2 * PADDING
        height = LINE * len(lines) + PADDING
        return Sketch(width, height, boxes=[PlacedBox(0, 0, width, height, part)])
    if isinstance(part, Repeat):
        return _framed(stack(part.chain), f"{part.times} times")
    return _framed(_branches(part), *_told(part))


def _told(branches: Branches) -> list[str]:
    """Return the label of branches: their path, and how often they are repeated."""
    last = branches.last
    if last is None:
        return [branches.name] if branches.name else []
    change = f", the last gives {sizes(last.shape)}" if last.shape != branches.shape else ""
    return [_from_to(branches.name, last.name), f"{branches.times} times{change}"]


def _from_to(first: str, last: str) -> str:
    """Return a range of two paths, the second without their common prefix.

    >>> _from_to("features.block1.a", "features.block1.b")
    'features.block1.a … b'
    """
    parts = list(zip(first.split("."), last.split("."), strict=False))
    same = next((i for i, (a, b) in enumerate(parts) if a != b), 0)
    return f"{first} … {'.'.join(last.split('.')[same:])}"


def _framed(inside: Sketch, *label: str) -> Sketch:
    above = LINE * len(label) + PADDING
    # the label stands left of the line that comes in from above
    wanted = max((width_of(line, SMALL) for line in label), default=0.0)
    width = max(inside.width + 2 * PADDING, 2 * (wanted + 2 * PADDING))
    whole = Sketch(width, above + inside.height + 2 * PADDING)
    whole.frames.append(Frame(0, 0, width, whole.height, label))
    left, top = (width - inside.width) / 2, above + PADDING
    whole.put(inside, left, top)
    middle = width / 2
    whole.connect((middle, 0), (middle, top), arrow=False)
    whole.connect((middle, top + inside.height), (middle, whole.height), arrow=False)
    return whole


class Slot(NamedTuple):
    """A position in a row: of the chain that computes a value, or of a lane for it."""

    value: int
    is_lane: bool


def _branches(branches: Branches) -> Sketch:
    """Return chains in rows, with lanes for values that pass a row."""
    chains = [stack(chain) for chain in branches.chains]

    def width(slot: Slot) -> float:
        return LANE if slot.is_lane else chains[slot.value - 1].width

    rows = _rows(branches)
    widths = [sum(map(width, row)) + BETWEEN * (len(row) - 1) for row in rows]
    whole = Sketch(max(widths))
    middle, y = whole.width / 2, 0.0
    at: dict[int, Point] = {0: (middle, 0.0)}  # where each value can be taken from
    for row, row_width in zip(rows, widths, strict=True):
        top = y + ROW_GAP
        y = top + max(0.0 if slot.is_lane else chains[slot.value - 1].height for slot in row)
        x, given = middle - row_width / 2, dict(at)
        for slot in row:
            here = x + width(slot) / 2
            reads = [slot.value] if slot.is_lane else branches.reads[slot.value - 1]
            inside = Sketch() if slot.is_lane else chains[slot.value - 1]
            start = top + (y - top - inside.height) / 2
            for value in reads:
                whole.connect(given[value], (here, top), arrow=False)
            whole.connect((here, top), (here, start), arrow=bool(inside.boxes))
            whole.put(inside, here - inside.width / 2, start)
            whole.connect((here, start + inside.height), (here, y), arrow=False)
            at[slot.value] = (here, y)
            x += width(slot) + BETWEEN
    whole.height = y + (ROW_GAP if len(branches.outputs) > 1 else 0)
    for value in branches.outputs:
        whole.connect(at[value], (middle, whole.height), arrow=False)
    return whole


def _rows(branches: Branches) -> list[list[Slot]]:
    """Return the contents of each row: each chain below all that it reads, lanes to the right."""
    row_of = {0: 0}
    for value, reads in enumerate(branches.reads, start=1):
        row_of[value] = 1 + max(row_of[read] for read in reads)
    count = max(row_of.values())
    until = dict.fromkeys(branches.outputs, count + 1)
    for value, reads in enumerate(branches.reads, start=1):
        for read in reads:
            until[read] = max(until.get(read, 0), row_of[value])
    return [
        [Slot(value, False) for value, at in row_of.items() if at == row]
        + [Slot(value, True) for value, at in row_of.items() if at < row < until.get(value, 0)]
        for row in range(1, count + 1)
    ]


def in_columns(parts: Sequence[Sketch], tallest: float) -> Sketch:
    """Return sketches stacked vertically or, if that is too tall, in columns, roughly a square.

    A line leads from the bottom of each column to the top of the next.
    """
    total = sum(part.height + GAP for part in parts)
    square = math.sqrt(0.8 * total / max(part.width for part in parts))
    goal = total / (max(2, round(square)) if total > tallest else 1)
    columns: list[list[Sketch]] = [[]]
    height = 0.0
    for part in parts:
        if columns[-1] and height + part.height / 2 > goal * len(columns):
            columns.append([])
        columns[-1].append(part)
        height += part.height + GAP
    stacks = [stacked(column) for column in columns]
    whole = Sketch(height=max(column.height for column in stacks) + 2 * GAP * (len(stacks) > 1))
    above = GAP * (len(stacks) > 1)
    for i, column in enumerate(stacks):
        x = whole.width
        whole.put(column, x, above)
        whole.width += column.width
        if i + 1 < len(stacks):
            foot = x + column.width / 2, above + column.height
            lane = whole.width + COLUMN_GAP / 2
            head = whole.width + COLUMN_GAP + stacks[i + 1].width / 2
            whole.connect(
                foot,
                (foot[0], foot[1] + GAP / 2),
                (lane, foot[1] + GAP / 2),
                (lane, 0),
                (head, 0),
                (head, above),
            )
            whole.width += COLUMN_GAP
    return whole
