"""Arrays in NumPy's format, in separate files or inside others."""

from __future__ import annotations

import io
import math
import sys
import tokenize
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple, Protocol, cast

import numpy as np
from numpy.lib import format as npy

from pellucid.data.arrays import encode_labels, from_arrays, one_column
from pellucid.data.dataset import DataSet
from pellucid.data.layout import has_channels_last, image_shape
from pellucid.data.memory import Memory, fits, read_ahead_bytes
from pellucid.data.parts import TRAIN, part_of
from pellucid.data.problems import shortened
from pellucid.data.raw import RawImages
from pellucid.data.splits import Splits
from pellucid.errors import DataError
from pellucid.types import Array, Shape

_HEADERS = {(1, 0): (2, npy.read_array_header_1_0), (2, 0): (4, npy.read_array_header_2_0)}
"""For each version: number of bytes of the header's length, and the function that reads it."""
_LONGEST_HEADER = 10_000  # bytes; NumPy's own limit
_NOT_READ = (ValueError, TypeError, SyntaxError, tokenize.TokenError, EOFError, OverflowError)
_ON_DISK = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))


class Header(NamedTuple):
    """The header of an array, and its size in bytes."""

    shape: Shape
    dtype: np.dtype[np.generic]
    fortran: bool
    length: int


class StoredArray(NamedTuple):
    """An array stored contiguously in a file.

    Attributes
    ----------
    path, offset
        The file, and the offset of the first value in bytes.
    header
        The array's header.
    name
        Name of the array in messages.
    """

    path: Path
    offset: int
    header: Header
    name: str

    @property
    def nbytes(self) -> int:
        """Size of the values in bytes."""
        return math.prod(self.header.shape) * self.header.dtype.itemsize

    def load(self) -> Array:
        """Read the array into memory."""
        shape, dtype, fortran, _ = self.header
        flat = np.fromfile(self.path, dtype, math.prod(shape), offset=self.offset)
        return flat.reshape(shape, order="F" if fortran else "C")

    def images(self, shape: Shape | None, channels_last: bool | None, ahead: int) -> RawImages:
        """Return images that stay on disk; for the arguments see `from_arrays`."""
        stored, dtype, fortran, _ = self.header
        if fortran or dtype.newbyteorder("=") not in _ON_DISK:
            raise DataError(
                f"{self.name}: images that stay on the disk are uint8, float32 or float64, row by "
                f"row, not {dtype}{', column by column' if fortran else ''}; save them so, or give "
                "them more memory"
            )
        if len(stored) == 2:
            full = image_shape(stored[1], shape, self.name)
            if full[0] > 1 and channels_last is None:
                raise DataError(
                    f"{self.name}: it is not clear whether the colours are stored pixel by pixel "
                    "or in planes; give channels_last=True or False (--channels-last, "
                    "--channels-first)"
                )
            stored = (stored[0], *((*full[1:], full[0]) if channels_last else full))
        elif len(stored) == 4 and channels_last is None:
            channels_last = has_channels_last(stored, self.name)
        if len(stored) not in (3, 4):
            raise DataError(f"{self.name} of shape {stored} holds no images")
        last = bool(channels_last) and len(stored) == 4
        return RawImages(self.path, self.offset, stored, dtype, channels_last=last, ahead=ahead)


def read_header(file: IO[bytes], name: str, length: int) -> Header:
    """Read the header of an array in a file of `length` bytes, and check it against that length.

    Raises
    ------
    DataError
        The header is invalid, does not agree with the length, or is that of an array of Python
        objects.
    """
    try:
        version = npy.read_magic(file)
        if version not in _HEADERS:
            raise DataError(f"{name} has version {version} of NumPy's format, expected 1.0 or 2.0")
        width, reader = _HEADERS[version]
        size = file.read(width)
        header = file.read(min(int.from_bytes(size, "little"), _LONGEST_HEADER))
        shape, fortran, dtype = reader(io.BytesIO(size + header))
    except DataError:
        raise
    except _NOT_READ as error:
        raise DataError(f"{name} is damaged or no array of NumPy's ({error!s:.300})") from error
    if dtype.hasobject:
        raise DataError(f"{name} holds Python objects, which are not read; save plain arrays")
    if not _can_be(shape, dtype.itemsize):
        raise DataError(f"{name} is damaged: its shape is {shortened(shape)}, its type {dtype}")
    there, promised = length - file.tell(), math.prod(shape) * dtype.itemsize
    if promised != there:
        raise DataError(f"{name}: the header promises {promised:,} bytes, there are {there:,}")
    return Header(tuple(shape), dtype, fortran, file.tell())


