"""Compile once and keep it on disk.

Numba can keep compiled functions on disk by itself, but notices a change only in the file that
holds the function, loses entries where two processes write, and ends the process where a file is
damaged. `store` does none of that.
"""

import hashlib
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from importlib import import_module
from inspect import signature
from types import CodeType
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import caching, compiler, serialize
from numba.np.ufunc.parallel import threading_layer

from pellucid.compiled import prebuilt, store
from pellucid.compiled.levels import level_of
from pellucid.runtime import compiling
from pellucid.runtime.recording import recorded
from pellucid.runtime.workspace import empty
from pellucid.types import Array

Function = Callable[..., Any]


def jit(function: Function) -> Any:
    """Compile `function` when it is first called; ``numba.prange`` loops run on all threads."""
    return recorded(_with_cache(numba.njit(function, parallel=not _alone, error_model="numpy")))


def jit_inline(function: Function) -> Any:
    """Compile `function` as a part of the kernels that call it."""
    return numba.njit(function, error_model="numpy", inline="never")


def jit_serial(function: Function) -> Any:
    """Compile `function` for one thread; sums may be taken in another order, to use vectors."""
    fast = {"reassoc", "contract"}
    return recorded(_with_cache(numba.njit(function, error_model="numpy", fastmath=fast)))


def jit_sized(function: Function) -> Function:
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


class Kernel(NamedTuple):
    """Where a kernel comes from.

    Attributes
    ----------
    module, function
        Where it is defined; the function around it, if it is made for tiles of some size.
    constants
        The names and values of what that function was given, and worked out from it.
    shared
        Whether its loops run on all threads.
    """

    module: str
    function: str
    constants: tuple[tuple[str, Any], ...]
    shared: bool

    @classmethod
    def of(cls, dispatcher: Any) -> "Kernel":
        function = dispatcher.py_func
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        return cls(
            function.__module__,
            function.__qualname__.replace(".<locals>.kernel", ""),
            tuple((name, cell.cell_contents) for name, cell in cells),
            bool(dispatcher.targetoptions.get("parallel")),
        )

    def __str__(self) -> str:
        module = self.module.removeprefix("pellucid.compiled.")
        function = "" if self.function == "_kernel" else f".{self.function.removeprefix('_')}"
        sizes = "×".join(str(value) for name, value in self.constants if name in _SIZES)
        return f"{module}{function}{sizes and ' ' + sizes}{'' if self.shared else ', one thread'}"

    def dispatcher(self) -> Any:
        """Return what compiles it, made anew if need be."""
        found = getattr(import_module(self.module), self.function)
        if self not in _known:  # it is made for tiles of this size
            found(**{name: dict(self.constants)[name] for name in signature(found).parameters})
        return _known[self]


_SIZES = ("ROWS", "COLUMNS", "VECTORS")
_known: dict[Kernel, Any] = {}


def _with_cache(dispatcher: Any) -> Any:
    kernel = Kernel.of(dispatcher)
    dispatcher._cache = KernelCache(kernel, dispatcher)
    _known[kernel] = dispatcher
    return dispatcher


_alone = False
"""Whether this process was forked from one whose threads it does not have."""


def _go_on_alone() -> None:
    """Compute on one thread in a forked process, which has none of its parent's other threads.

    There OpenMP would end the process at the first kernel that shares a loop. So these kernels are
    loaded, or compiled, once more for one thread, which gives the same bits.
    """
    global _alone
    try:
        if threading_layer() != "omp":
            return
    except ValueError:  # the parent had not started any threads yet
        return
    _alone = True
    for kernel, dispatcher in _known.items():
        if dispatcher.targetoptions.get("parallel"):
            dispatcher.targetoptions["parallel"] = False
            dispatcher._make_finalizer()()
            dispatcher._reset_overloads()
            dispatcher._cache = KernelCache(kernel, dispatcher)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_go_on_alone)


def has_threads() -> bool:
    """Return whether kernels of this process may share their loops."""
    return not _alone


@cache
def _say_why_not_kept() -> None:
    """Say once why the next process has to compile again."""
    if (why := store.why_not()) is not None:
        print(f"pellucid: compiled kernels are not kept: {why}", file=sys.stderr, flush=True)


def _ordered(options: Any) -> list[tuple[str, Any]]:
    """Return options in an order that is the same in each process; that of a set is not."""
    return sorted((k, sorted(v) if isinstance(v, set) else v) for k, v in options)


def _own_code(dispatcher: Any) -> tuple[Any, ...]:
    code = dispatcher.py_func.__code__
    return code.co_code, [value for value in code.co_consts if not isinstance(value, CodeType)]


class KernelCache(caching._Cache):
    """What a kernel asks before it is compiled, and tells afterwards."""

    cache_path = None

    def __init__(self, kernel: Kernel, dispatcher: Any) -> None:
        self.kernel = kernel
        self._context = dispatcher.targetctx
        self._code = store.code_digest(kernel.module), _own_code(dispatcher)
        self._options = _ordered(dispatcher.targetoptions.items())

    def is_kept(self, types: Any) -> bool:
        """Return whether it need not be compiled for arguments of these types."""
        return any(there.has(self._file(types, machine)) for there, machine in self._places())

    def load_overload(self, signature: Any, context: Any) -> Any:
        context.refresh()
        # A kernel's code refers to Numba's threads. Compiling starts them; loading does not.
        numba.get_num_threads()
        for there, machine in self._places():
            if (content := there.read(self._file(signature, machine))) is not None:
                with suppress(Exception):  # whatever it is: it is compiled anew
                    return compiler.CompileResult._rebuild(context, *pickle.loads(content))
        compiling.began(str(self.kernel))
        return None

    def save_overload(self, signature: Any, result: Any) -> None:
        name = self._file(signature, self._machine())
        if not store.write(name, serialize.dumps(result._reduce())):
            _say_why_not_kept()
        compiling.ended()

    def enable(self) -> None:
        """Do nothing: it always is."""

    def disable(self) -> None:
        """Do nothing: what cannot be kept stays in memory."""

    def flush(self) -> None:
        """Do nothing: files are written at once."""

    def _machine(self) -> tuple[str, str, str]:
        """Return what is compiled for here: triple, name and features of the processor."""
        machine: tuple[str, str, str] = self._context.codegen().magic_tuple()
        return machine

    def _places(self) -> list[tuple[Any, tuple[str, str, str]]]:
        """Return where a kernel may be, and the machine that it would have been compiled for."""
        machine = self._machine()
        level = level_of(machine[0].partition("-")[0])
        others = [(prebuilt, (machine[0], level.name, level.features))] if level else []
        return [(store, machine), *others]

    def _file(self, signature: Any, machine: tuple[str, str, str]) -> str:
        """Return the name of the file for a kind of arguments: a hash of all that matters."""
        key = tuple(self.kernel), self._options, self._code, str(signature), machine, _settings()
        return f"{hashlib.blake2b(repr(key).encode(), digest_size=16).hexdigest()}.kernel"


def _settings() -> tuple[Any, ...]:
    """Return those of Numba's settings that change what it makes."""
    names = "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX", "BOUNDSCHECK"
    return tuple(getattr(_config, name, None) for name in names)
