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
        self._blocks: dict[int, list[Array]] = {}

    def empty(self, shape: Shape, dtype: DType) -> Array:
        """Return an array of `shape` with whatever was in it."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        blocks = self._blocks.setdefault(size, [])
        for block in blocks:
            if sys.getrefcount(block) == _FREE:
                break
        else:
            block = np.empty(size + _LINE, np.uint8)
            blocks.append(block)
        return _aligned(block, size).view(dtype).reshape(shape)

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
        return _aligned(np.empty(size + _LINE, np.uint8), size).view(dtype).reshape(shape)
    return workspace.empty(shape, dtype)


def _aligned(block: Array, size: int) -> Array:
    """Return `size` bytes of `block` from where a cache line begins: a vector is read in one go."""
    start = -block.ctypes.data % _LINE
    return block[start : start + size]


_current: ContextVar[Workspace | None] = ContextVar("workspace", default=None)


def _references_of_a_free_block() -> int:
    """Return what `getrefcount` says in `Workspace.empty` of a block that only the list holds."""
    blocks = [np.empty(1, np.uint8)]
    for block in blocks:
        return sys.getrefcount(block)
    raise AssertionError


_FREE = _references_of_a_free_block()
