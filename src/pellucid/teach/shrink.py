"""Reduce a failing case: first its sizes, then its numbers, as long as it still fails."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pellucid.teach.exercise import Arguments, Exercise

_SECONDS = 2.0
_NUMBERS = 60


def shrink(
    exercise: Exercise,
    sizes: Mapping[str, Any],
    fails: Callable[[Arguments], bool],
    *,
    numbers: bool,
) -> Arguments:
    """Return the smallest failing arguments that were found in a short time.

    If `numbers`, rather than shapes, are wrong, numbers are set to 0 where possible.
    """
    end = time.monotonic() + _SECONDS
    arguments = exercise.arguments(sizes)
    assert arguments is not None
    while time.monotonic() < end:
        for smaller in exercise.simpler(sizes):
            tried = exercise.arguments(smaller)
            if tried is not None and _is_something(tried) and fails(tried):
                sizes, arguments = smaller, tried
                break
        else:
            break
    return _plain(arguments, fails, end) if numbers else arguments


def _plain(arguments: Arguments, fails: Callable[[Arguments], bool], end: float) -> Arguments:
    """Set as many numbers as possible to 0."""
    for name, value in arguments.items():
        if not (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
            continue
        if value.size > _NUMBERS:
            continue
        for i in range(value.size):
            if value.flat[i] != 0 and time.monotonic() < end:
                tried = copy.deepcopy(arguments)
                tried[name].flat[i] = 0
                if fails(tried):
                    arguments = tried
    return arguments


def _is_something(arguments: Arguments) -> bool:
    return all(v.size for v in arguments.values() if isinstance(v, np.ndarray))
