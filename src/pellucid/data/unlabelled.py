"""Read tables of unlabelled images, such as the test sets of competitions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data.assumptions import assume
from pellucid.data.columns import unlike_others
from pellucid.data.csv import compression_of, separator_of
from pellucid.data.layout import images_from_rows
from pellucid.errors import DataError, missing_extra
from pellucid.files import check_is_file
from pellucid.types import Array, Shape

_IDS = ("id", "imageid", "image_id", "index", "image", "name", "filename")
_LABELS = ("label", "labels", "class", "target", "y")


def read_unlabelled(
    path: str | Path,
    shape: Shape,
    *,
    label: str | int | None = None,
    channels_last: bool | None = None,
) -> tuple[Array, list[str]]:
    r"""Return the images in a table without classes, and their names.

    Each row is one image. One more column may name the image, or hold its class, which is ignored;
    without names, images are numbered from 1.

    Parameters
    ----------
    path
        A comma-, semicolon- or tab-separated file, with or without a header, plain or compressed.
    shape
        Shape (C, H, W) of an image.
    label
        Column of the class in the tables of the training, by name or number; see `read_csv`.
    channels_last
        Whether the channels of a pixel are adjacent, see `read_csv`.

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
    try:
        import pandas as pd
    except ImportError as error:
        raise missing_extra("reading CSV files", "pandas") from error
    check_is_file(path, "a CSV file", DataError)
    try:
        compression = compression_of(Path(path))
        separator = separator_of(Path(path), compression)
        how: dict[str, Any] = {"sep": separator, "compression": compression}
        how |= {"skipinitialspace": True, "decimal": "." if separator == "," else ","}
        first = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, **how)
        header = not all(text == "" or _is_number(text) for text in first.iloc[0])
        table = pd.read_csv(path, header=0 if header else None, low_memory=False, **how)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path} cannot be read as a table: {error!s:.200}") from error
    names = [str(number) for number in range(1, len(table) + 1)]
    columns = list(table.columns)
    classes = _label_columns(columns, label)
    if (extra := _other_column(columns, classes, shape, path)) is not None:
        column = table.pop(extra)
        if extra not in classes:
            names = [str(name) for name in column]
    if not len(table):
        raise DataError(f"{path} has no rows")
    pixels = _pixels(table.to_numpy(), path)
    named = [str(name) for name in table.columns] if header else None
    return images_from_rows(pixels, shape, channels_last, named, str(path)), names


def _other_column(columns: list[Any], classes: list[Any], shape: Shape, path: str | Path) -> Any:
    """Return the one column that is not a pixel, or None."""
    wanted = math.prod(shape)
    if len(columns) == wanted:
        return None
    if len(columns) != wanted + 1:
        raise DataError(
            f"{path} has {len(columns)} columns; images of {'×'.join(map(str, shape))} have "
            f"{wanted} pixels, and there may be one more column, which names the image"
        )
    for known in (
        [name for name in columns if str(name).lower() in _IDS],
        classes,
        [columns[i] for i in unlike_others(tuple(map(str, columns)), range(len(columns)))],
    ):
        if known:
            return known[0]
    assume(str(path), "the first column is read as the images' names", "a header, such as ImageId")
    return columns[0]


def _label_columns(columns: list[Any], label: str | int | None) -> list[Any]:
    """Return the columns that hold the class: of the usual names, or as in the training."""
    known = [name for name in columns if str(name).lower() in _LABELS]
    if isinstance(label, int):
        return known + columns[label:][:1]
    return known + [name for name in columns if str(name).lower() == str(label).strip().lower()]


def _pixels(values: Array, path: str | Path) -> Array:
    try:
        numbers = values.astype(np.float32)
    except ValueError as error:
        raise DataError(f"{path}: a pixel is no number: {error!s:.200}") from error
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers).all(axis=1))[0])
        raise DataError(f"{path}: row {row + 1} lacks a value")
    whole = (numbers == np.rint(numbers)).all() and 0 <= numbers.min() <= numbers.max() <= 255
    return numbers.astype(np.uint8) if whole else numbers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
