"""SVHN: colour images of house numbers, 32×32 around one digit, in MATLAB files of version 5.

A file holds ``X`` (32, 32, 3, N) and ``y`` (N, 1), in which the digit 0 has the label 10.

Source: Netzer et al., "Reading digits in natural images with unsupervised feature learning", 2011.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.data.download import Remote, fetch
from pellucid.data.matlab import MAGIC, read_arrays
from pellucid.data.splits import Splits
from pellucid.errors import DataError
from pellucid.runtime.cache_folder import cache_folder
from pellucid.types import Array

_TRAIN, _TEST = "train_32x32.mat", "test_32x32.mat"
_CLASSES = tuple("0123456789")
_URL = "http://ufldl.stanford.edu/housenumbers/"
_FILES = (
    Remote(
        _TRAIN,
        "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        (_URL + _TRAIN,),
    ),
    Remote(
        _TEST,
        "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        (_URL + _TEST,),
    ),
)


def svhn() -> Splits:
    """Return SVHN from the cache folder, downloading it if it is missing."""
    folder = cache_folder() / "svhn"
    fetch(_FILES, folder, "svhn")
    return read_svhn(folder)


def read_svhn(path: str | Path) -> Splits:
    """Return SVHN from a folder with ``train_32x32.mat`` and ``test_32x32.mat``, or from one file.

    Raises
    ------
    DataError
        A file is not a MATLAB file of version 5, or does not hold the arrays ``X`` and ``y``.
    """
    path = Path(path)
    if not path.is_dir():
        return Splits(_read(path, path.stem))
    if not (path / _TRAIN).is_file():
        raise DataError(f"{path} has no file {_TRAIN}")
    test = _read(path / _TEST, "svhn test") if (path / _TEST).is_file() else None
    return Splits(_read(path / _TRAIN, "svhn"), test)


def is_svhn(path: Path) -> bool:
    """Return whether `path` is a folder with SVHN, or a MATLAB file of version 5."""
    if path.is_dir():
        return (path / _TRAIN).is_file()
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _read(path: Path, name: str) -> DataSet:
    arrays = read_arrays(path, ("X", "y"))
    images, labels = arrays.get("X"), arrays.get("y")
    if images is None or labels is None or not _fit(images, labels):
        text = ", ".join(f"{key} {a.shape} {a.dtype}" for key, a in arrays.items()) or "others"
        raise DataError(
            f"{path} does not hold SVHN's arrays, X (H, W, 3, N) of bytes and y (N, 1), but {text}"
        )
    images = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
    return DataSet(images, _digits(labels, path), _CLASSES, name)


def _fit(images: Array, labels: Array) -> bool:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[2] != 3:
        return False
    count = images.shape[3]
    return labels.shape in ((count, 1), (1, count))


def _digits(labels: Array, path: Path) -> Array:
    digits = labels.ravel().astype(np.int64)
    bad = np.flatnonzero((digits < 0) | (digits > 10))
    if bad.size:
        i = bad[0]
        raise DataError(f"{path}: image {i} has label {digits[i]}, expected 1 to 10")
    return digits % 10
