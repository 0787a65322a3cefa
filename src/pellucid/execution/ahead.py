"""Compile kernels before they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pellucid.execution.contract import fused_kernels


def compile_ahead(calls: Iterable[Callable[[], Any]]) -> Any:
    """Compile in parallel all kernels that these calls will need, with a progress bar.

    The calls are rehearsed: all Python code runs, but no kernel does, so results are arbitrary.
    Pass calls of copies that are discarded afterwards, because layers may keep such results or
    count steps. If the engine compiles nothing, no call is made.

    Examples
    --------
    >>> from functools import partial
    >>> import numpy as np
    >>> from pellucid import layers as nn
    >>> calls = (partial(nn.Conv2d(1, 4, 3), np.zeros((n, 1, 8, 8), np.float32)) for n in (1, 64))
    >>> _ = compile_ahead(calls)
    """
    kernels = fused_kernels()
    return None if kernels is None else kernels.compile_ahead(calls)


def kept_kernels() -> tuple[list[int], Path] | None:
    """Return the sizes in bytes of the compiled kernels on disk, and their folder."""
    kernels = fused_kernels()
    return None if kernels is None else kernels.kept_kernels()
