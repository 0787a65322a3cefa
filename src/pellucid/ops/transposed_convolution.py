"""Transposed convolution and its gradients: those of convolution with input and output swapped."""

from __future__ import annotations

from typing import TypedDict, Unpack

from pellucid import engine
from pellucid.errors import ShapeError
from pellucid.geometry import Sides, pair, resolve_padding, transposed_size
from pellucid.ops.checks import integer
from pellucid.ops.convolution import ConvolutionPlan, bias_gradient, check_bias, check_options
from pellucid.ops.padding import pad2d, pad2d_gradient
from pellucid.types import Array, Padding, Pair, Shape


class TransposedOptions(TypedDict, total=False):
    """The keyword arguments of `conv_transpose2d` and of its gradients."""

    stride: Pair
    padding: Padding
    output_padding: Pair
    groups: int
    dilation: Pair
    flip_kernel: bool
    algorithm: str


def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    flip_kernel: bool = False,
    algorithm: str = "auto",
) -> Array:
    """Return the transposed convolution of x: `conv2d`'s input gradient for dy = x, plus bias.

    Each input adds its multiple of the kernel to the output, `stride` pixels from that of its
    neighbour; `padding` crops the edges. ::

        H_out = (H − 1)·S − P₀ − P₁ + D·(KH − 1) + 1 + output_padding

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016,
    chapter 4.

    Parameters
    ----------
    x
        Images (N, C, H, W).
    weight
        Kernels (C, F/groups, KH, KW), the weight of the convolution from F channels to C.
    bias
        One value per filter, (F,), or None.
    stride, padding, dilation, groups, flip_kernel, algorithm
        Those of the convolution whose input gradient this is; padding must be numbers.
    output_padding
        Rows and columns to add at the bottom and right, fewer than the stride or the dilation. A
        strided convolution maps several image sizes to the same size; this selects one of them.

    Returns
    -------
    ndarray of shape (N, F, H_out, W_out)
        The output.

    Examples
    --------
    >>> import numpy as np
    >>> conv_transpose2d(np.array([[[[1.0, 2.0]]]]), np.ones((1, 1, 1, 3)), stride=(1, 2))
    array([[[[1., 1., 3., 2., 2.]]]])
    """
    convolution = transposed(
        x.shape,
        weight.shape,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
        flip_kernel=flip_kernel,
        algorithm=algorithm,
    )
    check_bias("conv_transpose2d", bias, convolution.input_shape[1])
    y = convolution.input_gradient(_extended(x, convolution), weight)
    return y if bias is None else engine.current(y, bias).add_bias(y, bias)


def conv_transpose2d_input_gradient(
    dy: Array, weight: Array, input_shape: Shape, **options: Unpack[TransposedOptions]
) -> Array:
    """Return dx of `input_shape`: the convolution of dy.

    The keyword arguments are those of `conv_transpose2d`.
    """
    convolution = transposed(input_shape, weight.shape, **options)
    dx = convolution.forward(dy, weight, None)
    sides = _zeros_after(input_shape, convolution)
    return dx if sides is None else pad2d_gradient(dx, input_shape, sides)


def conv_transpose2d_weight_gradient(
    dy: Array, x: Array, weight_shape: Shape, **options: Unpack[TransposedOptions]
) -> Array:
    """Return dw of `weight_shape`: that of the convolution, with x and dy exchanged.

    The keyword arguments are those of `conv_transpose2d`.
    """
    convolution = transposed(x.shape, weight_shape, **options)
    return convolution.weight_gradient(_extended(x, convolution), dy)


def conv_transpose2d_bias_gradient(dy: Array) -> Array:
    """Return ``db = Σ dy`` over the batch and all positions, (F,)."""
    return bias_gradient("conv_transpose2d_bias_gradient", dy)


def transposed(
    input_shape: Shape,
    weight_shape: Shape,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    flip_kernel: bool = False,
    algorithm: str = "auto",
) -> ConvolutionPlan:
    """Return the convolution, from F to C channels, whose input gradient is the transposed one.

    An output padding of at least the stride adds whole steps: the convolution's output is then the
    input followed by zeros.
    """
    if len(weight_shape) != 4 or min(weight_shape) < 1:
        raise ShapeError(f"a weight must have the shape (C, F/groups, KH, KW), not {weight_shape}")
    if len(input_shape) != 4 or input_shape[1] != weight_shape[0]:
        raise ShapeError(
            f"conv_transpose2d with a weight of shape {weight_shape} expects an input of shape "
            f"(N, {weight_shape[0]}, H, W), got {input_shape}"
        )
    groups = integer("conv_transpose2d", "groups", groups)
    size, kernel = (input_shape[2], input_shape[3]), (weight_shape[2], weight_shape[3])
    steps, spread = pair(stride, "stride"), pair(dilation, "dilation")
    spare = _output_padding(output_padding, stride, dilation, padding)
    sides = resolve_padding(padding, size, kernel, steps, spread)
    output_size = transposed_size(size, kernel, steps, sides, spread, spare)
    if min(output_size) < 1:
        raise ShapeError(
            f"conv_transpose2d would make images of {output_size[0]}×{output_size[1]} from "
            f"{size[0]}×{size[1]}; use less padding or larger images"
        )
    return ConvolutionPlan.of(
        (input_shape[0], weight_shape[1] * groups, *output_size),
        weight_shape,
        stride=stride,
        padding=sides,
        dilation=dilation,
        groups=groups,
        flip_kernel=flip_kernel,
        algorithm=algorithm,
    )


def check_transposed_options(weight_shape: Shape, **options: Unpack[TransposedOptions]) -> None:
    """Raise an error unless these options are valid for some image size."""
    stride, dilation = options.get("stride", 1), options.get("dilation", 1)
    padding = options.get("padding", 0)
    _output_padding(options.get("output_padding", 0), stride, dilation, padding)
    check_options(
        weight_shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=options.get("groups", 1),
        algorithm=options.get("algorithm", "auto"),
    )


def _extended(x: Array, convolution: ConvolutionPlan) -> Array:
    """Return x padded with zeros to the size of the convolution's output."""
    sides = _zeros_after(x.shape, convolution)
    return x if sides is None else pad2d(x, sides)


def _zeros_after(input_shape: Shape, convolution: ConvolutionPlan) -> Sides | None:
    """Return by how much the convolution's output is larger than x, as padding, or None."""
    (H, W), (OH, OW) = input_shape[2:], convolution.output_shape[2:]
    return None if (H, W) == (OH, OW) else ((0, OH - H), (0, OW - W))


def _output_padding(
    output_padding: Pair, stride: Pair, dilation: Pair, padding: Padding
) -> tuple[int, int]:
    """Return the output padding, after checking it against the other arguments."""
    spare, steps = pair(output_padding, "output_padding", minimum=0), pair(stride, "stride")
    spread = pair(dilation, "dilation")
    if isinstance(padding, str):
        raise ShapeError(f"transposed convolution needs padding as numbers, not '{padding}'")
    if any(more >= max(s, d) for more, s, d in zip(spare, steps, spread, strict=True)):
        raise ShapeError(
            f"output_padding {spare} must be smaller than the stride {steps} or the "
            f"dilation {spread}"
        )
    return spare
