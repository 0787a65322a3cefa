"""IDX files, the format of MNIST: a header of big-endian numbers, then one byte per value.

The header is four bytes (0, 0, the type of the values, the number of dimensions) and then one
uint32 per dimension. Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.data.inflation import check_unpacked
from pellucid.data.splits import Splits
from pellucid.errors import DataError, ShapeError
from pellucid.types import Array

_UNSIGNED_BYTE = 0x08
_MOST_DIMENSIONS = 8
_IMAGES, _LABELS = "{}-images-idx3-ubyte", "{}-labels-idx1-ubyte"
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 20
MOST_INFLATION = 1032
"""Largest expansion factor of Deflate (RFC 1951: 258 bytes from two bits)."""
_MOST_VALUES = 2**62  # more than NumPy can count in bytes


class Readable(Protocol):
    """A file, or a decompressor with the interface of one."""

    def read(self, size: int, /) -> bytes: ...


def read_idx(path: str | Path) -> Array:
    """Return the array in an IDX file of unsigned bytes, compressed with gzip or not.

    The header is checked against the size of the file before any memory is allocated.

    Raises
    ------
    DataError
        The file is not an IDX file, or its size does not agree with its header.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels"
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1]) + bytes([0, 0, 0, 3]) + bytes([7, 2, 1]))
    ...     read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    path = Path(path)
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP_MAGIC
        size = file.seek(0, 2)
        file.seek(0)
        if not compressed:
            shape = _read_header(file, path)
            _check_size(path, size - _header_size(shape), math.prod(shape), "is")
            return np.fromfile(file, np.uint8).reshape(shape)
        try:
            with gzip.GzipFile(fileobj=file) as inflated:
                return _read_inflated(inflated, path, size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{path} is damaged or incomplete ({error}); download it again"
            ) from error


def read_idx_folder(
    path: str | Path, classes: tuple[str, ...] | None = None, name: str | None = None
) -> Splits:
    """Return the data set in a folder of four IDX files named as MNIST's are.

    Parameters
    ----------
    path
        Folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and, for a test part,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each with or without ``.gz``.
    classes
        Names of the classes. By default their numbers.
    name
        Name of the data set. By default the folder's name.
    """
    folder = Path(path)
    name = name or folder.resolve().name
    parts = ("train", "t10k") if find_idx(folder, _IMAGES.format("t10k")) else ("train",)
    pairs = [read_pair(folder, part) for part in parts]
    if classes is None:
        top = max(int(labels.max(initial=0)) for _, labels in pairs)
        classes = tuple(map(str, range(top + 1)))
    sets = [
        DataSet(images[:, None], labels, classes, part_name)
        for (images, labels), part_name in zip(pairs, (name, f"{name} test"), strict=False)
    ]
    return Splits(*sets)


def find_idx(folder: Path, stem: str) -> Path | None:
    """Return the file named `stem` or ``stem.gz``; also accepts ".idx" in place of "-idx"."""
    names = (stem, f"{stem}.gz", stem.replace("-idx", ".idx"))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_pair(folder: Path, part: str) -> tuple[Array, Array]:
    """Return images (N, H, W) and labels (N,) from the two files whose names begin with `part`."""
    images_path = _required(folder, _IMAGES.format(part))
    labels_path = _required(folder, _LABELS.format(part))
    images, labels = read_idx(images_path), read_idx(labels_path)
    for path, array, ndim in ((images_path, images, 3), (labels_path, labels, 1)):
        if array.ndim != ndim:
            raise DataError(
                f"{path} should have {ndim} dimension{'s' if ndim > 1 else ''} "
                f"(magic number {0x0800 + ndim}), it has {array.ndim}"
            )
    if len(images) != len(labels):
        raise ShapeError(
            f"{images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels"
        )
    return images, labels


def _required(folder: Path, stem: str) -> Path:
    path = find_idx(folder, stem)
    if path is None:
        raise DataError(f"{folder} has no file {stem} or {stem}.gz")
    return path


def _read_header(file: Readable, path: Path) -> tuple[int, ...]:
    magic = file.read(4)
    good = len(magic) == 4 and magic[:3] == bytes([0, 0, _UNSIGNED_BYTE])
    if not good or not 1 <= magic[3] <= _MOST_DIMENSIONS:
        raise DataError(
            f"{path} is not an IDX file of unsigned bytes: it begins with {magic.hex(' ')!r}, "
            "expected '00 00 08' and the number of dimensions"
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path} ends inside its header")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    if math.prod(max(size, 1) for size in shape) > _MOST_VALUES:
        raise DataError(f"{path} is damaged: its header promises an array of shape {shape}")
    return shape


def _header_size(shape: tuple[int, ...]) -> int:
    return 4 + 4 * len(shape)


def _read_inflated(file: Readable, path: Path, compressed_size: int) -> Array:
    shape = _read_header(file, path)
    promised = math.prod(shape)
    if promised > compressed_size * MOST_INFLATION:
        _check_size(path, compressed_size * MOST_INFLATION, promised, "can be at most")
    check_unpacked(path, compressed_size, promised, "unpack it first, with gunzip")
    values, there = np.empty(promised, np.uint8), 0
    for block in _blocks(file, promised + 1):  # one more byte shows whether the data end there
        kept = np.frombuffer(block, np.uint8)[: promised - there]
        values[there : there + len(kept)] = kept
        there += len(block)
    _check_size(path, there, promised, "is")
    return values.reshape(shape)


def _blocks(file: Readable, limit: int) -> Iterator[bytes]:
    while limit > 0 and (block := file.read(min(_BLOCK, limit))):
        limit -= len(block)
        yield block


def _check_size(path: Path, there: int, promised: int, verb: str) -> None:
    if there > promised:
        raise DataError(f"{path} goes on after the {promised:,} values that its header promises")
    if there < promised:
        raise DataError(
            f"{path} is cut short: its header promises {promised:,} values, "
            f"there {verb} {there:,}; download it again"
        )
