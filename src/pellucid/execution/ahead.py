"""What the engine has to compile, compiled before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pellucid.execution.contract import fused_kernels


def compile_ahead(calls: Iterable[Callable[[], Any]]) -> Any:
    """Have the engine compile all that these calls will need, side by side, with a progress bar.

    The calls are rehearsed: all Python runs, but no kernel, so arrays are left with any content.
    Therefore they must be calls of copies, which are thrown away afterwards: a layer may have kept
    such an array, or counted a step. Where the engine compiles nothing, no call is made.

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
