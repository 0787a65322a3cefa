"""Memory that is used again.

A training step makes the same large arrays every time, and fresh memory is slow: the system hands
it out page by page, each zeroed on first touch. A workspace keeps the arrays of the last step and
hands them out again. Nobody gives anything back by hand: an array is free when nobody refers to it
any more, and Python counts references anyway.
"""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from pellucid.types import Array, DType, Shape

_SMALL = 1 << 14  # bytes under which NumPy's own memory is as fast
_LINE = 64  # bytes of a cache line


class Workspace:
    """Arrays that are handed out again once nobody refers to them.

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
        self._blocks: dict[int, list[tuple[Array, int]]] = {}

    def empty(self, shape: Shape, dtype: DType) -> Array:
        """Return an array of `shape` with whatever was in it."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        blocks = self._blocks.setdefault(size, [])
        place = _first_free(blocks)
        if place is None:
            place = _block(size)
            blocks.append(place)
        return np.ndarray(shape, dtype, *place)

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
    workspace = _current.get()
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < _SMALL:
        return np.empty(shape, dtype)
    if workspace is None:
        return np.ndarray(shape, dtype, *_block(size))
    return workspace.empty(shape, dtype)


def _block(size: int) -> tuple[Array, int]:
    """Return memory with room for `size` bytes, and where in it a cache line begins.

    What begins there, a vector register reads in one go.
    """
    block = np.empty(size + _LINE, np.uint8)
    return block, -block.ctypes.data % _LINE


_current: ContextVar[Workspace | None] = ContextVar("workspace", default=None)


def _first_free(blocks: list[tuple[Array, int]]) -> tuple[Array, int] | None:
    """Return the first block that only the list refers to."""
    for block, start in blocks:
        if sys.getrefcount(block) <= _FREE:
            return block, start
    return None


# What `getrefcount` says of such a block: the list's tuple, the loop's name, and its own argument.
_FREE = 3
