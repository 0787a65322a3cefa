"""Convert the rows of a table to labels and pixels, and record rows that cannot be used."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pellucid.data.columns import Columns
from pellucid.data.parts import part_of
from pellucid.data.problems import NAMED, Problems, shortened
from pellucid.types import Array

if TYPE_CHECKING:
    import pandas as pd


class Rows(NamedTuple):
    """The usable rows: labels as text, pixels (N, P), and the part of each row if it is known."""

    labels: list[str]
    pixels: Array
    parts: list[str] | None


def gather(chunks: Iterator[pd.DataFrame], columns: Columns, problems: Problems) -> Rows:
    """Return all usable rows, and record the others in `problems`.

    If all pixels of the table are whole numbers, they become uint8, and rows with values outside 0
    to 255 are recorded as problems. Otherwise all pixels become float32.
    """
    gathered = _Gathered(columns, problems)
    for chunk in chunks:
        gathered.add(chunk)
    return gathered.finish()


def gather_pixels(chunks: Iterator[pd.DataFrame], columns: Columns, problems: Problems) -> Array:
    """Return the pixels of all rows (N, P): uint8 if all are whole numbers from 0 to 255."""
    gathered = _Gathered(columns, problems)
    for chunk in chunks:
        gathered.add(chunk)
    return np.concatenate(gathered.pixels or [np.empty((0, 0), np.uint8)])


class _Gathered:
    def __init__(self, columns: Columns, problems: Problems) -> None:
        self.columns, self.problems = columns, problems
        self.labels: list[Array] = []
        self.pixels: list[Array] = []
        self.parts: list[Array] = []
        self.rows: list[Array] = []
        self.start = 1
        self.width: int | None = None  # number of pixels if a cell lists them

    def add(self, chunk: pd.DataFrame) -> None:
        """Add the usable rows of `chunk`; a row that cannot be used is recorded with its reason."""
        read = self._listed if self.columns.listed else self._in_columns
        values, reasons = read(chunk)
        labels = self._labels(chunk, reasons)
        if self.columns.part is not None:
            self._add_parts(chunk[self.columns.part].to_numpy(dtype=object), reasons)
        good = np.ones(len(chunk), bool)
        good[list(reasons)] = False
        for row in sorted(reasons):
            self.problems.add(f"row {self.start + row}", reasons[row])
        if self.columns.part is not None:
            self.parts[-1] = self.parts[-1][good]
        self.labels.append(labels[good])
        self.pixels.append(_compact(values[good]))
        self.rows.append(self.start + np.flatnonzero(good))
        self.start += len(chunk)

    def finish(self) -> Rows:
        """Return all usable rows, with pixels of one type."""
        if not self.pixels:
            return Rows([], np.empty((0, 0), np.uint8), None)
        if all(_is_whole(part) for part in self.pixels):
            for i, part in enumerate(self.pixels):
                inside = _inside(part, self.rows[i], self.problems)
                self.labels[i], self.pixels[i] = self.labels[i][inside], part[inside]
                self.pixels[i] = self.pixels[i].astype(np.uint8)
                if self.parts:
                    self.parts[i] = self.parts[i][inside]
        parts = list(np.concatenate(self.parts)) if self.parts else None
        return Rows(list(np.concatenate(self.labels)), np.concatenate(self.pixels), parts)

    def _labels(self, chunk: pd.DataFrame, reasons: dict[int, str]) -> Array:
        if self.columns.label is None:
            return np.full(len(chunk), None)
        for row in np.flatnonzero(chunk[self.columns.label].isna()).tolist():
            reasons[row] = "it has no class"
        return np.asarray(chunk[self.columns.label].to_numpy(dtype=object))

    def _add_parts(self, cells: Array, reasons: dict[int, str]) -> None:
        found = [part_of(str(cell)) for cell in cells]
        for row, part in enumerate(found):
            if part is None:
                cell = shortened(cells[row])
                reasons.setdefault(row, f"'{cell}' is neither training, validation nor test")
        self.parts.append(np.array(found, dtype=object))

    def _in_columns(self, chunk: pd.DataFrame) -> tuple[Array, dict[int, str]]:
        """Return pixels stored in one column each, and the reasons for unusable rows."""
        import pandas as pd

        cells = chunk[list(self.columns.pixels)]
        numbers = cells
        if any(dtype.kind not in "biuf" for dtype in cells.dtypes):
            numbers = cells.apply(pd.to_numeric, errors="coerce")
        values = numbers.to_numpy(np.float64)
        finite = np.isfinite(values)
        bad = np.flatnonzero(~finite.all(axis=1)).tolist()
        reasons = dict.fromkeys(bad, "it has values that are no numbers")
        for row in bad[:NAMED]:  # messages name no more rows
            reasons[row] = _invalid(cells, row, int(np.argmin(finite[row])))
        return values, reasons

    def _listed(self, chunk: pd.DataFrame) -> tuple[Array, dict[int, str]]:
        """Return pixels listed in one cell per row, and the reasons for unusable rows."""
        reasons: dict[int, str] = {}
        parsed = []
        for row, cell in enumerate(chunk[self.columns.pixels[0]]):
            values = _numbers(cell) if isinstance(cell, str) else None
            if values is None or not np.isfinite(values).all():
                reasons[row] = f"'{shortened(cell)}' is no list of numbers"
                values = None
            elif self.width is None:
                self.width = len(values)
            elif len(values) != self.width:
                reasons[row] = f"it lists {len(values):,} pixels, the first row {self.width:,}"
                values = None
            parsed.append(values)
        blank = np.zeros(self.width or 0)
        return np.array([blank if values is None else values for values in parsed]), reasons


def _invalid(cells: pd.DataFrame, row: int, pixel: int) -> str:
    cell = cells.iloc[row : row + 1, pixel]
    number = int(cells.columns[pixel]) + 1
    if cell.isna().any():
        return f"column {number} is missing"
    return f"column {number} is '{shortened(cell.iloc[0])}'"


def _numbers(cell: str) -> Array | None:
    """Parse a list such as ``"70 80 82"`` or ``"[70, 80, 82]"``; return None for other text."""
    text = cell.strip().removeprefix("[").removesuffix("]").replace(",", " ")
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # raised if text is left over
        try:
            return np.fromstring(text, dtype=np.float64, sep=" ")
        except (ValueError, DeprecationWarning):
            return None


def _compact(values: Array) -> Array:
    """Return whole numbers from 0 to 255 as uint8, others as float32."""
    pixels = values.astype(np.uint8) if _is_whole(values) and _fits(values).all() else None
    return values.astype(np.float32) if pixels is None else pixels


def _is_whole(values: Array) -> bool:
    return values.dtype == np.uint8 or bool((values == np.rint(values)).all())


def _fits(values: Array) -> Array:
    return np.asarray((values >= 0) & (values <= 255))


def _inside(pixels: Array, rows: Array, problems: Problems) -> Array:
    """Return a mask of the rows whose values are all from 0 to 255, and record the others."""
    fits = _fits(pixels)
    inside = fits.all(axis=1)
    for i in np.flatnonzero(~inside):
        value = pixels[i, int(np.argmin(fits[i]))]
        problems.add(f"row {rows[i]}", f"the pixel {value:g} is not between 0 and 255")
    return np.asarray(inside)
