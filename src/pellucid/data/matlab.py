"""Read numeric arrays from MATLAB files of version 5, and no other content.

A header of 128 bytes is followed by elements: a tag of two uint32, the type and the number of
bytes, and then the content, padded to a multiple of 8 bytes. Up to 4 bytes of content may be stored
in the tag itself. An array is an element that contains elements (flags, dimensions, name, values),
often compressed with zlib.
Source: MathWorks, "MAT-File Format", chapter 1, "MAT-File Level 5 Format".
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Container
from pathlib import Path

import numpy as np

from pellucid.data.idx import Readable
from pellucid.data.inflation import check_unpacked
from pellucid.errors import DataError
from pellucid.types import Array

MAGIC = b"MATLAB 5.0 MAT-file"
_HEADER, _LITTLE_ENDIAN = 128, b"IM"
_MATRIX, _COMPRESSED = 14, 15
_INTEGERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 12: "i8", 13: "u8"}
_TYPES = _INTEGERS | {7: "f4", 9: "f8"}
_CLASSES = range(6, 16)  # numeric; smaller numbers are cells, structures, objects and text
_COMPLEX = 0x0800
_LONGEST = 1 << 12  # largest number of bytes of dimensions or a name


def read_arrays(path: Path, names: Container[str]) -> dict[str, Array]:
    """Return the numeric arrays with these names; others are ignored.

    Raises
    ------
    DataError
        The file is not a MATLAB file of version 5, is damaged, or the number of values of an array
        does not agree with its dimensions.
    """
    size, found = path.stat().st_size, {}
    with path.open("rb") as file:
        header = file.read(_HEADER)
        if not header.startswith(MAGIC) or header[126:] != _LITTLE_ENDIAN:
            raise DataError(f"{path} is no MATLAB file of version 5")
        try:
            while file.tell() < size:
                kind, length, _ = _tag(file)
                end = file.tell() + length
                if end > size:
                    raise ValueError("an element goes beyond the end")
                element = _Part(file, length, kind == _COMPRESSED)
                if kind == _COMPRESSED:
                    kind, _, _ = _tag(element)
                if kind == _MATRIX and (array := _array(element, names, length, path)):
                    found[array[0]] = array[1]
                file.seek(end)
        except (ValueError, zlib.error, struct.error) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} is damaged or incomplete ({error}); get it again") from error
    return found


def _array(
    file: Readable, names: Container[str], stored: int, path: Path
) -> tuple[str, Array] | None:
    """Return name and values of an array of real numbers, or None for anything else."""
    flags = struct.unpack("<I", _small(file)[:4])[0]
    content = _small(file)
    shape = struct.unpack(f"<{len(content) // 4}i", content)
    name = _small(file).decode("latin-1")
    if flags & 0xFF not in _CLASSES or flags & _COMPLEX or name not in names:
        return None
    kind, length, inside = _tag(file)
    if kind not in _TYPES or min(shape, default=0) < 0:
        raise ValueError(f"the array '{name:.40}' has values of an unknown type")
    dtype = np.dtype(_TYPES[kind]).newbyteorder("<")
    if math.prod(shape) * dtype.itemsize != length:
        raise ValueError(f"the array '{name:.40}' has {length:,} bytes, which its shape has not")
    check_unpacked(path, stored, length, "save it uncompressed")
    values = inside if inside is not None else _exactly(file, length)
    return name, np.frombuffer(values, dtype, math.prod(shape)).reshape(shape, order="F")


def _tag(file: Readable) -> tuple[int, int, bytes | None]:
    """Return the next element's type, its number of bytes, and its content if it is in the tag."""
    tag = _exactly(file, 8)
    kind, length = struct.unpack("<II", tag)
    if kind >> 16:
        return kind & 0xFFFF, min(kind >> 16, 4), tag[4:]
    return kind, length, None


def _small(file: Readable) -> bytes:
    """Return the content of a small element, such as an array's dimensions or name."""
    _, length, inside = _tag(file)
    if inside is not None:
        return inside[:length]
    if length > _LONGEST:
        raise ValueError(f"dimensions or a name of {length:,} bytes")
    return _exactly(file, -(-length // 8) * 8)[:length]


def _exactly(file: Readable, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise ValueError("it ends inside an element")
    return content


class _Part:
    """The next `size` bytes of a file, decompressed on demand if they are compressed."""

    def __init__(self, file: Readable, size: int, compressed: bool) -> None:
        self.file, self.left = file, size
        self.unpacker = zlib.decompressobj() if compressed else None

    def read(self, size: int) -> bytes:
        if self.unpacker is None:
            return self._stored(size)
        content = bytearray()
        while len(content) < size:
            packed = self.unpacker.unconsumed_tail or self._stored(1 << 16)
            if not packed:
                break
            content += self.unpacker.decompress(packed, size - len(content))
        return bytes(content)

    def _stored(self, size: int) -> bytes:
        content = self.file.read(min(size, self.left))
        self.left -= len(content)
        return content
