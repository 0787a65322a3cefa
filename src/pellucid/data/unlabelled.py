"""Read tables of unlabelled images, such as the test sets of competitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.data.assumptions import assume
from pellucid.data.columns import (
    LABEL_NAMES,
    Columns,
    Row,
    has_header,
    index_columns,
    lists_pixels,
    part_column,
    unlike_others,
)
from pellucid.data.csv import Table, pandas_errors
from pellucid.data.layout import images_from_rows
from pellucid.data.problems import Problems
from pellucid.data.rows import gather_pixels
from pellucid.errors import DataError
from pellucid.files import check_is_file
from pellucid.types import Array, Shape

_IDS = ("id", "imageid", "image_id", "index", "image", "name", "filename")


def read_unlabelled(
    path: str | Path,
    shape: Shape,
    *,
    label: str | int | None = None,
    header: bool | None = None,
    separator: str | None = None,
    ignore: str | int | Sequence[str | int] = (),
    channels_last: bool | None = None,
) -> tuple[Array, list[str]]:
    r"""Return the images in a table without classes, and their names.

    Each row is one image, with its pixels in separate columns or listed in one cell. One more
    column may name the image; without names, images are numbered from 1. A column of the class, and
    one with the part (``Usage``), is left out.

    Parameters
    ----------
    path
        A comma-, semicolon- or tab-separated file, with or without a header, plain or compressed.
    shape
        Shape (C, H, W) of an image.
    label
        Column of the class in the tables of the training, by name or number; see `read_csv`.
    header, separator, ignore, channels_last
        As for the tables of the training, see `read_csv`.

    Returns
    -------
    images : ndarray of shape (N, C, H, W)
        uint8 if all values are whole numbers from 0 to 255, else float32.
    names : list of str
        N names.

    Raises
    ------
    DataError
        The rows do not hold images of this shape.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "test.csv"
    ...     _ = path.write_text("pixel0,pixel1,pixel2,pixel3\n0,1,2,3\n4,5,6,7\n")
    ...     images, names = read_unlabelled(path, (1, 2, 2))
    >>> images.shape, names
    ((2, 1, 2, 2), ['1', '2'])
    """
    path = Path(path)
    check_is_file(path, "a CSV file", DataError)
    problems = Problems("row")
    with pandas_errors(path, problems):
        table = Table.at(path, separator)
        if header is None:
            header = has_header(table.first, table.below, str(path))
        left_out = [label, *([ignore] if isinstance(ignore, str | int) else ignore)]
        roles = _Roles.of(table, header, [one for one in left_out if one is not None])
        columns, named = roles.columns(math.prod(shape), shape)
        pixels = gather_pixels(table.chunks(columns, skip_bad=False), columns, problems)
        names = None if named is None else table.texts([named], header)[0]
    for where, reason in problems.found:
        raise DataError(f"{path}, {where}: {reason}")
    if not len(pixels):
        raise DataError(f"{path} has no rows")
    heads = None if columns.listed else columns.pixel_names
    images = images_from_rows(pixels, shape, channels_last, heads, str(path))
    return images, names or [str(number) for number in range(1, len(images) + 1)]


@dataclass(frozen=True)
class _Roles:
    """What the names and values of a table's columns say that they hold."""

    source: str
    names: tuple[str, ...] | None
    width: int
    ids: list[int]
    """Columns that name the images."""
    others: set[int]
    """Columns that hold neither names nor pixels."""
    numbered: set[int]
    """Columns that held neither in the tables of the training, as far as their number says it."""
    listing: list[int]
    """Columns of which each cell lists pixels."""

    @classmethod
    def of(cls, table: Table, header: bool, left_out: Sequence[str | int]) -> _Roles:
        names = tuple(name.strip() for name in table.first) if header else None
        rows: list[Row] = [*([] if header else [table.first]), *table.below]
        width = len(table.first)
        lower = [name.lower() for name in names or ()]
        known = {*LABEL_NAMES, *(str(one).strip().lower() for one in left_out)}
        others = {i for i, name in enumerate(lower) if name in known} | index_columns(names, rows)
        part = part_column(names, rows, range(width))
        return cls(
            str(table.path),
            names,
            width,
            ids=[i for i, name in enumerate(lower) if name in _IDS],
            others=others if part is None else others | {part},
            numbered={i % width for i in left_out if isinstance(i, int) and -width <= i < width},
            listing=[i for i in range(width) if lists_pixels(rows, i)],
        )

    def columns(self, pixels: int, shape: Shape) -> tuple[Columns, int | None]:
        """Return the columns of the pixels, and the one that names the images."""
        everything = list(range(self.width))
        if self.width == pixels:
            return Columns(self.names, None, tuple(everything)), None
        left = [i for i in everything if i not in self.others and i not in self.ids]
        listing = [i for i in self.listing if i in left]
        wanted = 1 if len(listing) == 1 else pixels
        if len(left) > wanted:
            left = [i for i in left if i not in self.numbered]
        extra = self._extra(left) if len(left) == wanted + 1 else None
        left = [i for i in left if i != extra]
        if len(left) != wanted:
            raise DataError(
                f"{self.source} has {self.width} columns; images of {'×'.join(map(str, shape))} "
                f"have {pixels} pixels, and there may be one more column, which names the image"
            )
        named = self.ids[0] if self.ids else extra
        return Columns(self.names, None, tuple(left), listed=left == listing), named

    def _extra(self, columns: list[int]) -> int:
        """Return the column among these that is no pixel."""
        strange = [i for i in columns if i not in self.listing] if self.listing else []
        strange = strange or unlike_others(self.names, columns)
        if strange:
            return strange[0]
        what = "the first column is read as the images' names"
        assume(self.source, what, "a header, such as ImageId")
        return columns[0]
