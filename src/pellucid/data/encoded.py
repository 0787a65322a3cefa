"""Image files, and encoded images inside other files, decoded on demand."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pellucid.data.images import opened, pixels
from pellucid.stored import StoredImages, hash_of
from pellucid.types import Array


class Piece(NamedTuple):
    """Location of one encoded image: a whole file, part of a file, or bytes in memory.

    Attributes
    ----------
    path
        The file.
    offset, length
        Position in the file, in bytes; a length of −1 means up to the end.
    name
        Name of the image in messages. By default the path of the file.
    content
        The bytes themselves, if they are in memory.
    """

    path: Path
    offset: int = 0
    length: int = -1
    name: str = ""
    content: bytes | None = None

    @property
    def where(self) -> str:
        """The name of the image in messages."""
        return self.name or str(self.path)

    def read(self) -> bytes:
        """Return the encoded bytes."""
        if self.content is not None:
            return self.content
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)

    def source(self) -> Path | io.BytesIO:
        """Return a path or file object that Pillow can open."""
        whole = self.content is None and self.length < 0
        return self.path if whole else io.BytesIO(self.read())


class EncodedImages(StoredImages):
    """Encoded images, decoded to one common shape as they are read.

    Parameters
    ----------
    pieces
        Locations of the images.
    shape
        Shape (C, H, W) to which each image is converted; see `read_image`.
    ahead
        Number of bytes to read ahead.
    """

    def __init__(self, pieces: Sequence[Piece], shape: tuple[int, int, int], ahead: int) -> None:
        super().__init__((len(pieces), *shape), np.uint8, ahead)
        self.pieces = pieces

    def read(self, numbers: Array) -> Array:
        images = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        for i, number in enumerate(numbers.tolist()):
            images[i] = self.decode(number)
        return images

    def decode(self, number: int) -> Array:
        """Decode one image; the error for an unreadable image names it."""
        channels, height, width = self.shape[1:]
        piece = self.pieces[number]
        with opened(piece.source(), piece.where) as image:
            return pixels(image, channels, (height, width))

    def digest(self) -> str:
        return hash_of(self._content())

    def _content(self) -> Iterator[bytes]:
        yield repr(self.shape).encode()
        for piece in self.pieces:
            yield piece.read()
