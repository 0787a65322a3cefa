"""Checks that operations share."""

from pellucid.errors import PellucidError
from pellucid.types import Array


def check_floating(of: str, *arrays: Array) -> None:
    """Raise an error unless all `arrays` hold floating-point numbers.

    >>> import numpy as np
    >>> check_floating("relu", np.ones(2, np.float32))
    """
    for array in arrays:
        if array.dtype.kind != "f":
            raise PellucidError(
                f"{of} computes with floating-point numbers, got {array.dtype}; "
                "preprocess the images, or convert with x.astype(np.float32)"
            )
