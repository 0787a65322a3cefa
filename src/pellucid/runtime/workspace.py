"""Reuse the memory of arrays.

A training step makes the same large arrays every time, and fresh memory is slow: the system maps it
page by page and zeroes each page. A workspace keeps the arrays of the last step and hands them out
again. Nothing has to be released: an array is free when nothing refers to it, as Python's reference
counts show.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from pellucid.types import Array, DType, Shape

_SMALL = 1 << 14  # bytes below which NumPy's own allocation is as fast
_LINE = 64  # bytes of a cache line


class Place(NamedTuple):
    """The position and layout of an array in a workspace."""

    size: int
    number: int
    """Index of the block among those of this size."""
    offset: int
    shape: Shape
    dtype: DType
    strides: tuple[int, ...]


class Workspace:
    """Arrays that are reused once nothing refers to them.

    Examples
    --------
    >>> workspace = Workspace()
    >>> with workspace.used():
    ...     first = empty((64, 1024), np.float32)
    ...     address = first.ctypes.data
    ...     del first
    ...     empty((128, 512), np.float32).ctypes.data == address
    True
    """

    def __init__(self) -> None:
        self._blocks: defaultdict[int, list[tuple[Array, int]]] = defaultdict(list)
        self._where: dict[int, tuple[int, int]] = {}

    def block(self, size: int) -> tuple[Array, int]:
        """Return memory that only this workspace refers to, and its first cache-line boundary."""
        blocks = self._blocks[size]
        for block, start in blocks:
            if sys.getrefcount(block) <= _FREE:
                return block, start
        blocks.append(_block(size))
        self._where[id(blocks[-1][0])] = size, len(blocks) - 1
        return blocks[-1]

    def place(self, item: Any) -> Any:
        """Return the place of an array of this workspace instead of a reference; else the item."""
        owner = item
        while isinstance(owner, np.ndarray) and isinstance(owner.base, np.ndarray):
            owner = owner.base
        if (where := self._where.get(id(owner))) is None:
            return item
        offset = item.ctypes.data - owner.ctypes.data
        return Place(*where, offset, item.shape, item.dtype, item.strides)

    def at(self, item: Any) -> Any:
        """Return the array at a place returned by `place`; else the item."""
        if not isinstance(item, Place):
            return item
        block, _ = self._blocks[item.size][item.number]
        return np.ndarray(item.shape, item.dtype, block, item.offset, item.strides)

    @property
    def nbytes(self) -> int:
        """Memory of the workspace in bytes."""
        return sum(size * len(blocks) for size, blocks in self._blocks.items())

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let `empty` take arrays from this workspace inside the ``with`` block."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


def empty(shape: Shape, dtype: DType) -> Array:
    """Return an uninitialised array, from the workspace in use if there is one."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < _SMALL:
        return np.empty(shape, dtype)
    workspace = _current.get()
    block, start = _block(size) if workspace is None else workspace.block(size)
    return np.ndarray(shape, dtype, block, start)


def _block(size: int) -> tuple[Array, int]:
    """Return memory for `size` bytes, and the offset of its first cache-line boundary.

    Vector registers load fastest from there.
    """
    block = np.empty(size + _LINE, np.uint8)
    return block, -block.ctypes.data % _LINE


_current: ContextVar[Workspace | None] = ContextVar("workspace", default=None)


# Result of `getrefcount` for a free block: the list's tuple, the loop variable, and the argument.
_FREE = 3
