"""Checks that operations share."""

import numpy as np

from pellucid.errors import PellucidError
from pellucid.types import Array


def check_floating(of: str, *arrays: Array) -> None:
    """Raise an error unless all `arrays` hold floating-point numbers.

    >>> check_floating("relu", np.ones(2, np.float32))
    """
    for array in arrays:
        if not np.issubdtype(array.dtype, np.floating):
            raise PellucidError(
                f"{of} computes with floating-point numbers, got {array.dtype}; "
                "preprocess the images, or convert with x.astype(np.float32)"
            )
