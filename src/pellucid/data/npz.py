"""Read data sets in NumPy's .npz files."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from pellucid.data.arrays import listed
from pellucid.data.idx import MOST_INFLATION
from pellucid.data.inflation import check_unpacked
from pellucid.data.memory import Memory, cached_file
from pellucid.data.npy import Header, StoredArray, read_header, splits_of
from pellucid.data.problems import shortened
from pellucid.data.raw import RawImages
from pellucid.data.splits import Splits
from pellucid.errors import DataError, PellucidError
from pellucid.files import check_is_file
from pellucid.stored import hash_of
from pellucid.types import Array, Shape

_PARTS = ("train", "validation", "test")
_LAYOUTS: tuple[tuple[tuple[str, str], ...], ...] = (  # images and labels of each part, if there
    (("x_train", "y_train"), ("x_val", "y_val"), ("x_test", "y_test")),  # as Keras names them
    (
        ("train_images", "train_labels"),  # as MedMNIST does
        ("val_images", "val_labels"),
        ("test_images", "test_labels"),
    ),
    (("images", "labels"),),
    (("x", "y"),),
    (("data", "labels"),),
    (("data", "target"),),
    (("arr_0", "arr_1"),),  # the names that np.savez gives to unnamed arrays
)
_CLASSES = "classes"
_INFLATION = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: MOST_INFLATION}
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError, SyntaxError),
    *(OSError, EOFError, ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError),
)
"""Errors raised by zipfile and NumPy for a damaged file."""
_LOCAL_HEADER = 30  # bytes before the name; the last 4 are the lengths of name and extra field
_BLOCK = 16 << 20


def read_npz(
    path: str | Path,
    *,
    shape: Shape | None = None,
    channels_last: bool | None = None,
    memory: Memory = None,
) -> Splits:
    """Read the data set in an .npz file.

    Parameters
    ----------
    path
        File with the arrays ``x_train`` and ``y_train`` and, for further parts, ``x_val`` and
        ``y_val``, ``x_test`` and ``y_test``; or ``train_images``, ``train_labels``,
        ``val_images``, ``val_labels``, ``test_images``, ``test_labels``; or ``images`` and
        ``labels``, ``x`` and ``y``, ``data`` and ``target``, in any case. An array ``classes``
        names the classes. The arrays have the forms that `from_arrays` accepts.
    shape
        Shape (C, H, W) or (H, W) of an image, if images are rows of pixels.
    channels_last
        Whether images are (N, H, W, C); see `from_arrays`.
    memory
        Available memory, such as ``"2GB"``. Images that take more than half of it stay in the file
        or, if compressed, are unpacked once to the cache folder.

    Raises
    ------
    DataError
        The file is not an .npz file, has other arrays, is damaged, or promises more than it
        contains, which is checked before memory is allocated. Arrays of Python objects, which could
        run code, are refused.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "small.npz"
    ...     np.savez(path, images=np.zeros((2, 8, 8, 3), np.uint8), labels=[0, 1])
    ...     read_npz(path)
    small: 2 images of 3×8×8, uint8, in 2 classes, no test part
    """
    path = Path(path)
    check_is_file(path, "an .npz file", DataError)
    if not path.is_file():
        raise DataError(f"there is no file '{path}'")
    try:
        with zipfile.ZipFile(path) as archive:
            members, classes = _known(archive, path)
            arrays = {part: (x, y.load()) for part, (x, y) in members.items()}
            names = None
            if classes is not None:
                names = tuple(map(str, listed(classes.load().ravel(), str(path))))
            return splits_of(arrays, names, path.stem, str(path), shape, channels_last, memory)
    except PellucidError:
        raise
    except _DAMAGED as error:
        raise DataError(f"{path} is damaged or no .npz file ({error!s:.300})") from error


def _known(
    archive: zipfile.ZipFile, path: Path
) -> tuple[dict[str, tuple[_Member, _Member]], _Member | None]:
    """Return images and labels of each part, and the names of the classes if there are any."""
    there = {info.filename.removesuffix(".npy").lower(): info for info in archive.infolist()}
    whole = (layout for layout in _LAYOUTS if set(layout[0]) <= there.keys())
    begun = (layout for layout in _LAYOUTS if layout[0][0] in there)
    layout = next(whole, None) or next(begun, None)
    if layout is None:
        listed = shortened(", ".join(list(there)[:10]), 200) or "nothing"
        raise DataError(
            f"{path} has no arrays x_train and y_train, nor images and labels; it has: {listed}"
        )
    parts = _PARTS if len(layout) > 1 else ("train",)
    pairs = {part: keys for part, keys in zip(parts, layout, strict=True) if keys[0] in there}
    missing = [key for keys in pairs.values() for key in keys if key not in there]
    if missing:
        raise DataError(f"{path} has no array '{missing[0]}'")
    members = {name: _Member(archive, info, path) for name, info in there.items()}
    return {part: (members[x], members[y]) for part, (x, y) in pairs.items()}, members.get(_CLASSES)


@dataclass(frozen=True)
class _Member:
    """One array in an open archive."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    path: Path

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"{self.path}: {self.info.filename}"

    @property
    def nbytes(self) -> int:
        """Size in bytes, including the header."""
        return self.info.file_size

    def load(self) -> Array:
        """Read the array into memory."""
        self._check_size()
        remedy = "save it uncompressed, with np.savez"
        check_unpacked(self.name, self.info.compress_size, self.info.file_size, remedy)
        self._header()
        with self.archive.open(self.info) as file:
            return np.asarray(npy.read_array(file, allow_pickle=False))

    def images(self, shape: Shape | None, channels_last: bool | None, ahead: int) -> RawImages:
        """Return images that stay on disk."""
        self._check_size()
        header = self._header()
        if self.info.compress_type == zipfile.ZIP_STORED:
            place = StoredArray(self.path, self._offset() + header.length, header, self.name)
        else:
            unpacked = cached_file(f"{self.info.filename} {self._hash()}", self._numbers(header))
            place = StoredArray(unpacked, 0, header, self.name)
        return place.images(shape, channels_last, ahead)

    def _check_size(self) -> None:
        most = self.info.compress_size * _INFLATION.get(self.info.compress_type, 0)
        size = self.info.file_size
        if size > most or self.info.compress_size > self.path.stat().st_size:
            raise DataError(f"{self.name} promises {size:,} bytes, which the file cannot hold")

    def _header(self) -> Header:
        with self.archive.open(self.info) as file:
            return read_header(file, self.name, self.info.file_size)

    def _offset(self) -> int:
        """Return the offset of the member's data, after its header, name and extra field."""
        with self.path.open("rb") as file:
            file.seek(self.info.header_offset)
            name, extra = struct.unpack("<HH", file.read(_LOCAL_HEADER)[-4:])
        return self.info.header_offset + _LOCAL_HEADER + int(name) + int(extra)

    def _numbers(self, header: Header) -> Iterator[bytes]:
        with self.archive.open(self.info) as file:
            file.read(header.length)
            while block := file.read(_BLOCK):
                yield block

    def _hash(self) -> str:
        with self.path.open("rb") as file:
            return hash_of(iter(lambda: file.read(_BLOCK), b""))
