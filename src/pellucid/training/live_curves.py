"""Small curves of loss and accuracy for a terminal, drawn in braille dots."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pellucid.training.records import Record, Step
from pellucid.types import Array

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

Points = list[tuple[float, float]]
Curves = tuple[Points, ...]

NARROWEST, LOWEST = 78, 18
"""Columns and rows that a terminal needs for curves."""

_NAMES = ("training", "validation")
_STYLES = ("#2b8fd0", "#d55e00")  # can be read on black and on white
_PARTS = 8  # points of an epoch
_ROWS = 5
_WIDEST = 48
_BESIDE = 20  # columns of a chart that are numbers: 8 on the left, 10 on the right, a gap
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # bits of U+2800


def fits(console: Console) -> bool:
    """Return whether `console` can show curves: a terminal with enough room and braille."""
    return (
        console.is_terminal
        and not console.is_dumb_terminal
        and console.encoding.startswith("utf")
        and console.width >= NARROWEST
        and console.height >= LOWEST
    )


@dataclass
class LiveCurves:
    """Curves of loss and accuracy that grow with a run's records.

    Training curves have a point for each eighth of an epoch, the mean over its steps; validation
    curves one for each epoch, at its end.
    """

    loss: Curves = field(default_factory=lambda: ([], []))
    accuracy: Curves = field(default_factory=lambda: ([], []))
    _steps: list[Step] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Add a record to the curves."""
        if isinstance(record, Step):
            self._steps.append(record)
            if record.step * _PARTS // record.steps > (record.step - 1) * _PARTS // record.steps:
                self._add_training(record.epoch - 1 + record.step / record.steps)
        else:
            _note(self.loss[1], record.epoch, record.validation_loss)
            _note(self.accuracy[1], record.epoch, record.validation_accuracy)

    def _add_training(self, epoch: float) -> None:
        count = len(self._steps)
        _note(self.loss[0], epoch, sum(step.loss for step in self._steps) / count)
        accuracies = [step.accuracy for step in self._steps if step.accuracy is not None]
        _note(self.accuracy[0], epoch, sum(accuracies) / count if accuracies else None)
        self._steps.clear()

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[Text]:
        if len(self.loss[0]) > 1:
            yield self.draw(options.max_width)

    def draw(self, width: int) -> Text:
        """Return curves of at least two points as text of at most `width` columns."""
        from rich.text import Text

        # copies, because another thread draws while training continues
        loss = tuple(points.copy() for points in self.loss)
        accuracy = tuple(points.copy() for points in self.accuracy)
        charts = [_chart("loss", loss, width // 2, _legend(loss), logarithmic=True)]
        if len(accuracy[0]) > 1:
            charts.append(_chart("accuracy", accuracy, width // 2, Text()))
        lines = [Text().join(parts) for parts in zip(*charts, strict=True)]
        for line in lines:
            line.rstrip()
        return Text("\n").join([Text(), *lines])


def _note(points: Points, epoch: float, value: float | None) -> None:
    if value is not None and math.isfinite(value):
        points.append((float(epoch), value))


def _legend(curves: Curves) -> Text:
    from rich.text import Text

    legend = Text()
    for name, style, points in zip(_NAMES, _STYLES, curves, strict=True):
        if points:
            legend.append(f"  {name[0]}", style).append(f" {name}")
    return legend


def _chart(
    title: str,
    curves: Curves,
    width: int,
    legend: Text,
    logarithmic: bool = False,
) -> list[Text]:
    """Return the lines of a chart: a title, then the curves between scale and final values.

    A logarithmic scale becomes linear if a value is not positive.
    """
    from rich.text import Text

    logarithmic = logarithmic and min(y for points in curves for _, y in points) > 0
    lines = [Text(" " * 8).append(title, "bold").append(legend)]
    columns = min(width - _BESIDE, _WIDEST)
    cells, rows_of_ends, (low, high) = plot(curves, columns, _ROWS, logarithmic)
    ends = _ends(curves, rows_of_ends)
    for row in range(_ROWS):
        scale = {0: _shown(title, high), _ROWS - 1: _shown(title, low)}.get(row, "")
        line = Text().append(f"{scale:>7} ", "dim")
        for bits, curve in cells[row]:
            line.append(chr(0x2800 + bits) if bits else " ", _STYLES[curve])
        if row in ends:
            curve = ends[row]
            line.append(f" {_NAMES[curve][0]}", _STYLES[curve])
            line.append(f" {_shown(title, curves[curve][-1][1])}")
        lines.append(line)
    for line in lines:
        line.truncate(width, pad=True)
    return lines


def _shown(title: str, value: float) -> str:
    if title == "accuracy":
        return f"{value:.1%}"
    return short if len(short := f"{value:.3g}") < 8 else f"{value:.1g}"


def _ends(curves: Curves, rows: list[int | None]) -> dict[int, int]:
    """Return the curve named in each row: beside its end, the higher one above."""
    first, second = rows
    if first is None or second is None:
        return {row: curve for curve, row in enumerate(rows) if row is not None}
    if first == second:
        upper = int(curves[1][-1][1] > curves[0][-1][1])
        top = min(first, _ROWS - 2)
        return {top: upper, top + 1: 1 - upper}
    return {first: 0, second: 1}


def plot(
    curves: Curves, columns: int, rows: int, logarithmic: bool = False
) -> tuple[list[list[tuple[int, int]]], list[int | None], tuple[float, float]]:
    """Draw curves on a grid of braille cells, which have 2 × 4 dots each.

    Returns
    -------
    cells
        For each row and column, (bits of the dots, curve that gives the cell its colour, the last
        one that passes through it).
    ends
        Row in which each curve ends; None for a curve without points.
    (low, high)
        Values at the lower and the upper edge.

    Examples
    --------
    >>> cells, ends, edges = plot(([(0.0, 0.0), (3.0, 7.0)],), columns=2, rows=2)
    >>> for row in cells:
    ...     print("".join(chr(0x2800 + bits) for bits, _ in row))
    ⠀⡜
    ⡰⠁
    >>> ends, edges
    ([0], (0.0, 7.0))
    """
    low, high = _span(curves, 1)
    across = _span(curves, 0)
    scale = math.log if logarithmic else float
    upward = scale(low), scale(high)
    bits, owner = np.zeros((rows, columns), int), np.zeros((rows, columns), int)
    ends: list[int | None] = [None] * len(curves)
    for number, points in enumerate(curves):
        if not points:
            continue
        x = _to_dots([x for x, _ in points], across, 2 * columns)
        y = 4 * rows - 1 - _to_dots([scale(y) for _, y in points], upward, 4 * rows)
        for column, row in _line(x, y):
            cell = row // 4, column // 2
            bits[cell] |= _DOTS[row % 4, column % 2]
            owner[cell] = number
        ends[number] = round(y[-1]) // 4
    cells = [
        list(zip(*row, strict=True)) for row in zip(bits.tolist(), owner.tolist(), strict=True)
    ]
    return cells, ends, (low, high)


def _span(curves: Curves, axis: int) -> tuple[float, float]:
    values = [point[axis] for points in curves for point in points]
    return min(values), max(values)


def _to_dots(values: list[float], span: tuple[float, float], dots: int) -> Array:
    """Return positions from dot 0 to the last; the middle if the span is a point."""
    low, high = span
    if high == low:
        return np.full(len(values), dots // 2)
    return (np.array(values) - low) / (high - low) * (dots - 1)


def _line(x: Array, y: Array) -> Iterator[tuple[int, int]]:
    """Yield the dots (column, row) of straight lines between the points, without gaps."""
    across = np.union1d(x, np.arange(math.ceil(x[0]), x[-1]))
    columns = np.rint(across).astype(int).tolist()
    rows = np.rint(np.interp(across, x, y)).astype(int).tolist()
    before = rows[0]
    for column, row in zip(columns, rows, strict=True):
        step = 1 if row >= before else -1
        for between in range(before + step if row != before else row, row + step, step):
            yield column, between
        before = row
