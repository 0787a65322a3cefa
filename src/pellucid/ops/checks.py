"""Checks shared by several operations."""

from __future__ import annotations

from typing import Any

from pellucid import engine
from pellucid.arguments import as_integer
from pellucid.errors import PellucidError
from pellucid.types import Array, Shape


def check_floating(of: str, *arrays: Array) -> None:
    """Raise an error unless all arrays have a floating-point type.

    >>> import numpy as np
    >>> check_floating("relu", np.ones(2, np.float32))
    """
    engine.for_floats(of, *arrays)


def integer(of: str, name: str, value: Any) -> int:
    """Return an argument as an int, or raise an error if it is not an integer.

    >>> integer("group_norm", "num_groups", 4)
    4
    """
    try:
        return as_integer(value)
    except TypeError:
        raise PellucidError(f"{of} needs {name} as an integer, not {value!r}") from None


def layout_hint(shape: Shape, channels: int) -> str:
    """Return a hint for an input of shape `shape` where images (N, channels, H, W) were expected.

    >>> layout_hint((64, 32, 32, 3), channels=3)
    '; are the channels last? x.transpose(0, 3, 1, 2) puts them second'
    >>> layout_hint((64, 28, 28), channels=1)
    '; without an axis for the channels? x[:, None] adds it'
    """
    if len(shape) == 4 and shape[3] == channels != shape[1]:
        return "; are the channels last? x.transpose(0, 3, 1, 2) puts them second"
    if len(shape) == 3 and shape[0] == channels:
        return "; is it one image? x[None] is a batch of one"
    if len(shape) == 3 and channels == 1:
        return "; without an axis for the channels? x[:, None] adds it"
    if len(shape) == 2 and channels == 1:
        return "; is it one image? x[None, None] is a batch of one"
    return ""
