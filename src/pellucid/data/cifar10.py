"""CIFAR-10: 60,000 colour images of 32×32 in ten classes, in its binary and its Python version.

Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data.dataset import DataSet, Splits
from pellucid.data.download import Remote, fetch
from pellucid.data.idx import Readable
from pellucid.data.pickled import read_pickle
from pellucid.errors import DataError
from pellucid.runtime.cache_folder import cache_folder
from pellucid.types import Array

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)

ARCHIVE = Remote(
    "cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    (
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz",
    ),
)
_IMAGE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
_TEST = "test_batch"
_MOST_BYTES = 64 << 20
"""No batch is larger: the binary ones have 31 MB, the pickled ones a little more for file names."""
_MOST_ARCHIVE_BYTES = 256 << 20
"""The six batches have 186 MB; an archive that unpacks to more is not this one."""


def cifar10() -> Splits:
    """Return CIFAR-10 from the home, where it is downloaded to if it is missing."""
    folder = cache_folder() / "cifar-10"
    for place in (folder / "cifar-10-batches-py", folder / "cifar-10-batches-bin", folder):
        if _find(place, _TEST) is not None:
            return read_cifar10(place)
    fetch((ARCHIVE,), folder, "cifar-10")
    return read_cifar10(folder / ARCHIVE.name)


def read_cifar10(path: str | Path) -> Splits:
    """Return CIFAR-10 from a folder with its batches, or from the official .tar.gz.

    Parameters
    ----------
    path
        A folder with ``data_batch_1`` to ``data_batch_5`` and ``test_batch`` (the Python version,
        which are pickles: they are read as data, never run) or the same with ``.bin`` (the binary
        version), or a .tar.gz with such a folder, which is read without unpacking it to the disk.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"there is no file or folder '{path}'")
    batches = {}
    for name, content in _from_archive(path) if path.is_file() else _from_folder(path):
        batches[Path(name).stem] = read_batch(content, f"{path}: {name}")
    missing = [name for name in (*_TRAIN, _TEST) if name not in batches]
    if missing:
        raise DataError(f"{path} has no {missing[0]} (nor {missing[0]}.bin) of CIFAR-10")
    images, labels = zip(*(batches.pop(name) for name in _TRAIN), strict=True)
    train = DataSet(np.concatenate(images), np.concatenate(labels), CLASSES, "cifar-10")
    return Splits(train, DataSet(*batches[_TEST], CLASSES, "cifar-10 test"))


def read_batch(content: bytes, name: str) -> tuple[Array, Array]:
    """Return images (N, 3, 32, 32) and labels (N,) from the bytes of one batch.

    A name that ends in ``.bin`` is the binary version: records of one label and 3,072 pixels.

    >>> images, labels = read_batch(bytes([6, *[255] * 3072]), "data_batch_1.bin")
    >>> images.shape, labels
    ((1, 3, 32, 32), array([6]))
    """
    if not name.endswith(".bin"):
        return _from_pickle(read_pickle(content, name), name)
    if not content or len(content) % (1 + _PIXELS):
        raise DataError(
            f"{name} has {len(content):,} bytes, which is not a number of whole records of "
            f"{1 + _PIXELS:,}; it is cut short or no CIFAR-10 batch"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + _PIXELS)
    return records[:, 1:].reshape(-1, *_IMAGE), _checked(records[:, 0].astype(np.int64), name)


def _from_pickle(batch: Any, name: str) -> tuple[Array, Array]:
    if not isinstance(batch, dict) or not {"data", "labels"} <= batch.keys():
        raise DataError(f"{name} is no CIFAR-10 batch: it has no 'data' and 'labels'")
    images, labels = batch["data"], batch["labels"]
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != _PIXELS:
        raise DataError(f"{name}: 'data' should be images of {_PIXELS:,} bytes")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(f"{name}: 'labels' should be a list of class numbers")
    if len(images) != len(labels):
        raise DataError(f"{name} has {len(images)} images, but {len(labels)} labels")
    return images.reshape(-1, *_IMAGE), _checked(np.array(labels, np.int64), name)


def _checked(labels: Array, name: str) -> Array:
    bad = np.flatnonzero((labels < 0) | (labels >= len(CLASSES)))
    if bad.size:
        raise DataError(f"{name}: image {bad[0]} has label {labels[bad[0]]}, expected 0 to 9")
    return labels


def _find(folder: Path, stem: str) -> Path | None:
    return next((p for p in (folder / stem, folder / f"{stem}.bin") if p.is_file()), None)


def _from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for stem in (*_TRAIN, _TEST):
        if (path := _find(folder, stem)) is not None:
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
            yield path.name, _small_enough(content, str(path))


def _from_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the batches in an archive; the names in it are only compared, never used as paths."""
    wanted = {name for stem in (*_TRAIN, _TEST) for name in (stem, f"{stem}.bin")}
    try:
        with gzip.open(path) as inflated:
            bounded: Any = _Bounded(inflated, path)  # all that tarfile needs of a stream is `read`
            with tarfile.open(fileobj=bounded, mode="r|", tarinfo=_Member) as archive:
                for member in archive:
                    name = member.name.rsplit("/", 1)[-1]
                    file = archive.extractfile(member) if member.isreg() else None
                    if name in wanted and file is not None:
                        yield name, _small_enough(file.read(_MOST_BYTES + 1), f"{path}: {name}")
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is damaged or incomplete ({error}); get it again") from error


def _small_enough(content: bytes, name: str) -> bytes:
    if len(content) > _MOST_BYTES:
        raise DataError(f"{name} has more than {_MOST_BYTES >> 20} MiB; no CIFAR-10 batch has")
    return content


class _Member(tarfile.TarInfo):
    """A header in an archive, whose size is looked at before anybody skips or reads so much."""

    @property
    def size(self) -> int:
        return self._size

    @size.setter
    def size(self, value: int) -> None:
        if value < 0:
            raise tarfile.ReadError("a file in it has a negative size")
        if value > _MOST_ARCHIVE_BYTES:
            most = _MOST_ARCHIVE_BYTES >> 20
            raise tarfile.ReadError(f"a file in it unpacks to more than {most} MiB")
        self._size = value


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
                "the CIFAR-10 archive does not"
            )
        return block
