"""Reuse the memory of arrays.

A training step makes the same large arrays every time, and fresh memory is slow: the system maps it
page by page and zeroes each page. A workspace keeps the memory of the last step and hands it out
again. Nothing has to be released: memory is free again when nothing refers to an array in it.
"""

import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from pellucid.types import Array, DType, Shape

_SMALL = 1 << 14  # bytes below which NumPy's own allocation is as fast
_LINE = 64  # bytes of a cache line, at whose start vector registers load fastest
_GAP = 17 * _LINE  # between arrays: those of 2ⁿ bytes would share few lines of the caches
_MUCH_LARGER = 4  # times the size of an array: such a part is not used for it
_CACHES = 1 << 26  # bytes
_SLAB = 1 << 27


class Place(NamedTuple):
    """The position and layout of an array in a workspace's memory."""

    slab: int
    offset: int
    shape: Shape
    dtype: DType
    strides: tuple[int, ...]


class Memory(np.ndarray[Any, np.dtype[np.uint8]]):
    """Bytes of a slab. Because of the type, arrays in a part refer to that part, not to the slab.

    NumPy lets a view refer to the array that owns the memory, unless that has another type.
    """


class Part(NamedTuple):
    """Bytes of a slab, from `start` to before `end`."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


class Slab:
    """Memory of which parts are in use and parts are free.

    Threads divide arrays in their order in memory: the first half of each is read and written by
    one half of the threads. Memory that another core has just used is slow to write, up to thirty
    times if the two have no cache in common. So an array is put into the middle of a free part
    that is not much larger, where its halves meet the threads that used this memory before. If
    there is none, the slab grows. In a slab larger than the caches, where memory has left them
    before it is used again, neighbouring free parts are joined first.

    Parameters
    ----------
    size
        Number of bytes, a multiple of a cache line. The system provides only those that are used.
    """

    def __init__(self, size: int) -> None:
        self.memory = np.empty(size + _LINE, np.uint8).view(Memory)
        self.address = self.memory.ctypes.data
        self._start = self._used_end = -self.address % _LINE
        self._end = self._start + size
        self._free: list[Part] = []
        self._used: dict[int, tuple[Part, ref[Array]]] = {}
        self._freed: deque[int] = deque()

    @property
    def nbytes(self) -> int:
        """Number of bytes that were ever in use."""
        return self._used_end - self._start

    def take(self, size: int) -> Array | None:
        """Return `size` free bytes, used until nothing refers to them; None if there are none."""
        while self._freed:
            self._free.append(self._used.pop(self._freed.popleft())[0])
        part = self._similar(size)
        if part is None and self.nbytes < _CACHES:
            part = self._new(size)
        part = part or self._joined(size) or self._new(size)
        if part is None:
            return None
        start = part.start + (part.size - size) // 2 // _LINE * _LINE
        taken = self.memory[start : start + size]
        self._used[start] = part, ref(taken, partial(_note, self._freed, start))
        return taken

    def _similar(self, size: int) -> Part | None:
        """Return the smallest free part that is large enough but not too large, the last freed."""
        found = [part for part in self._free if size <= part.size <= _MUCH_LARGER * size]
        part = min(reversed(found), key=lambda part: part.size, default=None)
        if part is not None:
            self._free.remove(part)
        return part

    def _joined(self, size: int) -> Part | None:
        """Return the beginning of the smallest sequence of free parts that is large enough."""
        found = [run for run in _neighbours(self._free) if run[-1].end - run[0].start >= size]
        if not found:
            return None
        run = min(found, key=lambda run: run[-1].end - run[0].start)
        self._free = [part for part in self._free if part not in run]
        taken = Part(run[0].start, run[0].start + size)
        if taken.end < run[-1].end:
            self._free.append(Part(taken.end, run[-1].end))
        return taken

    def _new(self, size: int) -> Part | None:
        """Return memory that was never used."""
        if self._used_end + size > self._end:
            return None
        self._used_end += size
        return Part(self._used_end - size, self._used_end)


def _neighbours(parts: list[Part]) -> list[list[Part]]:
    """Return the sequences of parts that follow each other without a gap."""
    found: list[list[Part]] = []
    for part in sorted(parts):
        if found and found[-1][-1].end == part.start:
            found[-1].append(part)
        else:
            found.append([part])
    return found


def _note(freed: deque[int], start: int, _: object) -> None:
    """Note that a part is free again; no more, as the garbage collector may call it at any time."""
    freed.append(start)


class Workspace:
    """Memory that is used again once nothing refers to the arrays in it.

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
        self._slabs: list[Slab] = []

    def take(self, size: int) -> Array:
        """Return `size` bytes at the start of a cache line."""
        size = -(-size // _LINE) * _LINE + _GAP
        for slab in self._slabs:
            if (part := slab.take(size)) is not None:
                return part
        slab = Slab(max(size, _SLAB))
        self._slabs.append(slab)
        part = slab.take(size)
        assert part is not None
        return part

    def place(self, item: Any) -> Any:
        """Return the place of an array in this workspace instead of a reference; else the item."""
        if isinstance(item, np.ndarray):
            address = item.ctypes.data
            for number, slab in enumerate(self._slabs):
                offset = address - slab.address
                if 0 <= offset < slab.memory.size:
                    return Place(number, offset, item.shape, item.dtype, item.strides)
        return item

    def at(self, item: Any) -> Any:
        """Return the array at a place returned by `place`; else the item."""
        if not isinstance(item, Place):
            return item
        memory = self._slabs[item.slab].memory
        return np.ndarray(item.shape, item.dtype, memory, item.offset, item.strides)

    def hand_over(self) -> "Workspace":
        """Return a workspace with all memory of this one, which begins with new memory."""
        other = Workspace()
        self._slabs, other._slabs = [], self._slabs
        return other

    @property
    def nbytes(self) -> int:
        """Number of bytes that were ever in use."""
        return sum(slab.nbytes for slab in self._slabs)

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
    if workspace is not None:
        return np.ndarray(shape, dtype, workspace.take(size))
    memory = np.empty(size + _LINE, np.uint8)
    return np.ndarray(shape, dtype, memory, -memory.ctypes.data % _LINE)


def owner(array: Array) -> Array:
    """Return the array that owns the memory of `array`, or the part of a workspace that it is in.

    >>> whole = np.zeros((4, 4))
    >>> owner(whole[1:].T) is whole
    True
    """
    while isinstance(array.base, np.ndarray) and not isinstance(array, Memory):
        array = array.base
    return array


_current: ContextVar[Workspace | None] = ContextVar("workspace", default=None)
