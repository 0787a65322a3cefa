"""Read files and archives without trusting the sizes in their headers."""

from __future__ import annotations

import io
import os
import tarfile
from typing import ClassVar

_LITTLE = 1 << 16  # bytes that may be allocated unasked: decoders read small parts many times


class BoundedFile(io.BufferedReader):
    """A file from which no more is read than it contains, however much is requested.

    Decoders request what headers promise, and Python allocates memory before it reads.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and 0 <= size <= _LITTLE:
            return super().read(size)
        there = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        return super().read(there if size is None or size < 0 else min(size, there))


class Member(tarfile.TarInfo):
    """An archive member whose size is checked before it is skipped or read."""

    most_bytes: ClassVar[int] = 1 << 40

    @property
    def size(self) -> int:
        return self._size

    @size.setter
    def size(self, value: int) -> None:
        if value < 0:
            raise tarfile.ReadError("a file in it has a negative size")
        if value > self.most_bytes:
            raise tarfile.ReadError(f"a file in it has more than {self.most_bytes >> 20:,} MiB")
        self._size = value
