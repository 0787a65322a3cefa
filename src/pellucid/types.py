"""The types that signatures speak of."""

from typing import Annotated, Any, Literal, NamedTuple

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
"""All sides, `(vertical, horizontal)`, `((top, bottom), (left, right))`, or by name."""

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]

DType = npt.DTypeLike


class Through(NamedTuple):
    """Images ``y = relu((z − mean[c])·scale[c] + shift[c])`` of which only z is in memory.

    Whoever reads z works y out on the way. Without `relu` there is no ReLU.
    """

    z: Array
    norm: Array
    """(mean, scale, shift) of each channel: (3, C)."""
    relu: bool

    @property
    def shape(self) -> Shape:
        return self.z.shape

    @property
    def dtype(self) -> Any:
        return self.z.dtype


Generator = np.random.Generator
