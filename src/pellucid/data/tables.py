"""Read a folder with one table per part, such as ``mnist_train.csv`` and ``mnist_test.csv``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pellucid.data.arrays import in_order
from pellucid.data.csv import read_csv
from pellucid.data.dataset import DataSet
from pellucid.data.parts import TRAIN, part_of
from pellucid.data.problems import SkippedWarning, shortened
from pellucid.data.splits import Splits
from pellucid.errors import DataError
from pellucid.types import Shape

_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")


def read_csv_folder(
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
    """Return the data set in a folder with one table per part; for the options see `read_csv`.

    Parameters
    ----------
    path
        Folder with a table for training and, optionally, for validation and test. Its part must be
        in the table's name, see `part_of`. A validation or test part without classes is left out,
        with a `SkippedWarning`.
    """
    folder = Path(path)
    name = folder.resolve().name
    options: dict[str, Any] = {"label": label, "header": header, "separator": separator}
    options |= {"ignore": ignore, "shape": shape, "channels_last": channels_last}
    sets: dict[str, DataSet] = {}
    for part, file in _files(folder).items():
        try:
            data = read_csv(file, skip_bad=skip_bad, **options).train
            _check_shape(data, sets.get(TRAIN, data), file)
        except DataError as error:
            if part == TRAIN:
                raise
            warnings.warn(f"left out {shortened(error, 300)}", SkippedWarning, stacklevel=2)
            continue
        sets[part] = replace(data, name=name if part == TRAIN else f"{name} {part}")
    classes = in_order(name for part in sets.values() for name in part.classes)
    return Splits(**{part: data.with_classes(classes) for part, data in sets.items()})


def _check_shape(data: DataSet, train: DataSet, file: Path) -> None:
    if data.image_shape != train.image_shape:
        raise DataError(
            f"{file}: its images are {data.image_shape}, those for training {train.image_shape}"
        )


def is_csv_folder(path: Path) -> bool:
    """Return whether `path` is a folder with a table for training and without subfolders."""
    if not path.is_dir() or any(inside.is_dir() for inside in path.iterdir()):
        return False
    return TRAIN in _files(path)


def _files(folder: Path) -> dict[str, Path]:
    """Return the table of each part."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        part = part_of(path.name.split(".")[0])
        if part and path.name.lower().endswith(_SUFFIXES):
            if part in found:
                raise DataError(
                    f"{folder} has two tables for the {part} part: {path.name} and "
                    f"{found[part].name}"
                )
            found[part] = path
    return {part: found[part] for part in ("train", "validation", "test") if part in found}
