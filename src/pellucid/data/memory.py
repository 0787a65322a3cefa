"""Limits on a data set's memory, and the cache of decoded images."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from pellucid.data.raw import RawImages
from pellucid.errors import DataError
from pellucid.runtime.cache_folder import cache_folder
from pellucid.stored import StoredImages, blocks_of

Memory = int | str | None

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?|)b?", re.IGNORECASE)
_SHARE_READ_AHEAD = 16
_LARGEST_READ_AHEAD = 256 << 20


def memory_bytes(memory: Memory) -> int | None:
    """Convert a size such as ``"2GB"``, ``"500MB"`` or a number to bytes; None means no limit.

    >>> memory_bytes("1.5GB"), memory_bytes("64MiB"), memory_bytes(None)
    (1500000000, 67108864, None)
    """
    if memory is None:
        return None
    found = _SIZE.fullmatch(str(memory).strip())
    if not found or not float(found[1]):
        raise DataError(f"memory is a size such as '2GB' or '500MB', not '{memory}'")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def fits(needed: int, memory: Memory) -> bool:
    """Return whether images of `needed` bytes fit into half of the memory limit."""
    limit = memory_bytes(memory)
    return limit is None or needed <= limit // 2


def read_ahead_bytes(memory: Memory) -> int:
    """Return how many bytes of images may be read ahead."""
    limit = memory_bytes(memory)
    return (
        _LARGEST_READ_AHEAD
        if limit is None
        else min(limit // _SHARE_READ_AHEAD, _LARGEST_READ_AHEAD)
    )


def decoded_once(images: StoredImages, ahead: int) -> RawImages:
    """Return the same images, decoded once into a file in the cache folder.

    The file is named by the hash of the stored images, so changed images are decoded again.
    """
    path = cached_file(
        images.digest(), (np.ascontiguousarray(block).tobytes() for block in blocks_of(images))
    )
    return RawImages(path, 0, images.shape, images.dtype, ahead=ahead)


def cached_file(key: str, blocks: Iterable[bytes]) -> Path:
    """Return the file for `key` in the cache folder; write it from `blocks` if it is missing.

    It is written under a temporary name and renamed when it is complete.
    """
    name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
    path = cache_folder() / "decoded" / f"{name}.raw"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            for block in blocks:
                file.write(block)
        partial.replace(path)
    except OSError as error:
        raise DataError(f"cannot keep decoded images in {path.parent}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return path
