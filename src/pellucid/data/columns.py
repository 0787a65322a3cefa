"""Find the columns of a table that hold the class, the pixels, and the part of each row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pellucid.data.assumptions import assume
from pellucid.data.parts import part_of
from pellucid.data.problems import shortened
from pellucid.errors import DataError, unknown

LABEL_NAMES = ("label", "labels", "class", "target", "category", "y")
_PART_NAMES = ("usage", "split", "set", "subset", "partition")
_INDEX_NAMES = ("", "unnamed: 0")  # the name of the index as pandas writes it, and as it reads it
_LABEL = "label= (--label)"
_HEADER = "header=True or False (--header, --no-header)"
_FEW = 4
"""A sequence of fewer numbers in the first line may be consecutive by chance."""
_MANY = 16
"""More than this many consecutive numbers in the first line are taken for names of columns."""
_LISTED = re.compile(r"\[?\s*[-+.\de]+([\s,]+[-+.\de]+)+\s*\]?", re.IGNORECASE)
_COLOUR = re.compile(r"(?<![a-z])(red|green|blue|r|g|b)(?![a-z])")

Row = Sequence[str]


@dataclass(frozen=True)
class Columns:
    """The roles of a table's columns.

    Attributes
    ----------
    names
        Names of all columns, or None for a table without a header.
    label
        Number of the column of the class, or None for a table without classes.
    pixels
        Numbers of the columns of the pixels.
    part
        Number of the column with ``Training``, ``Test``, …, if there is one.
    listed
        Whether one cell lists all pixels of an image. Default: False.
    """

    names: tuple[str, ...] | None
    label: int | None
    pixels: tuple[int, ...]
    part: int | None = None
    listed: bool = False

    @property
    def pixel_names(self) -> list[str] | None:
        """The names of the pixels' columns."""
        return None if self.names is None else [self.names[i] for i in self.pixels]


def find_columns(
    first: Row,
    below: Sequence[Row],
    ends: Callable[[bool], tuple[Sequence[str], Sequence[str]]],
    *,
    label: str | int | None = None,
    header: bool | None = None,
    ignore: Sequence[str | int] = (),
    source: str = "table",
) -> Columns:
    """Find the roles of a table's columns by their names and values.

    If these leave two readings, an `AssumptionWarning` tells which one was assumed. If the class
    seems to be in a column other than the first, the user must name it.

    Parameters
    ----------
    first, below
        Cells of the first line, and of some lines below it.
    ends
        Function that returns all values of the first and the last column, given whether there is a
        header. It is called only if nothing else tells which of the two is the class.
    label, header, ignore
        The user's options, see `read_csv`.
    source
        Name of the table in messages.
    """
    if header is None:
        header = has_header(first, below, source)
    names = tuple(name.strip() for name in first) if header else None
    rows = list(below) if header else [first, *below]
    ignored = {_column(one, names, len(first), source) for one in ignore}
    ignored |= index_columns(names, rows)
    there = [i for i in range(len(first)) if i not in ignored]
    part = part_column(names, rows, there)
    listed = [i for i in there if i != part and lists_pixels(rows, i)]
    candidates = [i for i in there if i != part and (i not in listed or len(listed) > 1)]
    if label is not None:
        chosen = _column(label, names, len(first), source)
    else:
        chosen = _label_column(names, rows, candidates, lambda: ends(bool(names)), source)
    pixels = [i for i in there if i not in (part, chosen)]
    if len(listed) == 1 and chosen not in listed:
        _check_alone(pixels, listed[0], names, source)
        return Columns(names, chosen, tuple(listed), part, listed=True)
    _check_alike(pixels, names, source)
    return Columns(names, chosen, tuple(pixels), part)


def has_header(first: Row, below: Sequence[Row], source: str) -> bool:
    """Return whether the first line holds names rather than values."""
    text = [i for i, cell in enumerate(first) if not _is_value(cell)]
    if len(text) > len(first) / 2:
        return True
    counting = _counts_up([cell for i, cell in enumerate(first) if i not in text])
    if text:
        if any(_name(first[i]) in LABEL_NAMES for i in text):
            return True
        column = [row[text[0]] for row in below]
        if not counting or first[text[0]] in column:
            return False
        if column and all(map(_is_value, column)):
            return True
    elif not counting:
        return False
    elif max(map(float, first)) > 255 and all(_most(row) <= 255 for row in below):
        return True  # as pixels these numbers would be too large
    named = counting and len(first) > _MANY
    reading = "names of columns" if named else "an image"
    assume(source, f"the first line, {shortened(', '.join(first))}, is read as {reading}", _HEADER)
    return named


def _label_column(
    names: tuple[str, ...] | None,
    rows: Sequence[Row],
    candidates: list[int],
    ends: Callable[[], tuple[Sequence[str], Sequence[str]]],
    source: str,
) -> int:
    """Return the column of the class: by its name, by not being a pixel, or the first one."""
    if not candidates:
        raise DataError(f"{source} has no column for the class")
    first = candidates[0]
    if names is not None:
        known = [i for word in LABEL_NAMES for i in candidates if _name(names[i]) == word]
        if known:
            return known[0]
    if len(candidates) == 1:
        return first
    suspects = [i for i in candidates if _is_text([row[i] for row in rows])]
    suspects = suspects or unlike_others(names, candidates)
    if suspects and suspects[0] != first:
        raise DataError(_ask_for_label(suspects, names, source))
    if suspects:
        return first
    begin, end = (_may_be_classes(values) for values in ends())
    if end and not begin:
        raise DataError(_ask_for_label([candidates[-1]], names, source))
    if end and begin:
        where = f"the first column{_called(first, names)}"
        assume(source, f"the class is read from {where}", _LABEL)
    return first


