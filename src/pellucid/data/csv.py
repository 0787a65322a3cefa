"""Tables: one image a row, its class in one column and its pixels in the others."""

import math
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.arrays import channels_first, encode_labels
from pellucid.data.dataset import DataSet, Splits
from pellucid.data.problems import Problems
from pellucid.errors import DataError, missing_extra, unknown
from pellucid.types import Array, Shape

if TYPE_CHECKING:
    import pandas as pd

_LABEL_NAMES = ("label", "class", "target")
_ROWS = 4096  # read at once, so that a large table never stands in memory whole
_TOO_LONG = re.compile(r"line (\d+).*saw (\d+)")  # as pandas says it
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,18}(\.0*)?")


def read_csv(
    path: str | Path,
    *,
    label: str | int | None = None,
    header: bool | None = None,
    shape: Shape | None = None,
    channels_last: bool = False,
    skip_bad: bool = False,
) -> Splits:
    """Return the data set in a table of comma-separated values, compressed with gzip or not.

    Each row is one image: its class and its pixels, row by row of the image, the channels one after
    the other. Pixels that are all whole numbers must lie between 0 and 255 and become uint8; others
    become float32. Classes that are whole numbers are class numbers, others are names.

    Parameters
    ----------
    path
        The file.
    label
        The column of the class, by name or by number from 0 (−1 is the last). Without it, the
        column called ``label``, ``class`` or ``target``, else the first.
    header
        Whether the first line holds names. Without it, it does if most of it is not numbers.
    shape
        (C, H, W) or (H, W). Without it, a square number of pixels makes a grey image and three
        times a square number a colour image.
    channels_last
        Whether the channels of one pixel stand together (red, green, blue, red, green, blue, …).
    skip_bad
        Leave out rows with missing or odd values, with a `SkippedWarning` that names them, instead
        of raising an error. Rows are counted from 1, without header and empty lines.

    Raises
    ------
    DataError
        Something is missing, not a number, out of range or of the wrong length; the rows are named.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "pets.csv"
    ...     _ = path.write_text("label,a,b,c,d\\ncat,0,10,20,30\\ndog,40,50,60,70\\n")
    ...     read_csv(path)
    pets: 2 images of 1×2×2, uint8, in 2 classes, no test part
    """
    path = Path(path)
    problems = Problems("row")
    with _pandas_errors(path, problems):
        first, has_header = _first_line(path, header)
        column = _label_column(first if has_header else None, len(first), label, str(path))
        image_shape = _image_shape(len(first) - 1, shape, channels_last, str(path))
        chunks = _chunks(path, has_header, column, len(first), skip_bad)
        labels, pixels = _gather(chunks, column, problems)
    problems.settle(str(path), skip_bad)
    if not labels:
        raise DataError(f"{path} has no usable rows")
    numbers, classes = encode_labels(_numbers_or_text(labels), name=path.name)
    images = pixels.reshape(-1, *image_shape)
    if channels_last:
        images = channels_first(images, channels_last=True)
    return Splits(DataSet(images, numbers, classes, path.name.split(".")[0]))


def _first_line(path: Path, header: bool | None) -> tuple[list[str], bool]:
    """Return the cells of the first line, and whether they are names."""
    import pandas as pd

    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "skipinitialspace": True}
    line = pd.read_csv(path, header=None, nrows=1, compression=_compression(path), **options)
    cells = [str(cell) for cell in line.iloc[0]]
    if header is None:
        header = sum(not _is_number(cell) for cell in cells) > len(cells) / 2
    return cells, header


def _chunks(
    path: Path, has_header: bool, column: int, width: int, skip_bad: bool
) -> Iterator["pd.DataFrame"]:
    import pandas as pd

    reader = pd.read_csv(
        path,
        header=None,
        skiprows=int(has_header),
        dtype={column: str},
        keep_default_na=False,  # "None" and "NA" may be classes
        na_values=[""],
        skipinitialspace=True,
        compression=_compression(path),
        on_bad_lines="warn" if skip_bad else "error",
        chunksize=_ROWS,
        low_memory=False,
    )
    with reader:
        for chunk in reader:
            if chunk.shape[1] != width:
                raise DataError(
                    f"{path}: the first line has {width} values, the next {chunk.shape[1]}"
                )
            yield chunk


def _gather(
    chunks: Iterator["pd.DataFrame"], column: int, problems: Problems
) -> tuple[list[str], Array]:
    """Return the labels and the pixels (N, P) of all good rows, and note the others."""
    labels: list[Array] = []
    pixels: list[Array] = []
    rows: list[Array] = []
    start = 1
    for chunk in chunks:
        values, good = _clean(chunk, column, start, problems)
        labels.append(chunk[column].to_numpy(dtype=object)[good])
        pixels.append(_compact(values[good]))
        rows.append(start + np.flatnonzero(good))
        start += len(chunk)
    if not pixels:
        return [], np.empty((0, 0), np.uint8)
    if all(_is_whole(part) for part in pixels):
        for i, part in enumerate(pixels):
            inside = _inside(part, rows[i], problems)
            labels[i], pixels[i] = labels[i][inside], part[inside].astype(np.uint8)
    return list(np.concatenate(labels)), np.concatenate(pixels)


