"""Checks that operations share."""

from pellucid import engine
from pellucid.types import Array


def check_floating(of: str, *arrays: Array) -> None:
    """Raise an error unless all `arrays` hold floating-point numbers.

    >>> import numpy as np
    >>> check_floating("relu", np.ones(2, np.float32))
    """
    engine.for_floats(of, *arrays)
