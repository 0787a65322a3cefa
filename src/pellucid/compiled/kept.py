"""Compile a kernel once and keep it on disk.

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
from functools import cache
from importlib import import_module
from inspect import signature
from types import CodeType
from typing import Any, NamedTuple

import numba
from numba.core import caching, compiler, serialize
from numba.core.runtime.nrt import rtsys
from numba.np.ufunc.parallel import threading_layer

from pellucid.compiled import parallel, prebuilt, store
from pellucid.compiled.levels import level_of
from pellucid.compiled.libraries import AS_KERNEL
from pellucid.runtime import compiling

Function = Callable[..., Any]

_config: Any = numba.config  # a module that fills itself in as it is imported


class Kernel(NamedTuple):
    """Where a kernel comes from.

    Attributes
    ----------
    module, function
        Where it is defined; the function around it, if it is made for tiles of some size.
    constants
        The names and values of what that function was given, and worked out from it.
    shared
        Whether it runs on all threads where there is much work.
    """

    module: str
    function: str
    constants: tuple[tuple[str, Any], ...]
    shared: bool

    @classmethod
    def of(cls, function: Function, shared: bool) -> "Kernel":
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        return cls(
            function.__module__,
            function.__qualname__.replace(".<locals>.kernel", ""),
            tuple((name, cell.cell_contents) for name, cell in cells),
            shared,
        )

    def __str__(self) -> str:
        module = self.module.removeprefix("pellucid.compiled.")
        function = "" if self.function == "_kernel" else f".{self.function.removeprefix('_')}"
        sizes = "×".join(str(value) for name, value in self.constants if name in _SIZES)
        return f"{module}{function}{sizes and ' ' + sizes}{'' if self.shared else ', one thread'}"

    def dispatcher(self) -> Any:
        """Return what compiles it, made anew if need be."""
        found = getattr(import_module(self.module), self.function)
        if self not in known:  # it is made for tiles of this size
            found(**{name: dict(self.constants)[name] for name in signature(found).parameters})
        return known[self]


_SIZES = ("ROWS", "COLUMNS", "VECTORS")
known: dict[Kernel, Any] = {}


def kept(function: Function, entry: Any, shared: bool, **options: Any) -> Any:
    """Return what compiles `entry` to the kernel of `function`, unless it is on disk."""
    kernel = Kernel.of(function, shared)
    entry.__module__, entry.__name__ = function.__module__, function.__name__
    # other kernels in the same memory need other names, whichever process compiled them
    entry.__qualname__ = f"{function.__qualname__}_{_hash(kernel)}"
    dispatcher = numba.njit(entry, **(AS_KERNEL | options))
    dispatcher._cache = KernelCache(kernel, function, dispatcher)
    known[kernel] = dispatcher
    return dispatcher


def _hash(*parts: Any) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


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
    _alone = parallel.alone = True
    for kernel, dispatcher in known.items():
        if kernel.shared:
            if "parallel" in dispatcher.targetoptions:
                dispatcher.targetoptions["parallel"] = False
            dispatcher.py_func.__qualname__ += "_alone"
            dispatcher._make_finalizer()()
            dispatcher._reset_overloads()


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


def _own_code(function: Function) -> tuple[Any, ...]:
    code = function.__code__
    return code.co_code, [value for value in code.co_consts if not isinstance(value, CodeType)]


class KernelCache(caching._Cache):
    """What a kernel asks before it is compiled, and tells afterwards."""

    cache_path = None

    def __init__(self, kernel: Kernel, function: Function, dispatcher: Any) -> None:
        self.kernel, self._dispatcher = kernel, dispatcher
        self._context = dispatcher.targetctx
        self._code = store.code_digest(kernel.module), _own_code(function)
        self._options = _ordered(dispatcher.targetoptions.items())

    def is_kept(self, types: Any) -> bool:
        """Return whether it need not be compiled for arguments of these types."""
        return any(there.has(self._file(types, machine)) for there, machine in self._places())

    def load_overload(self, signature: Any, context: Any) -> Any:
        # A kernel's code refers to Numba's memory and threads. Compiling starts them; loading does
        # not. It reads all that Numba can compile besides, which takes longer than all kernels.
        rtsys.initialize(context)
        numba.get_num_threads()
        for there, machine in self._places():
            if (content := there.read(self._file(signature, machine))) is not None:
                with suppress(Exception):  # whatever it is: it is compiled anew
                    return compiler.CompileResult._rebuild(context, *pickle.loads(content))
        compiling.began(str(self.kernel), lambda: bool(self._dispatcher.is_compiling))
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
        shared = self.kernel.shared and not _alone
        key = (
            *(tuple(self.kernel), shared, self._options, self._code),
            *(str(signature), machine, _settings()),
        )
        return f"{_hash(key)}.kernel"


def _settings() -> tuple[Any, ...]:
    """Return those of Numba's settings that change what it makes."""
    names = "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX", "BOUNDSCHECK"
    return tuple(getattr(_config, name, None) for name in names)
