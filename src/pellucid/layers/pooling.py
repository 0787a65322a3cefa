"""Pooling layers: one number for each window or cell of the image, without parameters."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid import ops
from pellucid.geometry import Window
from pellucid.layers.base import Layer, StepContext
from pellucid.ops.pooling import OutputSize, adaptive_size, pooling_window
from pellucid.types import Array, Padding, Pair, Shape

_ANY_IMAGE = (1, 1, 2**30, 2**30)
"""An image large enough for every sensible kernel, on which the arguments are checked."""


class _Windowed(Layer):
    """A window that slides over the image."""

    kernel_size: Pair
    stride: Pair | None
    padding: Padding
    dilation: Pair
    ceil_mode: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output_shape(_ANY_IMAGE)

    def window(self, input_shape: Shape) -> Window:
        """Return how the window slides over an input of this shape."""
        return pooling_window(
            input_shape,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        return *input_shape[:2], *self.window(input_shape).output_size


@dataclass(eq=False, repr=False)
class MaxPool2d(_Windowed):
    """``y[n, c, o, p] = max over (i, j) of x[n, c, o·S + i·D − P, p·S + j·D − P]``.

    dy passes to the position of each maximum, the first in scan order if several are equal. Where
    windows overlap, the gradients add.

    Parameters
    ----------
    kernel_size
        Size of the window: one int or (vertical, horizontal), like stride and dilation.
    stride
        Step between windows; by default the size of the window.
    padding
        Padding of at most half the window, which is never the maximum. Default: 0.
    dilation
        Distance between the values of a window. Default: 1.
    ceil_mode
        Whether to include a last window that exceeds the padded image, if it begins inside.
        Default: False.

    Examples
    --------
    >>> MaxPool2d(2).output_shape((64, 16, 28, 28))
    (64, 16, 14, 14)
    """

    kernel_size: Pair
    stride: Pair | None = None
    padding: Padding = 0
    dilation: Pair = 1
    ceil_mode: bool = False

    def forward(
        self, x: Array, training: StepContext | None = None
    ) -> tuple[Array, tuple[Array, Shape]]:
        y, indices = ops.max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )
        return y, (indices, x.shape)

    def backward(
        self, dy: Array, cache: tuple[Array, Shape], *, input_gradient: bool = True
    ) -> Array:
        if not input_gradient:
            return dy
        indices, input_shape = cache
        return ops.max_pool2d_gradient(
            dy,
            indices,
            input_shape,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
        )


@dataclass(eq=False, repr=False)
class AvgPool2d(_Windowed):
    """``y[n, c, o, p] = 1/count · Σ over (i, j) of x[n, c, o·S + i·D − P, p·S + j·D − P]``.

    Each averaged value receives the same share of the gradient, dy/count.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode
        As in `MaxPool2d`; the padding is zeros.
    count_include_pad
        Whether padding counts in the mean. What `ceil_mode` adds beyond it never counts. Default:
        True.
    dilation
        Distance between the values of a window. Default: 1.

    Examples
    --------
    >>> AvgPool2d(3, stride=2, ceil_mode=True).output_shape((64, 16, 28, 28))
    (64, 16, 14, 14)
    """

    kernel_size: Pair
    stride: Pair | None = None
    padding: Padding = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    dilation: Pair = 1

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        y = ops.avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.dilation,
        )
        return y, x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        if not input_gradient:
            return dy
        return ops.avg_pool2d_gradient(
            dy,
            cache,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.dilation,
        )


@dataclass(eq=False, repr=False)
class AdaptiveAvgPool2d(Layer):
    """The means of OH × OW cells of nearly equal size, for images of any size.

    Cell o consists of the rows ``⌊o·H/OH⌋ ≤ h < ⌈(o + 1)·H/OH⌉``, and similarly for columns. Each
    of its values receives the same share of dy.

    Parameters
    ----------
    output_size
        Size (OH, OW) of the output, or one int for both; None keeps the input's size.

    Examples
    --------
    >>> AdaptiveAvgPool2d((7, None)).output_shape((64, 512, 10, 9))
    (64, 512, 7, 9)
    """

    output_size: OutputSize

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output_shape(_ANY_IMAGE)

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        return ops.adaptive_avg_pool2d(x, self.output_size), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        return ops.adaptive_avg_pool2d_gradient(dy, cache) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        return *input_shape[:2], *adaptive_size(input_shape, self.output_size)


@dataclass(eq=False, repr=False)
class AdaptiveMaxPool2d(Layer):
    """The maxima of OH × OW cells of nearly equal size, divided as in `AdaptiveAvgPool2d`.

    dy passes to the position of each maximum, the first in scan order if several are equal.

    Parameters
    ----------
    output_size
        Size (OH, OW) of the output, or one int for both; None keeps the input's size.

    Examples
    --------
    >>> AdaptiveMaxPool2d(1).output_shape((64, 512, 10, 9))
    (64, 512, 1, 1)
    """

    output_size: OutputSize

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output_shape(_ANY_IMAGE)

    def forward(
        self, x: Array, training: StepContext | None = None
    ) -> tuple[Array, tuple[Array, Shape]]:
        y, indices = ops.adaptive_max_pool2d(x, self.output_size)
        return y, (indices, x.shape)

    def backward(
        self, dy: Array, cache: tuple[Array, Shape], *, input_gradient: bool = True
    ) -> Array:
        return ops.adaptive_max_pool2d_gradient(dy, *cache) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        return *input_shape[:2], *adaptive_size(input_shape, self.output_size)


@dataclass(eq=False, repr=False)
class GlobalAvgPool2d(Layer):
    """``y[n, c] = mean over (h, w) of x[n, c, h, w]``, of shape (N, C, 1, 1).

    It equals ``AdaptiveAvgPool2d(1)``. Source: Lin, Chen and Yan, "Network in network", 2013,
    sec. 3.2.

    >>> GlobalAvgPool2d().output_shape((64, 512, 7, 7))
    (64, 512, 1, 1)
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        return ops.adaptive_avg_pool2d(x, 1), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        return ops.adaptive_avg_pool2d_gradient(dy, cache) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        return *input_shape[:2], *adaptive_size(input_shape, 1)
