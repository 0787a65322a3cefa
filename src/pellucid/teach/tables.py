"""A failing case as small tables: what went in, what was expected, what came out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any

import numpy as np

from pellucid.teach.diagnose import Trial, part
from pellucid.teach.outcome import same
from pellucid.types import Array

_SIDE = 12  # rows and columns that are shown
_WIDTH = 100  # characters of a line of text
_SLICES = 6  # matrices that are shown of one array


@dataclass(frozen=True)
class Table:
    """A matrix to show.

    Attributes
    ----------
    label
        What stands above it.
    cells
        Its numbers, as text.
    differs
        Where it is not what it should be.
    kind
        ``input``, ``expected`` or ``got``.
    """

    label: str
    cells: list[list[str]]
    differs: list[list[bool]]
    kind: str


def tables(trial: Trial) -> list[list[Table]]:
    """Return the tables of a case in rows: first the input, then each part that is wrong."""
    given = [table for name, value in trial.arguments.items() for table in _of_input(name, value)]
    rows = [given] if given else []
    for name in trial.wrong:
        right, got = trial.right[name], part(trial.got, name)
        if trial.got.raised is not None:
            continue
        if got is None or got.shape != right.shape:
            rows.append(_of_shapes(name, right, got))
        else:
            rows.append(_beside(name, right, got))
    return [row for row in rows if row]


def as_text(rows: list[list[Table]]) -> str:
    """Return tables as text, side by side as far as there is room; a star marks what differs."""
    return "\n\n".join(
        _side_by_side(blocks) for row in rows for blocks in _fitting([_lines(t) for t in row])
    )


def as_html(rows: list[list[Table]]) -> str:
    """Return tables as HTML, in the colours that the library's drawings have."""
    return "".join(
        "<div style='display:flex;flex-wrap:wrap;gap:1.2em;margin-bottom:.8em'>"
        + "".join(map(_html, row))
        + "</div>"
        for row in rows
    )


def _of_input(name: str, value: Any) -> Iterator[Table]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _of_input(f"{name}['{key}']", inner)
    elif isinstance(value, np.ndarray):
        for label, matrix in _slices(name, value):
            yield Table(label, _cells(matrix), [[False] * len(r) for r in matrix], "input")
    elif isinstance(value, list | tuple) or callable(value):
        said = " ".join((value.__doc__ or "").split()) if callable(value) else repr(value)
        yield Table(name, [[said]], [[False]], "input")


def _of_shapes(name: str, right: Array, got: Array | None) -> list[Table]:
    if got is None:
        expected, found = f"shape {right.shape}", "nothing that fits"
    elif right.ndim == 0 and got.ndim == 0:
        expected, found = str(right), str(got)
    else:
        expected, found = f"shape {right.shape}", f"shape {got.shape}"
    return [
        Table(f"{name} expected", [[expected]], [[False]], "expected"),
        Table(f"{name} got", [[found]], [[True]], "got"),
    ]


def _beside(name: str, right: Array, got: Array) -> list[Table]:
    """Return expected and got, of the matrices in which they differ the first two."""
    row: list[Table] = []
    pairs = zip(_slices(name, right, limit=1000), _slices(name, got, limit=1000), strict=True)
    for (label, expected), (_, found) in pairs:
        differs = [
            [not same(np.asarray(a), np.asarray(b)) for a, b in zip(*rows, strict=True)]
            for rows in zip(expected, found, strict=True)
        ]
        if any(map(any, differs)) and len(row) < 4:
            row.append(Table(f"{label} expected", _cells(expected), differs, "expected"))
            row.append(Table(f"{label} got", _cells(found), differs, "got"))
    return row


def _slices(name: str, array: Array, limit: int = _SLICES) -> Iterator[tuple[str, Array]]:
    """Yield the matrices of an array, each with its name."""
    lead = array.shape[:-2]
    for count, index in enumerate(np.ndindex(lead)):
        if count == limit:
            return
        label = f"{name}[{', '.join(map(str, index))}]" if index else name
        yield label, np.atleast_2d(array[index])[:_SIDE, :_SIDE]


def _cells(matrix: Array) -> list[list[str]]:
    return [[_number(value) for value in row] for row in matrix]


def _number(value: Any) -> str:
    if isinstance(value, np.bool_ | bool):
        return str(bool(value))
    return f"{value + 0.0:.4g}" if np.isfinite(value) else str(float(value))


def _lines(table: Table) -> list[str]:
    marked = [
        [
            text + ("*" if wrong and table.kind == "got" else " ")
            for text, wrong in zip(*row, strict=True)
        ]
        for row in zip(table.cells, table.differs, strict=True)
    ]
    width = max((len(text) for row in marked for text in row), default=1)
    return [table.label, *(" ".join(text.rjust(width) for text in row) for row in marked)]


def _fitting(blocks: list[list[str]]) -> Iterator[list[list[str]]]:
    """Yield the blocks in rows that are not too wide."""
    row: list[list[str]] = []
    for block in blocks:
        if row and sum(max(map(len, b)) + 4 for b in [*row, block]) > _WIDTH:
            yield row
            row = []
        row.append(block)
    yield row


def _side_by_side(blocks: list[list[str]]) -> str:
    widths = [max(map(len, block)) for block in blocks]
    return "\n".join(
        "    ".join(line.ljust(width) for line, width in zip(line_of, widths, strict=True)).rstrip()
        for line_of in zip_longest(*blocks, fillvalue="")
    )


_TINTS = {"input": "86,156,214", "expected": "46,139,87", "got": "209,73,91"}


def _html(table: Table) -> str:
    tint = _TINTS[table.kind]
    rows = "".join(
        "<tr>"
        + "".join(_cell(text, wrong, tint) for text, wrong in zip(*row, strict=True))
        + "</tr>"
        for row in zip(table.cells, table.differs, strict=True)
    )
    return (
        f"<table style='border-collapse:collapse;width:auto'><caption style='caption-side:top;"
        f"text-align:left;white-space:nowrap'>{escape(table.label)}</caption>{rows}</table>"
    )


def _cell(text: str, wrong: bool, tint: str) -> str:
    shade = 0.45 if wrong else 0.12
    weight = "bold" if wrong else "normal"
    return (
        f"<td style='padding:.25em .6em;text-align:right;border:1px solid rgba(128,128,128,.4);"
        f"background:rgba({tint},{shade});font-weight:{weight}'>{escape(text)}</td>"
    )
