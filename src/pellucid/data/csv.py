"""Read tables of images: one image per row, its class in one column, its pixels in the others."""

from __future__ import annotations

import csv
import gzip
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.data.arrays import encode_labels
from pellucid.data.columns import Columns, find_columns
from pellucid.data.inflation import check_unpacked
from pellucid.data.layout import image_shape, images_from_rows
from pellucid.data.problems import Problems, shortened
from pellucid.data.rows import gather
from pellucid.data.splits import Splits, divided
from pellucid.errors import DataError, missing_extra
from pellucid.files import check_is_file
from pellucid.types import Shape

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = ("\t", ";", "|", ",")  # of equal counts the first: a comma may be a decimal comma
_FREE = 4 << 20  # size in bytes to which a compressed table may always unpack
_HEAD = 1 << 16  # number of characters searched for the separator
_LOOKED_AT = 50  # number of rows that decide the roles of columns
_LONGEST_CELL = 1 << 30
_ROWS = 4096  # rows per chunk, so that a large table is never in memory as a whole
_QUOTED = re.compile(r'"[^"]*"')
_DECIMAL_COMMA = re.compile(r"([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)")
_TOO_LONG = re.compile(r"line (\d+).*saw (\d+)")  # as pandas says it
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,18}(\.0*)?")


def read_csv(
    path: str | Path,
    *,
    label: str | int | None = None,
    header: bool | None = None,
    separator: str | None = None,
    ignore: str | int | Sequence[str | int] = (),
    shape: Shape | None = None,
    channels_last: bool | None = None,
    skip_bad: bool = False,
) -> Splits:
    r"""Read the data set in a table: comma-, semicolon- or tab-separated, optionally gzipped.

    Each row is one image: its class, and its pixels in separate columns or listed in one cell.
    Pixels that are all integers must be from 0 to 255 and become uint8; others become float32.
    Integer classes are class numbers, others are names. A column ``Usage`` or ``split`` with values
    such as ``Training`` and ``Test`` divides the rows into parts.

    If the table is ambiguous, an `AssumptionWarning` says what was assumed and which option
    decides.

    Parameters
    ----------
    path
        The file.
    label
        Column of the class, by name or by number from 0 (−1 is the last). By default, the column
        named ``label``, ``class`` or ``target``, otherwise the first.
    header
        Whether the first line contains names. By default, it does if it has text above numbers, or
        numbers that count up (0, 1, 2, …).
    separator
        Separator of values. By default, whichever of comma, semicolon, tab and bar splits the lines
        into most values. If it is not a comma, ``0,5`` means one half.
    ignore
        Columns to ignore, by name or number.
    shape
        Shape (C, H, W) or (H, W) of an image. By default, a square number of pixels is a grey
        image, and three times a square number a colour image.
    channels_last
        Whether the channels of a pixel are adjacent (red, green, blue, red, green, blue, …). By
        default, names of columns such as ``r0`` decide, otherwise the smoother of the two readings
        is assumed.
    skip_bad
        Whether to skip rows with missing or invalid values, with a `SkippedWarning` that lists
        them, instead of raising an error. Rows are counted from 1, without header and empty lines.

    Returns
    -------
    Splits
        The data set with its parts.

    Raises
    ------
    DataError
        Values are missing, not numbers, out of range, or rows have the wrong length; the message
        names the rows.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "pets.csv"
    ...     _ = path.write_text("label,a,b,c,d\ncat,0,10,20,30\ndog,40,50,60,70\n")
    ...     read_csv(path)
    pets: 2 images of 1×2×2, uint8, in 2 classes, no test part
    """
    path = Path(path)
    check_is_file(path, "a CSV file", DataError)
    problems = Problems("row")
    with pandas_errors(path, problems):
        table = Table.at(path, separator)
        columns = find_columns(
            table.first,
            table.below,
            table.ends,
            label=label,
            header=header,
            ignore=[ignore] if isinstance(ignore, str | int) else ignore,
            source=str(path),
        )
        if not columns.listed:
            image_shape(len(columns.pixels), shape, str(path))
        gathered = gather(table.chunks(columns, skip_bad), columns, problems)
    problems.settle(str(path), skip_bad)
    labels, pixels, parts = gathered
    if not labels:
        raise DataError(f"{path} has no usable rows")
    numbers, classes = encode_labels(_numbers_or_text(labels), name=path.name)
    names = None if columns.listed else columns.pixel_names
    images = images_from_rows(pixels, shape, channels_last, names, str(path))
    return divided(images, numbers, classes, parts, path.name.split(".")[0], str(path))


