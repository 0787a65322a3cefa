"""Compile once, keep it on disk, and never let the disk be a reason to fail.

Numba keeps compiled functions on disk, but notices a change only in the file that holds the
function, and raises where the disk is full, unwritable or damaged. Here the folder is named after
everything that the machine code depends on in this package, and every trouble with it is a miss.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

from pellucid.runtime import threads
from pellucid.runtime.cache_folder import cache_folder

if "numba" not in sys.modules:  # it reads this when it is imported, and not again
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads.granted()))
    # A thread that waits for another soon goes to sleep. By default it would turn round for
    # milliseconds first, on a processor that the other may need: on a busy machine that is many
    # times slower.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import numba
import numpy as np
from numba.core import caching

from pellucid.runtime.recording import recorded
from pellucid.runtime.workspace import empty
from pellucid.types import Array

Kernel = Callable[..., Any]


def jit(function: Kernel) -> Any:
    """Compile `function` when it is first called; ``numba.prange`` loops run on all threads."""
    return recorded(_with_cache(numba.njit(function, parallel=True, error_model="numpy")))


def jit_inline(function: Kernel) -> Any:
    """Compile `function` as a part of the kernels that call it."""
    return numba.njit(function, error_model="numpy", inline="never")


def jit_serial(function: Kernel) -> Any:
    """Compile `function` for one thread; sums may be taken in another order, to use vectors."""
    fast = {"reassoc", "contract"}
    return recorded(_with_cache(numba.njit(function, error_model="numpy", fastmath=fast)))


def jit_sized(function: Kernel) -> Kernel:
    """Compile `function` for one thread and for all; its first argument is the amount of work.

    To wake another thread and to wait for it takes as long as some ten thousand steps of a loop.
    """
    alone, shared = jit_serial(function), jit(function)

    @wraps(function)
    def sized(work: int, *args: Any) -> None:
        (alone if work <= _WORK_OF_ONE else shared)(work, *args)

    return sized


_WORK_OF_ONE = 1 << 15
_config: Any = numba.config  # a module that fills itself in as it is imported


def room_for_threads(size: int) -> Array:
    """Return room for so many numbers for each thread that a kernel may run on: (threads, size)."""
    return empty((_config.NUMBA_NUM_THREADS, size), np.float32)


@cache
def kernel_folder() -> Path | None:
    """Return the folder for this version of the kernels, or None if it would not be safe to use.

    It holds pickles, so it must be the user's own and nobody else may write to it.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    folder = cache_folder() / "kernels" / digest.hexdigest()[:16]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return None
    if hasattr(os, "getuid"):
        shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if found.st_uid != os.getuid() or shared:
            return None
    return folder


def _with_cache(dispatcher: Any) -> Any:
    if kernel_folder() is not None:
        # one function may be compiled both ways, and what is on disk does not say which it is
        shared = dispatcher.targetoptions.get("parallel")
        dispatcher._cache = (_SharedCache if shared else _KernelCache)(dispatcher.py_func)
    return dispatcher


class _Locator(caching._CacheLocator):
    def __init__(self, function: Kernel) -> None:
        self._function = function

    def get_cache_path(self) -> str:
        return str(kernel_folder())

    def get_source_stamp(self) -> str:
        return ""  # the folder's name says it

    def get_disambiguator(self) -> str:
        return str(self._function.__code__.co_firstlineno)

    @classmethod
    def from_function(cls, function: Kernel, _file: str) -> "_Locator":
        return cls(function)


class _Files(caching.CompileResultCacheImpl):
    kind = "alone"

    def __init__(self, function: Kernel) -> None:
        self._locator = _Locator(function)
        module = function.__module__.rpartition(".")[2]
        self._filename_base = self.get_filename_base(
            f"{module}.{function.__qualname__}-{self.kind}", getattr(sys, "abiflags", "")
        )


class _SharedFiles(_Files):
    kind = "shared"


class _KernelCache(caching.FunctionCache):
    _impl_class = _Files

    def load_overload(self, signature: Any, target: Any) -> Any:
        try:
            found = super().load_overload(signature, target)
        except Exception:  # damaged, of another machine, unreadable: compile it anew
            found = None
        if found is None:
            _say_once()
        # a kernel may ask in which thread it runs, and nobody answers before the threads are there;
        # to compile it makes them, to read it from disk does not
        numba.get_num_threads()
        return found

    def save_overload(self, signature: Any, data: Any) -> None:
        try:
            super().save_overload(signature, data)
        except Exception:  # a full or read-only disk: it stays in memory
            self.disable()


class _SharedCache(_KernelCache):
    _impl_class = _SharedFiles


@cache
def _say_once() -> None:
    print(
        "pellucid: compiling for this machine; this happens once and takes up to a minute",
        file=sys.stderr,
    )
