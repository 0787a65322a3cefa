"""STL-10: colour images of 96×96 in ten classes, in the binary version.

``train_X.bin`` holds bytes (N, 3, 96, 96), each image column by column; ``train_y.bin`` holds the
classes, counted from 1. The unlabelled images in ``unlabeled_X.bin`` are not read.

Source: Coates, Lee and Ng, "An analysis of single-layer networks in unsupervised feature learning",
2011.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.data.splits import Splits
from pellucid.errors import DataError

_CLASSES = (
    *("airplane", "bird", "car", "cat", "deer"),
    *("dog", "horse", "monkey", "ship", "truck"),
)
_SIDE = 96
_BYTES = 3 * _SIDE * _SIDE
_UNLABELLED_BYTES = 512 << 20  # the labelled parts have 138 and 221 MB


def read_stl10(path: str | Path) -> Splits:
    """Return STL-10 from a folder with ``train_X.bin``, ``train_y.bin``, ``test_X.bin``, ….

    Raises
    ------
    DataError
        A file is missing, its size is not that of a whole number of images, or the numbers of
        labels and images differ.
    """
    folder = Path(path)
    test = _read(folder, "test") if (folder / "test_X.bin").is_file() else None
    return Splits(_read(folder, "train"), test)


def is_stl10(path: Path) -> bool:
    """Return whether `path` is a folder with STL-10."""
    return path.is_dir() and all((path / f"train_{kind}.bin").is_file() for kind in "Xy")


def _read(folder: Path, part: str) -> DataSet:
    images, labels = folder / f"{part}_X.bin", folder / f"{part}_y.bin"
    for file in (images, labels):
        if not file.is_file():
            raise DataError(f"{folder} has no file {file.name}")
    size = images.stat().st_size
    if not size or size % _BYTES or size > _UNLABELLED_BYTES:
        raise DataError(
            f"{images} has {size:,} bytes, which is not a number of STL-10's labelled images of "
            f"{_BYTES:,} bytes"
        )
    if labels.stat().st_size != size // _BYTES:
        raise DataError(
            f"{images} has {size // _BYTES:,} images, but {labels} has "
            f"{labels.stat().st_size:,} labels"
        )
    pixels = np.fromfile(images, np.uint8).reshape(-1, 3, _SIDE, _SIDE).transpose(0, 1, 3, 2)
    numbers = np.fromfile(labels, np.uint8).astype(np.int64)
    bad = np.flatnonzero((numbers < 1) | (numbers > len(_CLASSES)))
    if bad.size:
        raise DataError(f"{labels}: image {bad[0]} has label {numbers[bad[0]]}, expected 1 to 10")
    name = "stl-10" if part == "train" else f"stl-10 {part}"
    return DataSet(np.ascontiguousarray(pixels), numbers - 1, _CLASSES, name)
