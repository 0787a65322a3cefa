"""Uncompressed images in a file, read on demand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid.stored import StoredImages, hash_of
from pellucid.types import Array, Shape

_BLOCK = 16 << 20


class RawImages(StoredImages):
    """Uncompressed images in a file: a ``.npy`` file, a member of an ``.npz`` file, or a cache.

    Parameters
    ----------
    path, offset
        The file, and the offset of the first image in bytes.
    stored
        Shape of the array in the file: (N, C, H, W), (N, H, W) or (N, H, W, C).
    dtype
        Type of the values in the file.
    channels_last
        Whether the shape is (N, H, W, C). Default: False.
    ahead
        Number of bytes to read ahead. Default: 64 MiB.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        stored: Shape,
        dtype: Any,
        *,
        channels_last: bool = False,
        ahead: int = 64 << 20,
    ) -> None:
        count, *image = stored
        if len(image) == 2:
            shape = (count, 1, *image)
        else:
            shape = (count, image[2], image[0], image[1]) if channels_last else stored
        super().__init__(shape, np.dtype(dtype).newbyteorder("="), ahead)
        self.path, self.offset, self.stored = path, offset, tuple(stored)
        self.kind, self.channels_last = np.dtype(dtype), channels_last
        self.bytes = self.kind.itemsize * int(np.prod(image, dtype=np.int64))

    def read(self, numbers: Array) -> Array:
        images = np.empty((len(numbers), *self.stored[1:]), self.kind)
        flat = images.view(np.uint8).reshape(len(numbers), self.bytes)
        with self.path.open("rb", buffering=0) as file:
            for i, number in enumerate(numbers.tolist()):
                file.seek(self.offset + number * self.bytes)
                if file.readinto(flat[i].data) != self.bytes:
                    raise DataError(f"{self.path} ends inside image {number}; it was altered")
        if self.channels_last:
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        return images.reshape(len(numbers), *self.shape[1:]).astype(self.dtype, copy=False)

    def digest(self) -> str:
        return hash_of(self._content())

    def _content(self) -> Iterator[bytes]:
        yield f"{self.shape} {self.dtype}".encode()
        left = self.bytes * len(self)
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                yield block
