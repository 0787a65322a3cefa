"""Convolution and transposed convolution."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from pellucid import ops
from pellucid.arguments import Size
from pellucid.errors import PellucidError, ShapeError
from pellucid.geometry import Window, pair
from pellucid.layers.base import Layer, StepContext
from pellucid.ops.checks import layout_hint
from pellucid.ops.convolution import ConvolutionOptions, ConvolutionPlan, check_options
from pellucid.ops.transposed_convolution import (
    TransposedOptions,
    check_transposed_options,
    transposed,
)
from pellucid.parameter import Parameter
from pellucid.types import Array, Padding, PaddingMode, Pair, Shape


@dataclass(eq=False, repr=False)
class Conv2d(Layer):
    """``y[f] = Σ over c of x[c] ⋆ w[f, c] + b[f]``: apply learned filters at every position.

    ``dx[c] = Σ over f of dy[f] ∗ w[f, c]``, ``dw[f, c] = Σ over n of x[n, c] ⋆ dy[n, f]``,
    ``db[f] = Σ dy[f]``, with ⋆ for cross-correlation and ∗ for convolution; see `ops.conv2d` for
    the sums and `pellucid.reference.conv` for the algorithms.

    Parameters
    ----------
    in_channels, out_channels
        Numbers of channels C and F: the input is (N, C, H, W), the output (N, F, OH, OW).
    kernel_size
        Height and width of the kernel: one int or (vertical, horizontal).
    stride
        Step of the kernel between outputs: one int or (vertical, horizontal). Default: 1.
    padding
        Padding of the image: all sides, (vertical, horizontal), ((top, bottom), (left, right)),
        ``"valid"`` for none, or ``"same"`` for an output of ⌈H / S⌉ × ⌈W / S⌉. Default: 0.
    dilation
        Distance between the kernel's values: one int or (vertical, horizontal). Default: 1.
    groups
        Number of parts into which C and F are split; each part of F depends on its own part of C.
        Default: 1.
    bias
        Whether to add a learned bias b. Default: True.
    padding_mode
        How padding is filled: ``"zeros"`` (default), ``"reflect"``, ``"replicate"`` or
        ``"circular"``.
    flip_kernel
        Whether to rotate the kernel by 180° first, which gives a convolution in the mathematical
        sense. Default: False.
    algorithm
        ``"auto"`` (default), or an algorithm that `pellucid algorithms` lists; see `ops.conv2d`.
    initializer
        Initialisation of w, see `pellucid.initializers`; b starts at 0.

    Examples
    --------
    >>> layer = Conv2d(3, 16, kernel_size=5, stride=2, padding="same")
    >>> layer.output_shape((64, 3, 32, 32))
    (64, 16, 16, 16)
    >>> layer.weight
    Parameter('weight', (16, 3, 5, 5), float32, weight)
    """

    in_channels: Size
    out_channels: Size
    kernel_size: Pair
    stride: Pair = 1
    padding: Padding = 0
    dilation: Pair = 1
    groups: Size = 1
    bias: Parameter | bool = True
    padding_mode: PaddingMode = "zeros"
    flip_kernel: bool = False
    algorithm: str = "auto"
    initializer: str = "he_normal"
    weight: Parameter = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_groups(self)
        kernel = pair(self.kernel_size, "kernel_size")
        shape = (self.out_channels, self.in_channels // self.groups, *kernel)
        check_options(shape, **self._options)
        self.weight = Parameter("weight", shape, self.initializer)
        if self.bias:
            self.bias = Parameter("bias", shape[:1], "zeros", kind="bias")

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        _check_input(self, x.shape)
        return ops.conv2d(x, self.weight.value, self.bias_value, **self._options), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        x, w = cache, self.weight
        w.add_gradient(ops.conv2d_weight_gradient(dy, x, w.shape, **self._options))
        if isinstance(self.bias, Parameter):
            self.bias.add_gradient(ops.conv2d_bias_gradient(dy))
        if not input_gradient:
            return dy
        return ops.conv2d_input_gradient(dy, w.value, x.shape, **self._options)

    def output_shape(self, input_shape: Shape) -> Shape:
        plan = self.plan(input_shape)
        plan.check_algorithm()
        return plan.output_shape

    def multiply_adds(self, input_shape: Shape) -> int:
        N, _, OH, OW = self.output_shape(input_shape)
        return N * OH * OW * math.prod(self.weight.shape)

    def algorithm_for(self, input_shape: Shape) -> str:
        return self.plan(input_shape).algorithm_for(self.weight.dtype)

    def window(self, input_shape: Shape) -> Window:
        """Return how the kernel slides over an input of this shape."""
        return self.plan(input_shape).convolution.window

    def kernel(self) -> Array:
        """Return a copy of the weight as it is applied, flipped if `flip_kernel` is set."""
        weight = self.weight.value
        return weight[:, :, ::-1, ::-1].copy() if self.flip_kernel else weight.copy()

    def plan(self, input_shape: Shape) -> ConvolutionPlan:
        """Check the convolution for an input of this shape, and resolve its options."""
        _check_input(self, input_shape)
        return ConvolutionPlan.of(input_shape, self.weight.shape, **self._options)

    @property
    def bias_value(self) -> Array | None:
        """Values of the bias, or None."""
        return self.bias.value if isinstance(self.bias, Parameter) else None

    @property
    def _options(self) -> ConvolutionOptions:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
            "padding_mode": self.padding_mode,
            "flip_kernel": self.flip_kernel,
            "algorithm": self.algorithm,
        }


@dataclass(eq=False, repr=False)
class ConvTranspose2d(Layer):
    """``y[f] = Σ over c of x[c] ∗ w[c, f] + b[f]`` with the values of x S apart: enlarge images.

    It is the input gradient of a `Conv2d` with x in place of dy. So its own input gradient is a
    convolution, and its weight gradient that of a convolution with x and dy exchanged.

    Parameters
    ----------
    in_channels, out_channels
        Numbers of channels C and F: the input is (N, C, H, W), the output (N, F, H_out, W_out).
    kernel_size
        Height and width of the kernel: one int or (vertical, horizontal).
    stride
        Distance S between the values of x; 2 doubles the size of the image. Default: 1.
    padding
        Number of pixels to crop from each side of the output, as numbers. Default: 0.
    output_padding
        Rows and columns to add at the bottom and right, fewer than the stride or the dilation.
        Default: 0.
    groups
        Number of parts into which C and F are split; each part of F depends on its own part of C.
        Default: 1.
    bias
        Whether to add a learned bias b. Default: True.
    dilation
        Distance between the kernel's values. Default: 1.
    flip_kernel
        Whether to rotate the kernel by 180° first. Default: False.
    algorithm
        ``"auto"`` (default), or an algorithm that `pellucid algorithms` lists.
    initializer
        Initialisation of w, of shape (C, F/groups, KH, KW), see `pellucid.initializers`; b starts
        at 0. The fan-in is the mean number of products per output, C/groups·KH·KW / (SH·SW).

    Examples
    --------
    >>> ConvTranspose2d(16, 8, kernel_size=4, stride=2, padding=1).output_shape((64, 16, 7, 7))
    (64, 8, 14, 14)
    """

    in_channels: Size
    out_channels: Size
    kernel_size: Pair
    stride: Pair = 1
    padding: Padding = 0
    output_padding: Pair = 0
    groups: Size = 1
    bias: Parameter | bool = True
    dilation: Pair = 1
    flip_kernel: bool = False
    algorithm: str = "auto"
    initializer: str = "he_normal"
    weight: Parameter = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_groups(self)
        kernel, steps = pair(self.kernel_size, "kernel_size"), pair(self.stride, "stride")
        shape = (self.in_channels, self.out_channels // self.groups, *kernel)
        check_transposed_options(shape, **self._options)
        taps = math.prod(kernel)
        products = self.in_channels // self.groups * taps // math.prod(steps)
        fan = max(products, 1), shape[1] * taps
        self.weight = Parameter("weight", shape, self.initializer, fan=fan)
        if self.bias:
            self.bias = Parameter("bias", (self.out_channels,), "zeros", kind="bias")

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        _check_input(self, x.shape)
        return ops.conv_transpose2d(x, self.weight.value, self.bias_value, **self._options), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        x, w = cache, self.weight
        w.add_gradient(ops.conv_transpose2d_weight_gradient(dy, x, w.shape, **self._options))
        if isinstance(self.bias, Parameter):
            self.bias.add_gradient(ops.conv_transpose2d_bias_gradient(dy))
        if not input_gradient:
            return dy
        return ops.conv_transpose2d_input_gradient(dy, w.value, x.shape, **self._options)

    def output_shape(self, input_shape: Shape) -> Shape:
        _check_input(self, input_shape)
        convolution = transposed(input_shape, self.weight.shape, **self._options)
        convolution.check_algorithm()
        return convolution.input_shape

    def multiply_adds(self, input_shape: Shape) -> int:
        self.output_shape(input_shape)
        N, _, H, W = input_shape
        return N * H * W * math.prod(self.weight.shape)

    def algorithm_for(self, input_shape: Shape) -> str:
        _check_input(self, input_shape)
        convolution = transposed(input_shape, self.weight.shape, **self._options)
        return convolution.algorithm_for(self.weight.dtype)

    @property
    def bias_value(self) -> Array | None:
        """Values of the bias, or None."""
        return self.bias.value if isinstance(self.bias, Parameter) else None

    @property
    def _options(self) -> TransposedOptions:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "groups": self.groups,
            "dilation": self.dilation,
            "flip_kernel": self.flip_kernel,
            "algorithm": self.algorithm,
        }


def _check_groups(layer: Conv2d | ConvTranspose2d) -> None:
    C, F, groups = layer.in_channels, layer.out_channels, layer.groups
    if C % groups or F % groups:
        raise PellucidError(
            f"{type(layer).__name__}: groups must divide in_channels and out_channels, "
            f"not {C} and {F} with groups={groups}"
        )


def _check_input(layer: Conv2d | ConvTranspose2d, shape: Any) -> None:
    name, channels = type(layer).__name__, layer.in_channels
    if len(shape) == 4 and shape[1] == channels:
        return
    hint = layout_hint(shape, channels)
    if len(shape) != 4:
        raise ShapeError(f"{name} expects images of shape (N, {channels}, H, W), got {shape}{hint}")
    raise ShapeError(
        f"{name} expects {channels} input channels, got an input of shape {shape}{hint}"
    )
