"""Compute sizes from kernel, stride, padding and dilation, for the whole library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pellucid.arguments import LARGEST_SIZE, as_integer, shown
from pellucid.errors import ShapeError
from pellucid.types import Padding, Pair

Sides = tuple[tuple[int, int], tuple[int, int]]
Area = tuple[slice, slice]


def pair(value: Pair, name: str, minimum: int = 1) -> tuple[int, int]:
    """Return `value` as (vertical, horizontal), after checking it.

    >>> pair(3, "kernel_size")
    (3, 3)
    """
    both = _two_ints(value, minimum)
    if both is None or max(both) > LARGEST_SIZE:
        most = f" and at most {LARGEST_SIZE:,}" if both else ""
        raise ShapeError(
            f"{name} must be one int or two, each at least {minimum}{most}, not {shown(value)}"
        )
    return both


@dataclass(frozen=True)
class Window:
    """How a kernel slides over an image: all the sizes of a convolution or pooling.

    In each direction, with input size I, kernel K, stride S, dilation D and padding P₀, P₁::

        O = ⌊(I + P₀ + P₁ − D·(K − 1) − 1) / S⌋ + 1

    and tap k of output o reads the padded input at ``o·S + k·D``.
    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Attributes
    ----------
    size, kernel, stride, dilation : (vertical, horizontal)
    padding : ((top, bottom), (left, right))
    extra : (bottom, right), padding that only `ceil_mode` adds; it never counts in a mean

    Examples
    --------
    >>> Window.of((28, 28), kernel_size=5, padding=2).output_size
    (28, 28)
    >>> Window.of((28, 28), kernel_size=3, stride=2, padding="same").padding
    ((0, 1), (0, 1))
    """

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: Sides = ((0, 0), (0, 0))
    dilation: tuple[int, int] = (1, 1)
    extra: tuple[int, int] = (0, 0)

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        kernel_size: Pair,
        *,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        ceil_mode: bool = False,
    ) -> Window:
        """Check the arguments and resolve them for an image of `size`."""
        kernel = pair(kernel_size, "kernel_size")
        steps, spread = pair(stride, "stride"), pair(dilation, "dilation")
        sides = resolve_padding(padding, size, kernel, steps, spread)
        extra = (0, 0)
        if ceil_mode:
            extra = (
                _ceil_extra(size[0], kernel[0], steps[0], sides[0], spread[0]),
                _ceil_extra(size[1], kernel[1], steps[1], sides[1], spread[1]),
            )
        window = cls(size, kernel, steps, sides, spread, extra)
        if min(window.output_size) < 1:
            raise ShapeError(
                f"an image of {size[0]}×{size[1]} is too small for a kernel of "
                f"{kernel[0]}×{kernel[1]} with dilation {spread} and padding {sides}; "
                "use more padding, a smaller kernel or a larger image"
            )
        return window

    @property
    def extent(self) -> tuple[int, int]:
        """Size covered by the dilated kernel, D·(K − 1) + 1."""
        (KH, KW), (DH, DW) = self.kernel, self.dilation
        return DH * (KH - 1) + 1, DW * (KW - 1) + 1

    @cached_property
    def padded_size(self) -> tuple[int, int]:
        """Size of the image with its padding."""
        (H, W), (vertical, horizontal), (bottom, right) = self.size, self.padding, self.extra
        return H + sum(vertical) + bottom, W + sum(horizontal) + right

    @cached_property
    def output_size(self) -> tuple[int, int]:
        """Number of positions of the kernel."""
        (PH, PW), (EH, EW), (SH, SW) = self.padded_size, self.extent, self.stride
        return (PH - EH) // SH + 1, (PW - EW) // SW + 1

    @property
    def inner(self) -> tuple[slice, slice]:
        """Slices of the image in the padded image."""
        (H, W), ((top, _), (left, _)) = self.size, self.padding
        return slice(top, top + H), slice(left, left + W)

    def tap(self, i: int, j: int) -> tuple[slice, slice]:
        """Return the slices that kernel position (i, j) reads, one value per output."""
        (OH, OW), (SH, SW), (DH, DW) = self.output_size, self.stride, self.dilation
        top, left = i * DH, j * DW
        return (
            slice(top, top + SH * (OH - 1) + 1, SH),
            slice(left, left + SW * (OW - 1) + 1, SW),
        )

    def meetings(self, axis: int) -> list[tuple[int, int, int]]:
        """Return every (output, tap, input) of one direction in which the tap is in the image."""
        read = [
            (o, k, o * self.stride[axis] + k * self.dilation[axis] - self.padding[axis][0])
            for o in range(self.output_size[axis])
            for k in range(self.kernel[axis])
        ]
        return [(o, k, i) for o, k, i in read if 0 <= i < self.size[axis]]

    def inner_taps(self) -> Iterator[tuple[int, int, Area, Area]]:
        """Yield (i, j, outputs, image): the outputs whose tap is inside, and what it reads.

        Positions (i, j) are in row-major order.
        """
        (H, W), (OH, OW), (SH, SW) = self.size, self.output_size, self.stride
        (DH, DW), ((top, _), (left, _)) = self.dilation, self.padding
        for i in range(self.kernel[0]):
            rows, image_rows = _inside(H, OH, SH, i * DH - top)
            for j in range(self.kernel[1]):
                columns, image_columns = _inside(W, OW, SW, j * DW - left)
                yield i, j, (rows, columns), (image_rows, image_columns)

    def patch(self, oh: int, ow: int) -> Area:
        """Return the slices that output (oh, ow) reads, one value per kernel position."""
        (SH, SW), (DH, DW), (EH, EW) = self.stride, self.dilation, self.extent
        return slice(oh * SH, oh * SH + EH, DH), slice(ow * SW, ow * SW + EW, DW)

    def strip(self, start: int, stop: int) -> tuple[slice, Window]:
        """Return the image rows that the output rows from `start` to `stop` read, and their window.

        These output rows are the whole output of that window on these image rows.

        >>> Window.of((28, 28), kernel_size=3, padding=1).strip(0, 4)[0]
        slice(0, 5, None)
        """
        first = start * self.stride[0] - self.padding[0][0]
        count = (stop - 1 - start) * self.stride[0] + self.extent[0]
        rows = slice(*(min(max(edge, 0), self.size[0]) for edge in (first, first + count)))
        inside = rows.stop - rows.start
        top = min(max(-first, 0), count)
        return rows, replace(
            self,
            size=(inside, self.size[1]),
            padding=((top, count - inside - top), self.padding[1]),
            extra=(0, self.extra[1]),
        )


def resolve_padding(
    padding: Padding,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> Sides:
    """Return ((top, bottom), (left, right)).

    ``"same"`` gives an output of ⌈I / S⌉. If the padding is odd, the larger half is at the bottom
    and right, as in PyTorch and TensorFlow.
    """
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        return (
            _same(size[0], kernel[0], stride[0], dilation[0]),
            _same(size[1], kernel[1], stride[1], dilation[1]),
        )
    sides = padding if isinstance(padding, tuple | list) else (padding, padding)
    found = [pair for side in sides if (pair := _two_ints(side, minimum=0)) is not None]
    if len(found) == len(sides) == 2 and max(*found[0], *found[1]) <= LARGEST_SIZE:
        return found[0], found[1]
    raise ShapeError(
        "padding must be an int, (vertical, horizontal), ((top, bottom), (left, right)), 'same' or "
        f"'valid', and not negative, not {shown(padding)}"
    )


def transposed_size(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Sides,
    dilation: tuple[int, int],
    output_padding: tuple[int, int],
) -> tuple[int, int]:
    """Return the size of the image whose convolution has `size`: (I − 1)·S − P + D·(K − 1) + 1."""
    height, width = (
        (i - 1) * s - sum(p) + d * (k - 1) + 1 + o
        for i, k, s, p, d, o in zip(
            size, kernel, stride, padding, dilation, output_padding, strict=True
        )
    )
    return height, width


def _inside(size: int, outputs: int, stride: int, offset: int) -> Area:
    """Return the outputs o with ``0 ≤ o·stride + offset < size``, and the inputs they read."""
    first = max(0, -(offset // stride))
    count = max(min(outputs, (size - 1 - offset) // stride + 1) - first, 0)
    start = first * stride + offset
    return slice(first, first + count), slice(start, start + count * stride, stride)


def _two_ints(value: Any, minimum: int) -> tuple[int, int] | None:
    """Return one integer twice, two unchanged, or None for anything else."""
    try:
        first, second = map(as_integer, value if isinstance(value, tuple | list) else (value,) * 2)
    except (TypeError, ValueError):
        return None
    return (first, second) if min(first, second) >= minimum else None


def _same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    output = -(-size // stride)
    total = max((output - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def _ceil_extra(size: int, kernel: int, stride: int, side: tuple[int, int], dilation: int) -> int:
    """Return the padding for a last, partial window, if it starts inside the image."""
    span = size + sum(side) - dilation * (kernel - 1) - 1
    outputs = -(-span // stride) + 1
    if (outputs - 1) * stride >= size + side[0]:
        outputs -= 1
    return max((outputs - 1) * stride - span, 0)
