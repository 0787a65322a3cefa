"""Recognise the kind of a file or folder by its content, and choose its reader."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pellucid.data.cifar import CIFAR10, read_cifar10, read_cifar100, which_cifar
from pellucid.data.csv import read_csv
from pellucid.data.emnist import is_emnist, read_emnist
from pellucid.data.folder import read_folder
from pellucid.data.idx import find_idx, read_idx_folder
from pellucid.data.npy import is_npy_folder, read_npy_folder
from pellucid.data.npz import read_npz
from pellucid.data.parquet import has_parquet, read_parquet
from pellucid.data.shards import has_shards, read_shards
from pellucid.data.splits import Splits
from pellucid.data.stl10 import is_stl10, read_stl10
from pellucid.data.svhn import is_svhn, read_svhn
from pellucid.data.tables import is_csv_folder, read_csv_folder
from pellucid.errors import DataError

Reader = Callable[..., Splits]

TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_ZIP, _IDX = b"PK\x03\x04", b"\x00\x00\x08"
_PARQUET, _TAR, _NPY = b"PAR1", b"ustar", b"\x93NUMPY"
_HEAD = 512


def reader_of(path: Path) -> Reader:
    """Return a function of options that reads the data set at `path`.

    Raises
    ------
    DataError
        The path is not a data set of a known kind.
    """
    return partial(_of_folder(path) if path.is_dir() else _of_file(path), path)


def _of_folder(path: Path) -> Reader:
    if (cifar := which_cifar(path)) is not None:
        return read_cifar10 if cifar is CIFAR10 else read_cifar100
    if find_idx(path, "train-images-idx3-ubyte") is not None:
        return read_idx_folder
    for is_one, reader in _FOLDERS:
        if is_one(path):
            return reader
    return read_folder


_FOLDERS: tuple[tuple[Callable[[Path], bool], Reader], ...] = (
    (is_emnist, read_emnist),
    (is_svhn, read_svhn),
    (is_stl10, read_stl10),
    (is_csv_folder, read_csv_folder),
    (is_npy_folder, read_npy_folder),
    (has_parquet, read_parquet),
    (has_shards, read_shards),
)


def _of_file(path: Path) -> Reader:
    if path.name.lower().endswith(TABLES):
        return read_csv
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(_ZIP) or path.suffix.lower() == ".npz":
        return read_npz
    if is_svhn(path):
        return read_svhn
    if (cifar := which_cifar(path)) is not None:
        return read_cifar10 if cifar is CIFAR10 else read_cifar100
    if head.startswith(_PARQUET):
        return read_parquet
    if head[257:262] == _TAR:
        return read_shards
    if head.startswith(_NPY):
        raise DataError(
            f"{path} is a single array; pass the folder that has x_train.npy and y_train.npy"
        )
    if head.startswith(_IDX):
        raise DataError(
            f"{path} is a single IDX file; pass the folder that has the images and the labels"
        )
    raise DataError(
        f"the kind of '{path}' is unknown; data can be a folder of class folders, a table "
        f"({', '.join(TABLES)}), an .npz or Parquet file, tar shards, or the files of "
        "CIFAR, SVHN, STL-10, MNIST or EMNIST"
    )
