"""Refuse compressed files that would fill the memory, before any memory is allocated.

A few kilobytes can unpack to gigabytes. Real data sets do not: images are rarely compressed by more
than a factor of 20. Unpacked data may therefore take `FREE` bytes plus `TIMES` the stored size.
"""

from __future__ import annotations

from pathlib import Path

from pellucid.errors import DataError

FREE = 24 << 20
TIMES = 20


def most_unpacked(stored: int, free: int = FREE) -> int:
    """Return the largest size in bytes to which `stored` bytes may unpack.

    >>> most_unpacked(1_000_000)
    45165824
    """
    return free + TIMES * stored


def check_unpacked(
    path: str | Path, stored: int, unpacked: int, remedy: str, free: int = FREE
) -> None:
    """Raise an error if `stored` bytes unpack to more than is plausible for a data set.

    Parameters
    ----------
    path
        The file, named in the message.
    stored, unpacked
        Size in the file and in memory, in bytes.
    remedy
        Advice in case the file is valid nevertheless, such as ``unpack it first``.
    free
        Number of bytes that are always allowed.
    """
    if unpacked > most_unpacked(stored, free):
        raise DataError(
            f"{path}: {stored:,} bytes would take {unpacked / 2**20:,.0f} MiB of memory, far more "
            f"than a data set's do; if the file is right, {remedy}"
        )