def _clean(
    chunk: "pd.DataFrame", column: int, start: int, problems: Problems
) -> tuple[Array, Array]:
    """Return the pixels of `chunk` as numbers, and which rows are good; note the others."""
    import pandas as pd

    cells = chunk.drop(columns=column)
    numbers = cells.apply(pd.to_numeric, errors="coerce")
    values = numbers.to_numpy(np.float64)
    finite = np.isfinite(values)
    labelled = chunk[column].notna().to_numpy(dtype=bool)
    good = finite.all(axis=1) & labelled
    for row in map(int, np.flatnonzero(~good)):
        reason = "it has no class"
        if labelled[row]:
            reason = _odd_cell(cells, row, int(np.argmin(finite[row])))
        problems.add(f"row {start + row}", reason)
    return values, good


def _odd_cell(cells: "pd.DataFrame", row: int, pixel: int) -> str:
    cell = cells.iloc[row : row + 1, pixel]
    number = int(cells.columns[pixel]) + 1
    if cell.isna().any():
        return f"column {number} is missing"
    return f"column {number} is '{cell.iloc[0]}'"


def _compact(values: Array) -> Array:
    """Return whole numbers from 0 to 255 as uint8, others as float32."""
    pixels = values.astype(np.uint8) if _is_whole(values) and _fits(values).all() else None
    return values.astype(np.float32) if pixels is None else pixels


def _is_whole(values: Array) -> bool:
    return values.dtype == np.uint8 or bool((values == np.rint(values)).all())


def _fits(values: Array) -> Array:
    return np.asarray((values >= 0) & (values <= 255))


def _inside(pixels: Array, rows: Array, problems: Problems) -> Array:
    """Return which rows of a table of whole numbers are pixels, and note the others."""
    fits = _fits(pixels)
    inside = fits.all(axis=1)
    for i in np.flatnonzero(~inside):
        value = pixels[i, int(np.argmin(fits[i]))]
        problems.add(f"row {rows[i]}", f"the pixel {value:g} is not between 0 and 255")
    return np.asarray(inside)


def _label_column(names: list[str] | None, width: int, label: str | int | None, path: str) -> int:
    lower = [name.strip().lower() for name in names or []]
    if isinstance(label, str):
        if label.strip().lower() not in lower:
            where = f"column of {path}" if names else f"column of {path}, which has no header,"
            raise DataError(unknown(where, label, (names or [])[:10]))
        return lower.index(label.strip().lower())
    if label is not None:
        if not -width <= label < width:
            raise DataError(f"{path} has {width} columns, so there is no column {label}")
        return label % width
    return next((lower.index(name) for name in _LABEL_NAMES if name in lower), 0)


def _image_shape(pixels: int, shape: Shape | None, channels_last: bool, path: str) -> Shape:
    """Return the shape of one image as it is stored: (C, H, W), or (H, W, C)."""
    if shape is not None:
        full = tuple(shape) if len(shape) == 3 else (1, *shape)
        if len(full) != 3 or math.prod(full) != pixels:
            raise DataError(
                f"{path} has {pixels} pixels a row, which do not make images of {tuple(shape)}"
            )
    else:
        channels = next((c for c in (1, 3) if math.isqrt(pixels // c) ** 2 * c == pixels), 0)
        if not channels or not pixels:
            raise DataError(
                f"{path} has {pixels} pixels a row beside the class, neither a square number nor "
                "three times one; give the shape, (C, H, W), or the column of the class"
            )
        side = math.isqrt(pixels // channels)
        full = (channels, side, side)
    return (*full[1:], full[0]) if channels_last else full


def _numbers_or_text(labels: list[str]) -> list[Any]:
    texts = [label.strip() for label in labels]
    if all(_WHOLE_NUMBER.fullmatch(text) for text in texts):
        return [int(text.partition(".")[0]) for text in texts]
    return texts


def _is_number(cell: str) -> bool:
    try:
        float(cell or "0")  # a missing value is no name
    except ValueError:
        return False
    return True


def _compression(path: Path) -> Any:
    with path.open("rb") as file:
        return "gzip" if file.read(2) == b"\x1f\x8b" else None


@contextmanager
def _pandas_errors(path: Path, problems: Problems) -> Iterator[None]:
    """Say in our words what pandas finds wrong with the file itself."""
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
        except pd.errors.ParserError as error:
            raise DataError(f"{path}: {_too_long(str(error))}") from error
        except (UnicodeDecodeError, EOFError, zlib.error, OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault rather than the content's
            raise DataError(f"{path} is damaged or no text ({error})") from error
    for warning in heard:
        if not issubclass(warning.category, pd.errors.ParserWarning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
        for line, values in _TOO_LONG.findall(str(warning.message)):
            problems.add(f"line {line}", f"it has {values} values, too many")


def _too_long(message: str) -> str:
    found = _TOO_LONG.search(message)
    return f"line {found[1]} has {found[2]} values, too many" if found else message