def _ask_for_label(suspects: list[int], names: tuple[str, ...] | None, source: str) -> str:
    if names is None:
        last = f"column {suspects[0]} (counted from 0)"
        return f"{source}: the class seems to be in {last}; give {_LABEL}, such as {suspects[0]}"
    text = " or ".join(f"'{shortened(names[i])}'" for i in suspects[:3])
    return (
        f"{source}: no column is called label or class, and the class seems to be in {text}; "
        f"give {_LABEL}"
    )


def _called(column: int, names: tuple[str, ...] | None) -> str:
    return f", '{shortened(names[column])}'" if names is not None else ""


def unlike_others(names: tuple[str, ...] | None, columns: Sequence[int]) -> list[int]:
    """Return the columns whose names deviate from the numbered names that most of them have."""
    if names is None:
        return []
    stems = {i: re.sub(r"\d+", "#", _COLOUR.sub("*", names[i].lower())) for i in columns}
    usual, count = Counter(stems.values()).most_common(1)[0]
    if "#" not in usual or count < max(4, 0.8 * len(columns)):
        return []
    return [i for i in columns if stems[i] != usual]


def _check_alike(pixels: Sequence[int], names: tuple[str, ...] | None, source: str) -> None:
    """Raise an error if the name of one of the columns does not look like a pixel's."""
    strange = unlike_others(names, pixels) if pixels else []
    if strange and names is not None:
        raise DataError(_ask_to_ignore(names[strange[0]], source))


def _check_alone(
    pixels: Sequence[int], listed: int, names: tuple[str, ...] | None, source: str
) -> None:
    other = [i for i in pixels if i != listed]
    if other:
        raise DataError(_ask_to_ignore(names[other[0]] if names else str(other[0]), source))


def _ask_to_ignore(column: str, source: str) -> str:
    return (
        f"{source}: column '{shortened(column)}' is neither the class nor a pixel, it seems; "
        f"leave it out with ignore= (--ignore), or name the column of the class with {_LABEL}"
    )


def index_columns(names: tuple[str, ...] | None, rows: Sequence[Row]) -> set[int]:
    """Return the first column if it has no name and only numbers the rows, as an index."""
    if names is None or _name(names[0]) not in _INDEX_NAMES or not rows:
        return set()
    counted = [row[0] for row in rows] == [str(i) for i in range(len(rows))]
    return {0} if counted else set()


def part_column(
    names: tuple[str, ...] | None, rows: Sequence[Row], columns: Sequence[int]
) -> int | None:
    """Return the column that names the part of each row, such as Training or Test."""
    for i in columns:
        named = names is not None and _name(names[i]) in _PART_NAMES
        if named and rows and all(part_of(row[i]) for row in rows):
            return i
    return None


def _column(given: str | int, names: tuple[str, ...] | None, width: int, source: str) -> int:
    """Return the number of the column that the user gave by name or number."""
    if isinstance(given, str):
        lower = [_name(name) for name in names or ()]
        if _name(given) not in lower:
            where = f"column of {source}" + ("" if names else ", which has no header,")
            raise DataError(unknown(where, given, [shortened(n) for n in (names or [])[:10]]))
        return lower.index(_name(given))
    if not -width <= given < width:
        raise DataError(f"{source} has {width} columns, so there is no column {given}")
    return given % width


def _may_be_classes(values: Sequence[str]) -> bool:
    """Return whether there are several distinct values, all of them whole numbers or text."""
    distinct = set(values)
    return len(distinct) > 1 and all(not _is_number(v) or float(v or 0) % 1 == 0 for v in distinct)


def _is_text(cells: Sequence[str]) -> bool:
    """Return whether there are non-empty cells, none of which is a number."""
    there = [cell for cell in cells if cell.strip()]
    return bool(there) and not any(map(_is_value, there))


def lists_pixels(rows: Sequence[Row], column: int) -> bool:
    """Return whether each cell of a column lists several numbers."""
    return bool(rows) and all(_LISTED.fullmatch(row[column].strip()) for row in rows)


def _counts_up(cells: Sequence[str]) -> bool:
    """Return whether the cells are 0, 1, 2, … or 1, 2, 3, …."""
    return len(cells) >= _FEW and any(
        list(cells) == [str(i) for i in range(start, start + len(cells))] for start in (0, 1)
    )


def _most(row: Row) -> float:
    return max((float(cell) for cell in row if _is_number(cell) and cell), default=0.0)


def _name(text: str) -> str:
    return text.strip().lower()


def _is_value(cell: str) -> bool:
    """Return whether a cell holds a number, a list of numbers, or nothing."""
    return _is_number(cell) or bool(_LISTED.fullmatch(cell.strip()))


def _is_number(cell: str) -> bool:
    try:
        float(cell or "0")  # a missing value counts as a number
    except ValueError:
        return False
    return True
