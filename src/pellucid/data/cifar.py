"""CIFAR-10 and CIFAR-100: 60,000 colour images of 32×32 each, in their binary and Python versions.

Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data import cifar_classes
from pellucid.data.bounded import Member
from pellucid.data.dataset import DataSet
from pellucid.data.download import Remote, fetch
from pellucid.data.idx import Readable
from pellucid.data.pickled import read_pickle
from pellucid.data.splits import Splits
from pellucid.errors import DataError, unknown
from pellucid.runtime.cache_folder import cache_folder
from pellucid.types import Array

_IMAGE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_GZIP = b"\x1f\x8b"
_LOOKED_AT = 100  # entries of an archive, by which it is recognised
_MOST_BYTES = 192 << 20
"""No file of images is larger: CIFAR-100's training part has 155 MB."""
_MOST_ARCHIVE_BYTES = 256 << 20
"""Each set has 186 MB; an archive that unpacks to more is neither."""


@dataclass(frozen=True)
class Cifar:
    """The files of one of the two data sets.

    Parameters
    ----------
    name
        Name of the data set, and of its folder in the cache.
    train, test
        Names of its files, without suffix.
    labels
        For each kind of labels: key in a pickle, byte in a binary record, names of the classes.
    remote
        The archive to download.
    """

    name: str
    train: tuple[str, ...]
    test: str
    labels: dict[str, tuple[str, int, tuple[str, ...]]]
    remote: Remote

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files with images."""
        return (*self.train, self.test)

    def find(self, folder: Path, stem: str) -> Path | None:
        """Return the file called `stem`, with ``.bin`` or without, if it is in `folder`."""
        return next((p for p in (folder / stem, folder / f"{stem}.bin") if p.is_file()), None)

    def is_in(self, folder: Path) -> bool:
        """Return whether all files are in `folder`."""
        return all(self.find(folder, stem) for stem in self.files)


CIFAR10 = Cifar(
    "cifar-10",
    tuple(f"data_batch_{i}" for i in range(1, 6)),
    "test_batch",
    {"": ("labels", 0, cifar_classes.CIFAR10)},
    Remote(
        "cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz",
        ),
    ),
)

CIFAR100 = Cifar(
    "cifar-100",
    ("train",),
    "test",
    {
        "fine": ("fine_labels", 1, cifar_classes.FINE),
        "coarse": ("coarse_labels", 0, cifar_classes.COARSE),
    },
    Remote(
        "cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            "https://dataset.bj.bcebos.com/cifar/cifar-100-python.tar.gz",
        ),
    ),
)


def cifar10() -> Splits:
    """Return CIFAR-10 from the cache folder, downloading it if it is missing."""
    return _from_home(CIFAR10, "")


def cifar100(*, labels: str = "fine") -> Splits:
    """Return CIFAR-100 from the cache folder, downloading it if it is missing.

    Parameters
    ----------
    labels
        ``"fine"`` for its 100 classes, ``"coarse"`` for the 20 superclasses.
    """
    return _from_home(CIFAR100, labels)


def read_cifar10(path: str | Path) -> Splits:
    """Read CIFAR-10 from a folder with its batches, or from the official .tar.gz.

    Parameters
    ----------
    path
        Folder with ``data_batch_1`` to ``data_batch_5`` and ``test_batch`` (the Python version;
        these pickles are read as data and never run), or the same with ``.bin`` (the binary
        version), or a .tar.gz or .tar with such a folder, which is not unpacked to disk.
    """
    return _read(Path(path), CIFAR10, "")


def read_cifar100(path: str | Path, *, labels: str = "fine") -> Splits:
    """Read CIFAR-100 from a folder with its files, or from the official .tar.gz.

    Parameters
    ----------
    path
        Folder with ``train`` and ``test`` (the Python version, read as data and never run) or
        ``train.bin`` and ``test.bin`` (the binary version), or a .tar.gz with such a folder.
    labels
        ``"fine"`` for the 100 classes (default), ``"coarse"`` for the 20 superclasses.
    """
    return _read(Path(path), CIFAR100, labels)


def which_cifar(path: Path) -> Cifar | None:
    """Return which of the two data sets is in a folder or archive, or None."""
    if path.is_dir():
        return next((cifar for cifar in (CIFAR10, CIFAR100) if cifar.is_in(path)), None)
    try:
        with _opened(path) as archive:
            for member in islice(archive, _LOOKED_AT):
                folder = member.name.split("/")[0]
                for cifar in (CIFAR10, CIFAR100):
                    if folder.startswith(f"{cifar.name}-"):
                        return cifar
                if member.isreg():
                    return None
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError):
        return None
    return None


def _from_home(cifar: Cifar, labels: str) -> Splits:
    folder = cache_folder() / cifar.name
    python = folder / cifar.remote.name.removesuffix(".tar.gz")
    python = folder / "cifar-10-batches-py" if cifar is CIFAR10 else python
    binary = folder / ("cifar-10-batches-bin" if cifar is CIFAR10 else "cifar-100-binary")
    for place in (python, binary, folder):
        if cifar.find(place, cifar.test) is not None:
            return _read(place, cifar, labels)
    fetch((cifar.remote,), folder, cifar.name)
    return _read(folder / cifar.remote.name, cifar, labels)


def _read(path: Path, cifar: Cifar, labels: str) -> Splits:
    if not path.exists():
        raise DataError(f"there is no file or folder '{path}'")
    if labels not in cifar.labels:
        raise DataError(unknown(f"labels of {cifar.name}", labels, cifar.labels))
    batches = {}
    for name, content in _from_archive(path, cifar) if path.is_file() else _in(path, cifar):
        batches[Path(name).stem] = read_batch(content, f"{path}: {name}", cifar, labels)
    missing = [name for name in cifar.files if name not in batches]
    if missing:
        raise DataError(f"{path} has no {missing[0]} (nor {missing[0]}.bin) of {cifar.name}")
    _, _, classes = cifar.labels[labels]
    images, numbers = zip(*(batches.pop(name) for name in cifar.train), strict=True)
    train = DataSet(np.concatenate(images), np.concatenate(numbers), classes, cifar.name)
    return Splits(train, DataSet(*batches[cifar.test], classes, f"{cifar.name} test"))


def read_batch(
    content: bytes, name: str, cifar: Cifar = CIFAR10, labels: str = ""
) -> tuple[Array, Array]:
    """Return images (N, 3, 32, 32) and labels (N,) from the bytes of one file.

    A name that ends in ``.bin`` is the binary version: records of one label (CIFAR-100: the
    superclass, then the class) and 3,072 pixels.

    >>> images, labels = read_batch(bytes([6, *[255] * 3072]), "data_batch_1.bin")
    >>> images.shape, labels
    ((1, 3, 32, 32), array([6]))
    """
    key, place, classes = cifar.labels[labels]
    if not name.endswith(".bin"):
        images, numbers = _from_pickle(read_pickle(content, name), name, key)
        return images, _checked(numbers, name, len(classes))
    size = len(cifar.labels) + _PIXELS
    if not content or len(content) % size:
        raise DataError(
            f"{name} has {len(content):,} bytes, which is not a number of whole records of "
            f"{size:,}; it is cut short or no {cifar.name} batch"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    images = np.ascontiguousarray(records[:, -_PIXELS:]).reshape(-1, *_IMAGE)
    return images, _checked(records[:, place].astype(np.int64), name, len(classes))


def _from_pickle(batch: Any, name: str, key: str) -> tuple[Array, Array]:
    if not isinstance(batch, dict) or not {"data", key} <= batch.keys():
        raise DataError(f"{name} is not a batch of CIFAR: it has no 'data' and '{key}'")
    images, labels = batch["data"], batch[key]
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != _PIXELS:
        raise DataError(f"{name}: 'data' should be images of {_PIXELS:,} bytes")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(f"{name}: '{key}' should be a list of class numbers")
    if len(images) != len(labels):
        raise DataError(f"{name} has {len(images)} images, but {len(labels)} labels")
    return images.reshape(-1, *_IMAGE), np.array(labels, np.int64)


def _checked(labels: Array, name: str, classes: int) -> Array:
    bad = np.flatnonzero((labels < 0) | (labels >= classes))
    if bad.size:
        i, most = bad[0], classes - 1
        raise DataError(f"{name}: image {i} has label {labels[i]}, expected 0 to {most}")
    return labels


def _in(folder: Path, cifar: Cifar) -> Iterator[tuple[str, bytes]]:
    for stem in cifar.files:
        if (path := cifar.find(folder, stem)) is not None:
            _check_size(path.stat().st_size, str(path))
            yield path.name, path.read_bytes()


def _from_archive(path: Path, cifar: Cifar) -> Iterator[tuple[str, bytes]]:
    """Yield the batches in an archive; the names in it are only compared, never used as paths."""
    wanted = {name for stem in cifar.files for name in (stem, f"{stem}.bin")}
    try:
        with _opened(path) as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                file = archive.extractfile(member) if member.isreg() else None
                if name in wanted and file is not None:
                    _check_size(member.size, f"{path}: {name}")
                    yield name, file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} is damaged or incomplete ({error!s:.300}); get it again"
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive, compressed with gzip or not, as a stream."""
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP)) == _GZIP
    with gzip.open(path) if compressed else path.open("rb") as content:
        bounded: Any = _Bounded(content, path)  # all that tarfile needs of a stream is `read`
        with tarfile.open(fileobj=bounded, mode="r|", tarinfo=_Member) as archive:
            yield archive


def _check_size(size: int, name: str) -> None:
    if size > _MOST_BYTES:
        raise DataError(f"{name} has more than {_MOST_BYTES >> 20} MiB; no CIFAR batch has")


class _Member(Member):
    most_bytes = _MOST_ARCHIVE_BYTES


class _Bounded:
    """A stream that refuses to give more than the archive can have."""

    def __init__(self, file: Readable, path: Path) -> None:
        self.file, self.path, self.left = file, path, _MOST_ARCHIVE_BYTES

    def read(self, size: int) -> bytes:
        block = self.file.read(size)
        self.left -= len(block)
        if self.left < 0:
            raise DataError(
                f"{self.path} unpacks to more than {_MOST_ARCHIVE_BYTES >> 20} MiB; "
                "the archives of CIFAR do not"
            )
        return block
