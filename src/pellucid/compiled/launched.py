"""Kernels that all threads share, one at a time or a list of calls without Python between them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types

from pellucid.compiled.kept import Kernel, KernelCache, kept
from pellucid.compiled.parallel import HEAD, NOTE
from pellucid.compiled.team import AWAITED, launch_noted

Call = tuple[Any, tuple[Any, ...]]
Job = tuple[Kernel, tuple[Any, ...]]
"""A kernel and the types of its arguments."""

_ANY = 1 << 30  # threads


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
    def joined(calls: "Sequence[tuple[Launched, tuple[Any, ...]]]") -> tuple[Call, Call]:
        """Return one call that makes all these, by all threads, and one that does so by this.

        Whoever makes it keeps their arrays.
        """
        _launch_all.compile(LAUNCH_ALL[1])
        notes = np.zeros((len(calls), NOTE // 8), np.int64)
        for note, (kernel, args) in zip(notes, calls, strict=True):
            kernel.dispatcher(note.ctypes.data, *args)
        is_little = notes[:, 1] == 1
        notes[:-1, 1] += AWAITED * ~(is_little[:-1] & is_little[1:])
        used = notes[:, 2].max() + HEAD
        notes = notes[:, : used // 8].copy()
        launch = _launch_all.overloads[LAUNCH_ALL[1]].entry_point
        all_threads, one = (0, 0) if is_little.all() else (_ANY, 1)
        return (launch, (notes, all_threads)), (launch, (notes, one))


def job_of(function: Any, args: tuple[Any, ...]) -> Job | None:
    """Return the kernel that a call needs, or None if it calls no kernel."""
    if isinstance(function, Launched):
        function, args = function.dispatcher, (0, *args)
    cache = getattr(function, "_cache", None)
    if not isinstance(cache, KernelCache):
        return None
    return cache.kernel, tuple(map(function.typeof_pyval, args))


def _launch_noted(notes, most):
    """Make the calls that were noted, (calls, words of each), by at most so many threads."""
    launch_noted(notes.ctypes.data, notes.strides[0], len(notes), most)


_launch_all = kept(_launch_noted, _launch_noted, shared=True)
LAUNCH_ALL: Job = _launch_all._cache.kernel, (types.Array(types.int64, 2, "C"), types.int64)
"""What every list of calls needs."""
