"""How a function becomes a kernel: for all threads or one, on its own or as a part of others."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numba
import numpy as np
from numba.core.compiler import Compiler

from pellucid.compiled.kept import has_threads, kept
from pellucid.compiled.launched import Launched
from pellucid.compiled.libraries import AS_PART, AS_PART_APART
from pellucid.compiled.parallel import WORK_OF_ONE, launch
from pellucid.runtime.recording import recorded
from pellucid.runtime.workspace import empty
from pellucid.types import Array

Function = Callable[..., Any]


def jit(function: Function) -> Any:
    """Compile `function`, which runs on all threads; it is given first which share is `mine`.

    See `parallel.share_of`. Whoever calls it leaves that argument out.
    """
    return _launched(function, f"{WORK_OF_ONE + 1}")


def jit_regions(function: Function) -> Any:
    """Compile `function`, which shares out several loops one after the other, by ``numba.prange``.

    That takes longer to compile; but all threads are done with one loop before the next begins.
    """
    options = {"parallel": has_threads(), "pipeline_class": Compiler}
    return recorded(kept(function, function, shared=True, **options))


def jit_sized(function: Function) -> Any:
    """Compile `function` as `jit` does; whoever calls it gives the amount of work in its place.

    Little work is done by the thread that calls.
    """
    return _launched(function, "work")


def jit_sized_update(function: Function) -> Any:
    """Compile `function` as `jit_sized` does; for little work, a sum and a product are one step.

    It is rounded once then, not twice.
    """
    return _launched(function, "work", numba.njit(function, **AS_PART, fastmath=_FAST))


def jit_inline(function: Function) -> Any:
    """Compile `function` as a part of the kernels that call it."""
    return numba.njit(function, **AS_PART)


def jit_apart(function: Function) -> Any:
    """Compile `function` as `jit_inline` does, but leave it a function that is called."""
    return numba.njit(function, **AS_PART_APART)


def jit_serial(function: Function) -> Any:
    """Compile `function` for one thread; sums may be taken in another order, to use vectors."""
    return recorded(kept(function, function, shared=False, fastmath=_FAST))


def jit_exact(function: Function) -> Any:
    """Compile `function` for one thread; sums are taken in the order in which they stand."""
    return recorded(kept(function, function, shared=False))


_FAST = {"reassoc", "contract"}


def _launched(function: Function, work: str, few: Any = None) -> Any:
    """Return a function with the parameters of `function` but the first, which launches it.

    `few` is what runs for little work, if that is another.
    """
    if "prange" in function.__code__.co_names:
        raise TypeError(f"{function.__qualname__}: loop over share_of(mine, …), not over prange(…)")
    names = list(signature(function).parameters)[1:]
    given = ["note", work, *names] if work.isidentifier() else ["note", *names]
    shared = f"({', '.join(names)},)"
    code = f"def launched({', '.join(given)}): launch(kernel, few, note, {work}, {shared})"
    kernel = jit_inline(function)
    known = {"launch": launch, "kernel": kernel, "few": few or kernel}
    exec(code, known)  # as Numba passes on *args only by way of a tuple, which takes time
    return recorded(Launched(kept(function, known["launched"], shared=True)))


_config: Any = numba.config  # a module that fills itself in as it is imported


def room_for_threads(size: int) -> Array:
    """Return room for so many numbers for each thread that a kernel may run on: (threads, size)."""
    return empty((_config.NUMBA_NUM_THREADS, size), np.float32)
