"""Max and average pooling, over windows or over a given number of cells."""

from __future__ import annotations

from typing import Annotated

from pellucid import engine, reference
from pellucid.arguments import shown
from pellucid.errors import ShapeError
from pellucid.geometry import Window, pair
from pellucid.memoize import memoize
from pellucid.ops.checks import check_axes, check_floating, check_positions, check_shape
from pellucid.types import Array, Padding, Pair, Shape

OutputSize = Annotated[int | tuple[int | None, int | None], "one int or two"]
"""(vertical, horizontal), or one int for both; None keeps the input's size."""


def max_pool2d(
    x: Array,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """Return the maximum of each window, and its position.

    ``y[n, c, o, p] = max over (i, j) of x[n, c, o·S + i·D − P, p·S + j·D − P]``.

    Parameters
    ----------
    x
        Images (N, C, H, W).
    kernel_size, stride, padding, dilation
        As in `Window`; the stride is the size of the window by default. The padding is at most half
        the window and is never the maximum.
    ceil_mode
        Whether to include a last window that exceeds the padded image, if it begins inside.
        Default: False.

    Returns
    -------
    y
        The maxima, (N, C, OH, OW).
    indices
        The position ``i·KW + j`` of each maximum in its window, as small integers of the same
        shape; the first of equal maxima. The maximum of a window with a NaN is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> y, indices = max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    >>> y
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    window = pooling_window(x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    return engine.for_floats("max_pool2d", x).max_pool2d(x, window)


def max_pool2d_gradient(
    dy: Array,
    indices: Array,
    input_shape: Shape,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Array:
    """Return dx: pass each dy to the position of its maximum, and add where windows overlap.

    The positions are those that `max_pool2d` returns, in the window; PyTorch's are in the image.
    """
    window = pooling_window(input_shape, kernel_size, stride, padding, dilation, ceil_mode)
    check_shape("max_pool2d_gradient", "dy", dy, (*input_shape[:2], *window.output_size))
    taps = window.kernel[0] * window.kernel[1]
    check_positions("max_pool2d_gradient", indices, dy.shape, taps)
    return engine.for_floats("max_pool2d_gradient", dy).max_pool2d_gradient(dy, indices, window)


def avg_pool2d(
    x: Array,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    dilation: Pair = 1,
) -> Array:
    """Return ``y[n, c, o, p] = 1/count · Σ over (i, j) of x[n, c, o·S + i·D − P, p·S + j·D − P]``.

    Parameters
    ----------
    x
        Images (N, C, H, W).
    kernel_size, stride, padding, ceil_mode, dilation
        As in `max_pool2d`.
    count_include_pad
        Whether padding counts as zeros in the mean (default), or not at all. What `ceil_mode` adds
        beyond it never counts.

    Returns
    -------
    ndarray of shape (N, C, OH, OW)
        The means.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    check_floating("avg_pool2d", x)
    window = pooling_window(x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    return engine.current(x).avg_pool2d(x, window, count_include_pad)


def avg_pool2d_gradient(
    dy: Array,
    input_shape: Shape,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    dilation: Pair = 1,
) -> Array:
    """Return dx: each averaged value receives the same share of dy."""
    window = pooling_window(input_shape, kernel_size, stride, padding, dilation, ceil_mode)
    check_shape("avg_pool2d_gradient", "dy", dy, (*input_shape[:2], *window.output_size))
    return engine.for_floats("avg_pool2d_gradient", dy).avg_pool2d_gradient(
        dy, window, count_include_pad
    )


def adaptive_avg_pool2d(x: Array, output_size: OutputSize) -> Array:
    """Return the means of OH × OW cells of nearly equal size.

    Cell o consists of the rows ``⌊o·H/OH⌋ ≤ h < ⌈(o + 1)·H/OH⌉``, and similarly for columns.

    >>> import numpy as np
    >>> adaptive_avg_pool2d(np.arange(6.0).reshape(1, 1, 2, 3), (1, 2))
    array([[[[2., 3.]]]])
    """
    check_floating("adaptive_avg_pool2d", x)
    return engine.current(x).adaptive_avg_pool2d(x, adaptive_size(x.shape, output_size))


def adaptive_avg_pool2d_gradient(dy: Array, input_shape: Shape) -> Array:
    """Return dx: each value of a cell receives the same share of its dy."""
    _check_adaptive("adaptive_avg_pool2d_gradient", dy, input_shape)
    return engine.for_floats("adaptive_avg_pool2d_gradient", dy).adaptive_avg_pool2d_gradient(
        dy, input_shape
    )


def adaptive_max_pool2d(x: Array, output_size: OutputSize) -> tuple[Array, Array]:
    """Return the maxima of OH × OW cells of nearly equal size, and their positions ``h·W + w``.

    >>> import numpy as np
    >>> y, indices = adaptive_max_pool2d(np.arange(6.0).reshape(1, 1, 2, 3), (1, 2))
    >>> y
    array([[[[4., 5.]]]])
    """
    check_floating("adaptive_max_pool2d", x)
    size = adaptive_size(x.shape, output_size)
    return reference.adaptive_max_pool2d(x, size)


def adaptive_max_pool2d_gradient(dy: Array, indices: Array, input_shape: Shape) -> Array:
    """Return dx: pass each dy to the position of its maximum, and add where cells overlap."""
    _check_adaptive("adaptive_max_pool2d_gradient", dy, input_shape)
    pixels = input_shape[2] * input_shape[3]
    check_positions("adaptive_max_pool2d_gradient", indices, dy.shape, pixels)
    check_floating("adaptive_max_pool2d_gradient", dy)
    return reference.adaptive_max_pool2d_gradient(dy, indices, input_shape)


@memoize
def pooling_window(
    input_shape: Shape,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Window:
    """Return the window for images of `input_shape` (N, C, H, W).

    >>> pooling_window((64, 16, 28, 28), 2).output_size
    (14, 14)
    """
    window = Window.of(
        image_size("pooling", input_shape),
        kernel_size,
        stride=kernel_size if stride is None else stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
    for sides, kernel in zip(window.padding, window.kernel, strict=True):
        if padding != "same" and 2 * max(sides) > kernel:
            raise ShapeError(
                f"pooling: padding {padding} is more than half of the kernel {window.kernel}, so a "
                "window could lie outside the image; use less padding or a larger kernel"
            )
    return window


def adaptive_size(input_shape: Shape, output_size: OutputSize) -> tuple[int, int]:
    """Return (OH, OW) for images of `input_shape` (N, C, H, W).

    >>> adaptive_size((64, 16, 28, 20), (7, None))
    (7, 20)
    """
    size = image_size("adaptive pooling", input_shape)
    given = output_size if isinstance(output_size, tuple | list) else (output_size,) * 2
    if len(given) != 2:
        raise ShapeError(f"output_size must be one int or two, not {shown(output_size)}")
    kept = tuple(s if g is None else g for g, s in zip(given, size, strict=True))
    return pair((kept[0], kept[1]), "output_size")


def image_size(what: str, input_shape: Shape) -> tuple[int, int]:
    """Return (H, W) of images (N, C, H, W), after checking that they are not empty."""
    if len(input_shape) != 4 or min(input_shape[1:]) < 1:
        raise ShapeError(f"{what} expects images of shape (N, C, H, W), got {input_shape}")
    return input_shape[2], input_shape[3]


def _check_adaptive(of: str, dy: Array, input_shape: Shape) -> None:
    """Raise an error unless dy can be the gradient of some number of cells of such images."""
    check_axes(of, "dy", dy, "N", "C", "OH", "OW")
    image_size(of, input_shape)
    image_size(of, dy.shape)
    check_shape(of, "dy", dy, (*input_shape[:2], *dy.shape[2:]))