@dataclass(frozen=True)
class Table:
    """A table in a file, with its format and its first lines."""

    path: Path
    how: dict[str, Any]
    first: list[str]
    below: list[list[str]]

    @classmethod
    def at(cls, path: Path, separator: str | None) -> Table:
        compression = compression_of(path)
        if separator is None:
            separator = separator_of(path, compression)
        how: dict[str, Any] = {"sep": separator, "compression": compression}
        how |= {"header": None, "skipinitialspace": True}
        rows = _first_rows(path, compression, separator)
        if not rows:
            raise DataError(f"{path} is empty")
        first, below = rows[0], rows[1:]
        if below and len(below[0]) != len(first):
            raise DataError(
                f"{path}: the first line has {len(first)} values, the next {len(below[0])}"
            )
        filled = [row + [""] * (len(first) - len(row)) for row in below if len(row) <= len(first)]
        return cls(path, how, first, filled)

    def ends(self, header: bool) -> tuple[list[str], list[str]]:
        """Return all values of the first and the last column."""
        first, last = self.texts([0, len(self.first) - 1], header)
        return first, last

    def texts(self, columns: list[int], header: bool) -> list[list[str]]:
        """Return all values of some columns."""
        import pandas as pd

        cells = pd.read_csv(
            self.path,
            skiprows=int(header),
            usecols=columns,
            dtype=str,
            keep_default_na=False,
            on_bad_lines="skip",
            **self.how,
        )
        return [cells[i].tolist() for i in columns]

    def chunks(self, columns: Columns, skip_bad: bool) -> Iterator[pd.DataFrame]:
        """Yield the rows in chunks, with missing values as NaN."""
        import pandas as pd

        text = [i for i in (columns.label, columns.part) if i is not None]
        text += columns.pixels if columns.listed else []
        converters: Any = dict.fromkeys(
            text, _text_or_nothing
        )  # for many columns faster than dtype=
        reader = pd.read_csv(
            self.path,
            skiprows=int(columns.names is not None),
            converters=converters,
            keep_default_na=False,  # "None" and "NA" may be classes
            na_values=[""],
            on_bad_lines="warn" if skip_bad else "error",
            chunksize=_ROWS,
            low_memory=False,
            decimal="." if self.how["sep"] == "," else ",",
            **self.how,
        )
        with reader:
            yield from reader


def _text_or_nothing(cell: str) -> str | None:
    return cell or None


def _first_rows(path: Path, compression: str | None, separator: str) -> list[list[str]]:
    """Return the cells of the first lines that are not empty, with a point for a decimal comma.

    For a few lines of thousands of columns pandas takes seconds.
    """
    opener: Any = gzip.open if compression else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file, _cells_of_any_length():
        lines = csv.reader(file, delimiter=separator, skipinitialspace=True)
        rows = list(islice((row for row in lines if row not in ([], [""])), 1 + _LOOKED_AT))
    return rows if separator == "," else [[_with_point(cell) for cell in row] for row in rows]


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _with_point(cell: str) -> str:
    decimal = _DECIMAL_COMMA.fullmatch(cell)
    return f"{decimal[1]}.{decimal[2]}" if decimal else cell


def separator_of(path: Path, compression: str | None) -> str:
    """Return the separator that divides the first lines into most values, outside quotes."""
    opener: Any = gzip.open if compression else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as file:
        head = _QUOTED.sub("", file.read(_HEAD))
    return max(_SEPARATORS, key=head.count)


def _numbers_or_text(labels: list[str]) -> list[Any]:
    texts = [label.strip() for label in labels]
    if all(_WHOLE_NUMBER.fullmatch(text) for text in texts):
        return [int(text.partition(".")[0]) for text in texts]
    return texts


def compression_of(path: Path) -> Any:
    """Return "gzip" for a compressed table, after checking how much it unpacks to; else None."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return None
    stored, unpacked = path.stat().st_size, 0
    with gzip.open(path) as inflated:
        while block := inflated.read(1 << 20):
            unpacked += len(block)
            check_unpacked(path, stored, unpacked, "unpack it first, with gunzip", _FREE)
    return "gzip"


@contextmanager
def pandas_errors(path: Path, problems: Problems) -> Iterator[None]:
    """Convert pandas' errors about the file to a `DataError`."""
    try:
        import pandas as pd
    except ImportError as error:
        raise missing_extra("reading CSV files", "pandas") from error
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", pd.errors.ParserWarning)
        try:
            yield
        except pd.errors.EmptyDataError:
            raise DataError(f"{path} is empty") from None
        except (pd.errors.ParserError, csv.Error) as error:
            raise DataError(f"{path}: {_too_long(str(error))}") from error
        except (UnicodeDecodeError, EOFError, zlib.error, OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault rather than the content's
            raise DataError(f"{path} is damaged or no text ({error!s:.300})") from error
    for warning in heard:
        if not issubclass(warning.category, pd.errors.ParserWarning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
        for line, values in _TOO_LONG.findall(str(warning.message)):
            problems.add(f"line {line}", f"it has {values} values, too many")


def _too_long(message: str) -> str:
    found = _TOO_LONG.search(message)
    return f"line {found[1]} has {found[2]} values, too many" if found else shortened(message, 200)
