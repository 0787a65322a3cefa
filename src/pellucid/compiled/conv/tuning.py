"""Choose a convolution's algorithm by timing it: once for each shape on this machine.

What won belongs to the training run, if one computes (see `pellucid.runtime.choices`), and is kept
in a file beside the kernels for those that begin later. Trouble with the file is a miss, never an
error: then a choice holds until the process ends.
"""

import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import numba
import numpy as np
from llvmlite import binding

from pellucid.compiled import layout
from pellucid.compiled.store import code_digest, kernel_folder
from pellucid.contract import Convolution
from pellucid.errors import FileError
from pellucid.files import atomic_write
from pellucid.geometry import Window
from pellucid.memoize import memoize
from pellucid.runtime import choices
from pellucid.runtime.recording import is_rehearsed, paused
from pellucid.runtime.workspace import Workspace
from pellucid.types import Array, Shape

Pass = Callable[[str], Any]
"""A pass of one convolution, given the algorithm's name."""

_FILE = "fastest.json"
_RUNS = 5

_numba: Any = numba.config  # a module that fills itself in as it is imported
_chosen: dict[Any, str] = {}


def fastest(
    names: Sequence[str], operations: Sequence[Callable[..., Array]], convolution: Convolution
) -> str:
    """Return the algorithm that computes this convolution and both its gradients fastest.

    `operations` are `conv2d`, `conv2d_input_gradient` and `conv2d_weight_gradient`.
    """
    c = convolution
    shapes = c.input_shape, c.weight_shape, c.window, c.groups
    run = choices.present()
    if run is not None and (found := run.get(_described(*shapes), "")) in names:
        return found
    # not get_num_threads: it may change in the middle of a run, which results must not notice
    key = *shapes, _numba.NUMBA_NUM_THREADS
    if key not in _chosen:
        written = f"{binding.get_host_cpu_name()} {_code()} {key}"
        if (fresh := _kept_or_timed(written, names, operations, convolution)) is None:
            return names[0]
        _chosen[key] = fresh
    if run is not None:
        run[_described(*shapes)] = _chosen[key]
    return _chosen[key]


@memoize
def _described(input_shape: Shape, weight_shape: Shape, window: Window, groups: int) -> str:
    """Return the name of a convolution among a run's choices, on whatever machine it runs."""
    return f"{input_shape} {weight_shape} {window} {groups}"


@cache
def _code() -> str:
    """Return a hash of the algorithms' code: another version may have other speeds."""
    modules = (f"pellucid.compiled.conv.{name}" for name in ("direct", "winograd"))
    return "-".join(code_digest(module)[:8] for module in modules)


def _kept_or_timed(
    written: str,
    names: Sequence[str],
    operations: Sequence[Callable[..., Array]],
    convolution: Convolution,
) -> str | None:
    """Return the fastest algorithm; None in a rehearsal, in which nothing is timed."""
    if (kept := _kept().get(written, "")) in names:
        return kept
    if is_rehearsed():  # all that will be timed is needed
        for run, name in product(_passes(operations, convolution), names):
            run(name)
        return None
    with paused(), Workspace().used():
        times = seconds(names, _passes(operations, convolution))
    fastest = min(names, key=times.__getitem__)
    _keep(written, fastest)
    return fastest


def seconds(names: Sequence[str], passes: Sequence[Pass]) -> dict[str, float]:
    """Return how long all passes take with each algorithm, each pass in the best of a few runs.

    The algorithms take turns, so that a slow moment of the machine meets all of them. The first
    run compiles, and does not count.
    """
    best = {name: [math.inf] * len(passes) for name in names}
    for turn, name in product(range(1 + _RUNS), names):
        for i, run in enumerate(passes):
            begin = perf_counter()
            run(name)
            if turn > 0:
                best[name][i] = min(best[name][i], perf_counter() - begin)
    return {name: sum(times) for name, times in best.items()}


def _passes(operations: Sequence[Callable[..., Array]], convolution: Convolution) -> list[Pass]:
    """Return the three passes of this convolution on random numbers."""
    forward, input_gradient, weight_gradient = operations
    source = np.random.default_rng(0)
    x = layout.new_images(convolution.input_shape)
    dy = layout.new_images(convolution.output_shape)
    for images in (x, dy):
        source.random(out=layout.memory(images), dtype=np.float32)
    weight = source.random(convolution.weight_shape, np.float32)
    return [
        lambda name: forward(x, weight, None, replace(convolution, algorithm=name)),
        lambda name: input_gradient(dy, weight, replace(convolution, algorithm=name)),
        lambda name: weight_gradient(dy, x, replace(convolution, algorithm=name)),
    ]


@cache
def _kept() -> dict[str, str]:
    """Return the choices of earlier processes."""
    return _read()


def _read() -> dict[str, str]:
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _keep(written: str, name: str) -> None:
    """Add a choice to the file; other processes may have added theirs meanwhile."""
    text = json.dumps({**_read(), written: name}, indent=1)
    with suppress(OSError, FileError):
        atomic_write(_file(), f"{text}\n".encode())


def _file() -> Path:
    folder = kernel_folder()
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / _FILE
