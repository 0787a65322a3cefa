"""Types used in signatures."""

from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""A NumPy array. Images are `(N, C, H, W)`, kernels `(F, C/groups, KH, KW)`."""

Shape = tuple[int, ...]

Pair = Annotated[int | tuple[int, int], "one int or two"]
"""One number for both directions, or `(vertical, horizontal)`."""

Padding = Annotated[
    int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]] | Literal["same", "valid"],
    "an int, (vertical, horizontal), ((top, bottom), (left, right)), 'same' or 'valid'",
]
"""All sides, `(vertical, horizontal)`, `((top, bottom), (left, right))`, or a name."""

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]

DType = npt.DTypeLike


Generator = np.random.Generator
