"""Checks that operations share."""

from typing import Any

from pellucid import engine
from pellucid.arguments import as_integer
from pellucid.errors import PellucidError
from pellucid.types import Array


def check_floating(of: str, *arrays: Array) -> None:
    """Raise an error unless all `arrays` hold floating-point numbers.

    >>> import numpy as np
    >>> check_floating("relu", np.ones(2, np.float32))
    """
    engine.for_floats(of, *arrays)


def integer(of: str, name: str, value: Any) -> int:
    """Return an argument as an int, or say that it should have been one.

    >>> integer("group_norm", "num_groups", 4)
    4
    """
    try:
        return as_integer(value)
    except TypeError:
        raise PellucidError(f"{of} needs {name} as an integer, not {value!r}") from None
