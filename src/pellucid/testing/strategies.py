"""Hypothesis strategies: convolutions of every geometry, and arrays in every memory layout."""

from dataclasses import dataclass, field, replace

import numpy as np

from pellucid.errors import missing_extra
from pellucid.geometry import Sides, Window
from pellucid.types import Array, DType

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise missing_extra("pellucid.testing.strategies", "Hypothesis", "test") from error

LAYOUTS = ("batch last", "C order", "Fortran order", "reversed", "every second", "read-only")
"""Memory layouts of `laid_out`."""


@dataclass(frozen=True)
class ConvolutionCase:
    """A convolution to test: its geometry, and arrays of standard normal numbers."""

    window: Window
    groups: int
    origin: str
    """Shapes, memory layouts and seed, for the report of a failing test."""
    x: Array = field(repr=False)
    """(N, C, H, W)"""
    weight: Array = field(repr=False)
    """(F, C/groups, KH, KW)"""
    dy: Array = field(repr=False)
    """(N, F, OH, OW)"""

    def astype(self, dtype: DType) -> "ConvolutionCase":
        """Return the case with its arrays converted to another type."""
        arrays = {name: getattr(self, name).astype(dtype) for name in ("x", "weight", "dy")}
        return replace(self, **arrays)


def laid_out(values: Array, layout: str) -> Array:
    """Return `values` with a memory layout, one of LAYOUTS.

    >>> laid_out(np.zeros((2, 3, 4, 5)), "batch last").strides[0]
    8
    """
    if layout == "batch last":
        return np.ascontiguousarray(values.transpose(*range(1, values.ndim), 0)).transpose(
            values.ndim - 1, *range(values.ndim - 1)
        )
    if layout == "Fortran order":
        return np.asfortranarray(values)
    if layout == "reversed":
        return np.ascontiguousarray(values[:, :, ::-1, ::-1])[:, :, ::-1, ::-1]
    if layout == "every second":
        return np.repeat(values, 2, axis=2)[:, :, ::2]
    copy = values.copy(order="C")
    copy.flags.writeable = layout != "read-only"
    return copy


@st.composite
def windows(
    draw: st.DrawFn,
    *,
    kernels: st.SearchStrategy[int] | None = None,
    plain: bool = False,
    largest: int = 9,
) -> Window:
    """Draw a window: non-square, even kernels, uneven padding, strides beyond the kernel, …

    Parameters
    ----------
    kernels
        Sizes of the kernel's sides. Default: 1 to 4.
    plain
        Whether stride and dilation are 1.
    largest
        Largest side of the image.
    """
    kernel = st.integers(1, 4) if kernels is None else kernels
    sizes = [_direction(draw, kernel, plain, largest) for _ in range(2)]
    (H, KH, SH, DH, vertical), (W, KW, SW, DW, horizontal) = sizes
    sides: Sides = vertical, horizontal
    return Window.of((H, W), (KH, KW), stride=(SH, SW), padding=sides, dilation=(DH, DW))


@st.composite
def convolutions(
    draw: st.DrawFn, window: st.SearchStrategy[Window] | None = None
) -> ConvolutionCase:
    """Draw a convolution with such a window, with groups, and with any memory layouts."""
    shape = draw(windows() if window is None else window)
    N, groups, channels, filters = draw(st.tuples(*[st.integers(1, 3)] * 4))
    layouts = draw(st.tuples(*[st.sampled_from(LAYOUTS)] * 3))
    seed = draw(st.integers(0, 2**32 - 1))
    shapes = {
        "x": (N, channels * groups, *shape.size),
        "weight": (filters * groups, channels, *shape.kernel),
        "dy": (N, filters * groups, *shape.output_size),
    }
    source = np.random.default_rng(seed)
    arrays = {
        name: laid_out(source.normal(size=size), layout)
        for (name, size), layout in zip(shapes.items(), layouts, strict=True)
    }
    origin = f"{shapes}, laid out {layouts}, seed {seed}"
    return ConvolutionCase(shape, groups, origin, **arrays)


def _direction(
    draw: st.DrawFn, kernels: st.SearchStrategy[int], plain: bool, largest: int
) -> tuple[int, int, int, int, tuple[int, int]]:
    """Draw matching size, kernel, stride, dilation and padding of one direction."""
    kernel = draw(kernels)
    stride = 1 if plain else draw(st.integers(1, 5))
    dilation = 1 if plain else draw(st.integers(1, 3))
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    extent = dilation * (kernel - 1) + 1
    smallest = max(1, extent - sum(padding))
    return draw(st.integers(smallest, max(smallest, largest))), kernel, stride, dilation, padding
