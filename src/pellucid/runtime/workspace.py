"""Memory that is used again.

A training step makes the same large arrays every time, and fresh memory is slow: the system hands
it out page by page, each zeroed on first touch. A workspace keeps the arrays of the last step and
hands them out again. Nothing is given back by hand: an array is free when nothing refers to it any
more, and Python counts references anyway.
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

_SMALL = 1 << 14  # bytes under which NumPy's own memory is as fast
_LINE = 64  # bytes of a cache line


class Place(NamedTuple):
    """Where in a workspace an array lies, and how."""

    size: int
    number: int
    """It is in this block of all that have this size."""
    offset: int
    shape: Shape
    dtype: DType
    strides: tuple[int, ...]


class Workspace:
    """Arrays that are handed out again once nothing refers to them.

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
        """Return memory that only this workspace refers to, and where in it a cache line begins."""
        blocks = self._blocks[size]
        for block, start in blocks:
            if sys.getrefcount(block) <= _FREE:
                return block, start
        blocks.append(_block(size))
        self._where[id(blocks[-1][0])] = size, len(blocks) - 1
        return blocks[-1]

    def place(self, item: Any) -> Any:
        """Return where an array of this workspace lies, not a reference to it; else the item."""
        owner = item
        while isinstance(owner, np.ndarray) and isinstance(owner.base, np.ndarray):
            owner = owner.base
        if (where := self._where.get(id(owner))) is None:
            return item
        offset = item.ctypes.data - owner.ctypes.data
        return Place(*where, offset, item.shape, item.dtype, item.strides)

    def at(self, item: Any) -> Any:
        """Return the array at a place that `place` returned; else the item."""
        if not isinstance(item, Place):
            return item
        block, _ = self._blocks[item.size][item.number]
        return np.ndarray(item.shape, item.dtype, block, item.offset, item.strides)

    @property
    def nbytes(self) -> int:
        """How much memory it holds."""
        return sum(size * len(blocks) for size, blocks in self._blocks.items())

    @contextmanager
    def used(self) -> Iterator[None]:
        """Take the arrays that `empty` makes inside the ``with`` block from this workspace."""
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
    """Return memory with room for `size` bytes, and where in it a cache line begins.

    What begins there, a vector register reads in one go.
    """
    block = np.empty(size + _LINE, np.uint8)
    return block, -block.ctypes.data % _LINE


_current: ContextVar[Workspace | None] = ContextVar("workspace", default=None)


# What `getrefcount` says of such a block: the list's tuple, the loop's name, and its own argument.
_FREE = 3
