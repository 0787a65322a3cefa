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
        """Return its bytes."""
        if self.content is not None:
            return self.content
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)

    def source(self) -> Path | io.BytesIO:
        """Return what Pillow opens."""
        whole = self.content is None and self.length < 0
        return self.path if whole else io.BytesIO(self.read())


class EncodedImages(StoredImages):
    """Encoded images, decoded to one shape as they are read.

    Parameters
    ----------
    pieces
        Where they are.
    shape
        (C, H, W) that each is brought to; see `read_image`.
    ahead
        How many bytes of images are read ahead of who asks for them.
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
        """Return one image; if it cannot be read, the error names it."""
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
