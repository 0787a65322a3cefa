"""Find, read, split and augment data sets."""

from __future__ import annotations

from pellucid.data import augment
from pellucid.data.arrays import from_arrays
from pellucid.data.assumptions import AssumptionWarning
from pellucid.data.cifar import read_cifar10, read_cifar100
from pellucid.data.csv import read_csv
from pellucid.data.dataset import DataSet
from pellucid.data.describe import Description, describe
from pellucid.data.drawn_digits import drawn_digit
from pellucid.data.emnist import read_emnist
from pellucid.data.folder import read_folder
from pellucid.data.idx import read_idx, read_idx_folder
from pellucid.data.images import read_image
from pellucid.data.npy import read_npy_folder
from pellucid.data.npz import read_npz
from pellucid.data.outliers import Outlier, find_outliers
from pellucid.data.parquet import read_parquet
from pellucid.data.problems import SkippedWarning
from pellucid.data.registry import load, names
from pellucid.data.shards import read_shards
from pellucid.data.splits import Splits
from pellucid.data.stl10 import read_stl10
from pellucid.data.svhn import read_svhn
from pellucid.data.tables import read_csv_folder
from pellucid.runtime.cache_folder import cache_folder as home
from pellucid.stored import StoredImages

__all__ = [
    "AssumptionWarning",
    "DataSet",
    "Description",
    "Outlier",
    "SkippedWarning",
    "Splits",
    "StoredImages",
    "augment",
    "describe",
    "drawn_digit",
    "find_outliers",
    "from_arrays",
    "home",
    "load",
    "names",
    "read_cifar10",
    "read_cifar100",
    "read_csv",
    "read_csv_folder",
    "read_emnist",
    "read_folder",
    "read_idx",
    "read_idx_folder",
    "read_image",
    "read_npy_folder",
    "read_npz",
    "read_parquet",
    "read_shards",
    "read_stl10",
    "read_svhn",
]


def __dir__() -> list[str]:
    return __all__
