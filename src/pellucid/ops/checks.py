"""Checks shared by several operations."""

from __future__ import annotations

from typing import Any

from pellucid import engine
from pellucid.arguments import as_integer
from pellucid.errors import PellucidError, ShapeError
from pellucid.types import Array, Shape


def check_floating(of: str, *arrays: Array) -> None:
    """Raise an error unless all arrays have a floating-point type.

    >>> import numpy as np
    >>> check_floating("relu", np.ones(2, np.float32))
    """
    engine.for_floats(of, *arrays)


def check_shape(of: str, name: str, array: Array | None, expected: Shape) -> None:
    """Raise an error unless an array has this shape; None, for one that is left out, passes.

    >>> import numpy as np
    >>> check_shape("relu_gradient", "dy", np.ones((2, 3)), (2, 3))
    """
    if array is not None and array.shape != expected:
        raise ShapeError(f"{of} expects {name} of shape {expected}, got {array.shape}")


def check_positions(of: str, indices: Array, shape: Shape, count: int) -> None:
    """Raise an error unless an array of this shape holds integers from 0 to count − 1.

    >>> import numpy as np
    >>> check_positions("max_pool2d_gradient", np.array([0, 3]), (2,), 4)
    """
    check_shape(of, "indices", indices, shape)
    whole = indices.dtype.kind in "iu"
    if not whole or (indices.size and not 0 <= indices.min() <= indices.max() < count):
        found = f"{indices.min()} to {indices.max()}" if whole else indices.dtype
        raise PellucidError(f"{of} expects indices from 0 to {count - 1}, got {found}")


def check_axes(of: str, name: str, array: Array, *axes: str) -> None:
    """Raise an error unless an array has these axes; "…" stands for any number of axes.

    >>> import numpy as np
    >>> check_axes("conv2d_bias_gradient", "dy", np.ones((2, 3, 4, 4)), "N", "F", "OH", "OW")
    """
    fits = array.ndim >= len(axes) - 1 if "…" in axes else array.ndim == len(axes)
    if not fits:
        raise ShapeError(f"{of} expects {name} of shape ({', '.join(axes)}), got {array.shape}")


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
