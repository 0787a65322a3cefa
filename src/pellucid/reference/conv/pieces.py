"""Work in pieces, so that scratch memory has a bound whatever the size of the batch.

A strip of the output's rows is the whole output of the same convolution over a strip of the image
(`Window.strip`), and images do not depend on each other. So an algorithm may work on some rows of
some images at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pellucid.geometry import Window

SCRATCH = 32 * 2**20
"""Bytes of scratch memory that a pass may use for its patches or spectra, whatever the batch."""

PIECE = 8 * 2**20
"""Bytes that a piece takes where there is a choice: what is written now is still in the cache when
it is read. Measured: smaller pieces cost more calls, larger ones up to a third more time."""


@dataclass(frozen=True)
class Piece:
    """Some output rows of some images, the image rows that they read, and their window there."""

    images: slice
    rows: slice
    image_rows: slice
    window: Window


def pieces(window: Window, images: int, row_bytes: int) -> Iterator[Piece]:
    """Yield the pieces of the output for which scratch memory stays below SCRATCH.

    `row_bytes` is what one output row of one image takes; at least that much is always used. Rows
    are cut first: with all images, each run of memory is as long as it can be.
    """
    N, OH = images, window.output_size[0]
    count = max(1, min(N, SCRATCH // row_bytes))
    height = max(1, min(OH, PIECE // (row_bytes * count)))
    for n in range(0, N, count):
        for start in range(0, OH, height):
            stop = min(start + height, OH)
            image_rows, part = window.strip(start, stop)
            yield Piece(slice(n, min(n + count, N)), slice(start, stop), image_rows, part)


def scratch_bytes(window: Window, images: int, row_bytes: int) -> int:
    """Return the scratch memory of the largest piece."""
    largest = next(pieces(window, images, row_bytes))
    return row_bytes * int(largest.rows.stop) * int(largest.images.stop)
