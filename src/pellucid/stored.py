"""Images that stay on disk until they are used, and reading them ahead in threads."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from pellucid.types import Array, Shape

_MOST_THREADS = 8
_DEFAULT_AHEAD = 64 << 20
_BLOCK = 64 << 20

Part = Array | slice
"""The images of a batch: their indices, or a slice."""


class StoredImages(ABC):
    """Images (N, C, H, W) on disk, used like an array.

    Indexing reads images: ``images[3]``, ``images[10:20]`` and ``images[[5, 2]]`` are arrays equal
    to those from indexing an array of all images. `np.asarray` reads all of them.

    Parameters
    ----------
    shape
        Shape (N, C, H, W).
    dtype
        Type of a pixel. Default: uint8.
    ahead
        Number of bytes that `read_ahead` may read before they are used.
    """

    def __init__(self, shape: Shape, dtype: Any = np.uint8, ahead: int = _DEFAULT_AHEAD) -> None:
        self.shape = tuple(map(int, shape))
        self.dtype = np.dtype(dtype)
        self.ahead = ahead

    @abstractmethod
    def read(self, numbers: Array) -> Array:
        """Return the images with these indices, in this order; called from several threads."""

    @abstractmethod
    def digest(self) -> str:
        """Return a hash of the stored data, by which a run recognises its data."""

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * int(self.dtype.itemsize)

    def __getitem__(self, key: Any) -> Array:
        if isinstance(key, tuple):
            return np.asarray(self[key[0]][key[1:] if _is_one(key[0]) else (slice(None), *key[1:])])
        if _is_one(key):
            return np.asarray(self.read(np.arange(len(self))[[key]])[0])
        return self.read(np.arange(len(self))[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self[:] if dtype is None else self[:].astype(dtype)

    def select(self, numbers: Array) -> StoredImages:
        """Return the images with these indices, without reading them."""
        return _Selected(self, numbers)

    def read_ahead(
        self, parts: Iterable[Part], then: Callable[[int, Array], Any] | None = None
    ) -> Iterator[Any]:
        """Yield ``self[part]`` for each part in order, read ahead by threads.

        One part is read while another is used. Each time the caller has to wait for a part, one
        more is read at the same time. More threads than needed would only slow the caller down.

        Parameters
        ----------
        parts
            Images to read at a time. The iterable is consumed as threads become free.
        then
            Function of the part's number and its images that threads apply; its result is yielded
            instead of the images.
        """
        threads = min(_MOST_THREADS, os.cpu_count() or 1)
        parallel = 1  # parts read at the same time
        one = self.nbytes // max(1, len(self))
        with ThreadPoolExecutor(threads, "pellucid-read") as pool:
            waiting: deque[tuple[Future[Any], int]] = deque()
            held = 0
            try:
                for number, part in enumerate(parts):
                    count = one * _count(part, len(self))
                    while waiting and (held + count > self.ahead or len(waiting) > parallel):
                        future, bytes_ = waiting.popleft()
                        held -= bytes_
                        if number > parallel + 1 and not future.done():  # not the very first
                            parallel = min(parallel + 1, 2 * threads)
                        yield future.result()
                    waiting.append((pool.submit(self._read_part, number, part, then), count))
                    held += count
                while waiting:
                    yield waiting.popleft()[0].result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _read_part(self, number: int, part: Part, then: Callable[[int, Array], Any] | None) -> Any:
        images = self[part]
        return images if then is None else then(number, images)


class _Selected(StoredImages):
    """Some of the images, in another order."""

    def __init__(self, images: StoredImages, numbers: Array) -> None:
        super().__init__((len(numbers), *images.shape[1:]), images.dtype, images.ahead)
        self._whole, self._numbers = images, numbers

    def read(self, numbers: Array) -> Array:
        return self._whole.read(self._numbers[numbers])

    def digest(self) -> str:
        return f"{self._whole.digest()}[{hash_of([self._numbers.tobytes()])}]"

    def select(self, numbers: Array) -> StoredImages:
        return _Selected(self._whole, self._numbers[numbers])


def parts_of(images: Any, parts: Iterable[Part]) -> Iterator[Array]:
    """Yield ``images[part]`` for each part; stored images are read ahead by threads."""
    if isinstance(images, StoredImages):
        return images.read_ahead(parts)
    return (images[part] for part in parts)


def blocks_of(images: Any, most: int = 1024) -> Iterator[Array]:
    """Yield all images in order, in blocks of at most `most` images and about 64 MB."""
    one = max(1, images.size // max(1, len(images)) * 8)  # in float64
    rows = max(1, min(most, _BLOCK // one))
    return parts_of(images, (slice(i, i + rows) for i in range(0, len(images), rows)))


def hash_of(blocks: Iterable[Any]) -> str:
    """Return the BLAKE2b hash of blocks of bytes, as text."""
    import hashlib

    digest = hashlib.blake2b(digest_size=16)
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _is_one(key: Any) -> bool:
    return isinstance(key, int | np.integer)


def _count(part: Part, length: int) -> int:
    return len(range(*part.indices(length))) if isinstance(part, slice) else len(part)
