"""Divide the work into pieces, so that memory is bounded for batches of any size.

Some rows of the output are the whole output of the same convolution on some rows of the image
(`Window.strip`), and images are independent. So an algorithm may process some rows of some images
at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pellucid.geometry import Window

SCRATCH = 32 * 2**20
"""Limit in bytes for the patches or spectra of a pass, for batches of any size."""

PIECE = 8 * 2**20
"""Preferred bytes of a piece, small enough that results are still in the cache when they are read.
Measured: smaller pieces need more calls, larger ones take up to a third longer."""


@dataclass(frozen=True)
class Piece:
    """Some output rows of some images, the image rows that they read, and their window."""

    images: slice
    rows: slice
    image_rows: slice
    window: Window


def pieces(window: Window, images: int, row_bytes: int) -> Iterator[Piece]:
    """Yield pieces of the output that need at most SCRATCH bytes each.

    `row_bytes` is the memory for one output row of one image, which is always used. Rows are split
    first, because memory is contiguous over images.
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
    """Return the memory in bytes of the largest piece."""
    largest = next(pieces(window, images, row_bytes))
    return row_bytes * int(largest.rows.stop) * int(largest.images.stop)
