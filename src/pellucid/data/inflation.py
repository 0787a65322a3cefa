"""Compressed files that would fill the memory are refused before any is taken.

A few kilobytes can unpack to gigabytes. Real data sets do not: images rarely become twenty times
smaller. What a file unpacks to may therefore take `FREE` bytes, and `TIMES` as many as are stored.
"""

from __future__ import annotations

from pathlib import Path

from pellucid.errors import DataError

FREE = 24 << 20
TIMES = 20


def most_unpacked(stored: int, free: int = FREE) -> int:
    """Return how many bytes `stored` bytes may unpack to.

    >>> most_unpacked(1_000_000)
    45165824
    """
    return free + TIMES * stored


def check_unpacked(
    path: str | Path, stored: int, unpacked: int, remedy: str, free: int = FREE
) -> None:
    """Raise an error if `stored` bytes would become more than a data set's do.

    Parameters
    ----------
    path
        What to call the file.
    stored, unpacked
        Bytes in the file, and bytes in memory.
    remedy
        What to do where the file is right all the same, such as ``unpack it first``.
    free
        How many bytes are always allowed.
    """
    if unpacked > most_unpacked(stored, free):
        raise DataError(
            f"{path}: {stored:,} bytes would take {unpacked / 2**20:,.0f} MiB of memory, far more "
            f"than a data set's do; if the file is right, {remedy}"
        )