def _can_be(shape: Shape, itemsize: int) -> bool:
    """Return whether NumPy can make an array of this shape, even if it has no elements."""
    if itemsize == 0 or any(type(size) is not int or size < 0 for size in shape):
        return False
    return math.prod(max(size, 1) for size in shape) * itemsize <= sys.maxsize


def array_in(path: Path) -> StoredArray:
    """Return the array in a ``.npy`` file."""
    with path.open("rb") as file:
        header = read_header(file, str(path), path.stat().st_size)
    return StoredArray(path, header.length, header, str(path))


def read_npy_folder(
    path: str | Path,
    *,
    shape: Shape | None = None,
    channels_last: bool | None = None,
    memory: Memory = None,
) -> Splits:
    """Read the data set in a folder of ``.npy`` files.

    Parameters
    ----------
    path
        Folder with ``x_train.npy`` and ``y_train.npy`` or ``train_images.npy`` and
        ``train_labels.npy``, and so on for the parts ``val`` and ``test``; or with ``images.npy``
        and ``labels.npy``, or ``x.npy`` and ``y.npy``.
    shape
        Shape (C, H, W) or (H, W) of an image, if images are rows of pixels.
    channels_last
        Whether images are (N, H, W, C); inferred from the shape by default.
    memory
        Available memory, such as ``"2GB"``; images that take more than half of it stay in their
        files.
    """
    folder = Path(path)
    files = _files(folder)
    arrays = {part: (array_in(x), array_in(y).load()) for part, (x, y) in files.items()}
    return splits_of(arrays, None, folder.resolve().name, str(folder), shape, channels_last, memory)


class Images(Protocol):
    """Images that `splits_of` reads into memory, or leaves on disk."""

    @property
    def nbytes(self) -> int: ...
    def load(self) -> Array: ...
    def images(self, shape: Shape | None, channels_last: bool | None, ahead: int) -> RawImages: ...


def splits_of(
    arrays: Mapping[str, tuple[Images, Array]],
    classes: tuple[str, ...] | None,
    name: str,
    source: str,
    shape: Shape | None,
    channels_last: bool | None,
    memory: Memory,
) -> Splits:
    """Return a data set from images and labels of each part, in memory if they fit."""
    labels = [one_column(y, f"{source}: {part} labels") for part, (_, y) in arrays.items()]
    numbers, names = encode_labels(np.concatenate(labels), classes, source)  # of all parts
    in_memory = fits(sum(x.nbytes for x, _ in arrays.values()), memory)
    ends = np.cumsum([len(part) for part in labels])[:-1]
    sets = {}
    for (part, (x, _)), y in zip(arrays.items(), np.split(numbers, ends), strict=True):
        called = name if part == TRAIN else f"{name} {part}"
        if in_memory:
            sets[part] = from_arrays(
                x.load(), y, names, name=called, channels_last=channels_last, shape=shape
            )
        else:
            images = x.images(shape, channels_last, read_ahead_bytes(memory))
            sets[part] = DataSet(cast(Array, images), y, names, called)
    return Splits(**sets)


def is_npy_folder(path: Path) -> bool:
    """Return whether `path` is a folder with ``.npy`` files of images and labels."""
    return path.is_dir() and bool(_pairs(path))


def _files(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return the files of images and labels of each part."""
    found = _pairs(folder)
    if TRAIN not in found:
        raise DataError(f"{folder} has no x_train.npy and y_train.npy, nor images.npy, labels.npy")
    return {part: found[part] for part in ("train", "validation", "test") if part in found}


def _pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    images: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for path in sorted(folder.glob("*.npy")):
        words = path.stem.lower().replace("-", "_").split("_")
        part = part_of(path.stem) or TRAIN
        if {"x", "images"} & set(words):
            images[part] = path
        elif {"y", "labels"} & set(words):
            labels[part] = path
    return {part: (images[part], labels[part]) for part in images if part in labels}
