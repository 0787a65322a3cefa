"""Compile once and keep it on disk.

Numba can keep compiled functions on disk by itself, but notices a change only in the file that
holds the function, loses entries where two processes write, and ends the process where a file is
damaged. `store` does none of that.
"""

import hashlib
import pickle
import sys
from collections.abc import Callable
from functools import cache, wraps
from types import CodeType
from typing import Any

import numba
import numpy as np
from numba.core import caching, compiler, serialize

from pellucid.compiled import store
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


def _with_cache(dispatcher: Any) -> Any:
    dispatcher._cache = _KernelCache(dispatcher)
    return dispatcher


def _name(dispatcher: Any) -> str:
    """Return the name of a kernel, with the constants that it was made with, and how it runs."""
    function = dispatcher.py_func
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    constants = {name: cell.cell_contents for name, cell in cells}
    module = function.__module__.removeprefix("pellucid.compiled.")
    function_name = function.__qualname__.replace(".<locals>.kernel", "")
    written = ", ".join(f"{name}={value!r}" for name, value in sorted(constants.items()))
    # one function may be compiled both ways
    how = "shared" if dispatcher.targetoptions.get("parallel") else "alone"
    return f"{module}.{function_name}({written}) {how}"


def _own_code(dispatcher: Any) -> tuple[Any, ...]:
    code = dispatcher.py_func.__code__
    return code.co_code, [value for value in code.co_consts if not isinstance(value, CodeType)]


class _KernelCache(caching._Cache):
    """What a kernel asks before it is compiled, and tells afterwards."""

    cache_path = None

    def __init__(self, dispatcher: Any) -> None:
        self._code = store.code_digest(dispatcher.py_func.__module__), _own_code(dispatcher)
        self._options = repr(sorted(dispatcher.targetoptions.items()))
        self._name = _name(dispatcher)

    def load_overload(self, signature: Any, context: Any) -> Any:
        context.refresh()
        found = None
        if (content := store.read(self._file(signature, context.codegen()))) is not None:
            try:
                found = compiler.CompileResult._rebuild(context, *pickle.loads(content))
            except Exception:  # whatever it is: it is compiled anew
                found = None
        if found is None:
            _say_once()
        # a kernel may ask in which thread it runs, and nobody answers before the threads are there;
        # to compile it makes them, to read it from disk does not
        numba.get_num_threads()
        return found

    def save_overload(self, signature: Any, result: Any) -> None:
        content = serialize.dumps(result._reduce())
        store.write(self._file(signature, result.codegen), content)

    def enable(self) -> None:
        """Do nothing: it always is."""

    def disable(self) -> None:
        """Do nothing: what cannot be kept stays in memory."""

    def flush(self) -> None:
        """Do nothing: files are written at once."""

    def _file(self, signature: Any, codegen: Any) -> str:
        """Return the name of the file for a kind of arguments: a hash of all that matters."""
        key = (
            *(self._name, self._options, self._code),
            *(str(signature), codegen.magic_tuple(), _settings()),
        )
        return f"{hashlib.blake2b(repr(key).encode(), digest_size=16).hexdigest()}.kernel"


def _settings() -> tuple[Any, ...]:
    """Return those of Numba's settings that change what it makes."""
    names = "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX", "BOUNDSCHECK"
    return tuple(getattr(_config, name, None) for name in names)


@cache
def _say_once() -> None:
    text = "pellucid: compiling for this machine; this happens once and takes up to a minute"
    if (reason := store.why_not()) is not None:
        text = f"pellucid: compiling, and not kept for the next time: {reason}"
    print(text, file=sys.stderr)
