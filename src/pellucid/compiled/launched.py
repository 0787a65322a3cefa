"""Kernels that all threads share, one at a time or a list of calls without Python between them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types

from pellucid.compiled.kept import Kernel, KernelCache, kept
from pellucid.compiled.parallel import HEAD, NOTE, launch_noted

Job = tuple[Kernel, tuple[Any, ...]]
"""A kernel and the types of its arguments."""


class Launched:
    """A kernel that all threads share, which is called, or noted to be called later.

    Parameters
    ----------
    dispatcher
        Numba's function, which is first given where to note the call, or 0 to make it.
    """

    def __init__(self, dispatcher: Any) -> None:
        self.dispatcher = dispatcher
        self.__name__, self.__module__ = dispatcher.__name__, dispatcher.__module__

    def __call__(self, *args: Any) -> None:
        self.dispatcher(0, *args)

    @staticmethod
    def joined(calls: "Sequence[tuple[Launched, tuple[Any, ...]]]") -> tuple[Any, tuple[Any, ...]]:
        """Return one call that makes all these; whoever makes it keeps their arrays."""
        notes = np.zeros((len(calls), NOTE // 8), np.int64)
        for note, (kernel, args) in zip(notes, calls, strict=True):
            kernel.dispatcher(note.ctypes.data, *args)
        used = max(note[2] for note in notes) + HEAD
        return _launch_all, (notes[:, : used // 8].copy(),)


def job_of(function: Any, args: tuple[Any, ...]) -> Job | None:
    """Return the kernel that a call needs, or None if it calls no kernel."""
    if isinstance(function, Launched):
        function, args = function.dispatcher, (0, *args)
    cache = getattr(function, "_cache", None)
    if not isinstance(cache, KernelCache):
        return None
    return cache.kernel, tuple(map(function.typeof_pyval, args))


def _launch_noted(notes):
    """Launch what was noted: (calls, words of each)."""
    launch_noted(notes.ctypes.data, notes.strides[0], len(notes))


_launch_all = kept(_launch_noted, _launch_noted, shared=True)
LAUNCH_ALL: Job = _launch_all._cache.kernel, (types.Array(types.int64, 2, "C"),)
"""What every list of calls needs."""
