"""Convolution and its gradients.

Sizes are computed in `geometry`. Padding other than zeros is added first, followed by a convolution
without padding. A flipped kernel is a view of the weight and of its gradient. A transposed
convolution is the input gradient of a convolution. The engine computes what remains:
cross-correlation with zero padding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

import numpy as np

from pellucid import engine, reference
from pellucid.contract import Convolution, Engine
from pellucid.errors import ShapeError
from pellucid.geometry import Sides, Window, pair, resolve_padding
from pellucid.memoize import memoize
from pellucid.ops.checks import check_axes, integer
from pellucid.ops.padding import check_pad_mode, check_sides, padded_shape
from pellucid.types import Array, DType, Padding, PaddingMode, Pair, Shape


class ConvolutionOptions(TypedDict, total=False):
    """The keyword arguments of `conv2d` and of its gradients."""

    stride: Pair
    padding: Padding
    dilation: Pair
    groups: int
    padding_mode: PaddingMode
    flip_kernel: bool
    algorithm: str


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    flip_kernel: bool = False,
    algorithm: str = "auto",
) -> Array:
    """Return the cross-correlation of images with kernels, called convolution in deep learning. ::

        y[n, f, oh, ow] = b[f] + Σ over c, i, j of
                          x[n, c, oh·S + i·D − P, ow·S + j·D − P] · w[f, c, i, j]

    Parameters
    ----------
    x
        Images (N, C, H, W).
    weight
        Kernels (F, C/groups, KH, KW).
    bias
        One value per filter, (F,), or None.
    stride
        Step S of the kernel between outputs. Default: 1.
    padding
        Padding P: all sides, (vertical, horizontal), ((top, bottom), (left, right)), ``"valid"``
        for none, or ``"same"`` for an output of ⌈H / S⌉ × ⌈W / S⌉. Default: 0.
    dilation
        Distance D between the kernel's values. Default: 1.
    groups
        Number of parts into which C and F are split; each part of F depends on its own part of C.
        Default: 1.
    padding_mode
        How padding is filled: ``"zeros"`` (default), ``"reflect"``, ``"replicate"`` or
        ``"circular"``.
    flip_kernel
        Whether to rotate the kernel by 180° first, which gives a convolution in the mathematical
        sense. Default: False.
    algorithm
        ``"auto"`` (default), ``"precise"`` (as auto, but without F(4×4, 3×3), which has the largest
        rounding errors), ``"tuned"`` (by timing, see `engine.tuned`), ``"loops"``, ``"im2col"``,
        ``"fft"``, ``"winograd2"``, ``"winograd4"``, ``"direct"``, or, if each channel has one
        filter, ``"depthwise"``; the reference engine computes the last two by im2col.

    Returns
    -------
    ndarray of shape (N, F, OH, OW)
        The output, with the batch last in memory; see `Window` for its size.

    Raises
    ------
    ShapeError
        Sizes do not fit together.
    PellucidError
        The algorithm does not support this convolution.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d(x, np.array([[[[-1.0, 1.0]]]]))
    array([[[[1., 1.],
             [1., 1.],
             [1., 1.]]]])
    """
    plan = ConvolutionPlan.of(
        x.shape,
        weight.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        flip_kernel=flip_kernel,
        algorithm=algorithm,
    )
    return plan.forward(x, weight, bias)


def conv2d_input_gradient(
    dy: Array, weight: Array, input_shape: Shape, **options: Unpack[ConvolutionOptions]
) -> Array:
    """Return dx of `input_shape`: distribute each output's gradient over the inputs it used.

    The keyword arguments are those of `conv2d`.
    """
    return ConvolutionPlan.of(input_shape, weight.shape, **options).input_gradient(dy, weight)


def conv2d_weight_gradient(
    dy: Array, x: Array, weight_shape: Shape, **options: Unpack[ConvolutionOptions]
) -> Array:
    """Return dw of `weight_shape`: sum each output's gradient times the inputs it used.

    The keyword arguments are those of `conv2d`.
    """
    return ConvolutionPlan.of(x.shape, weight_shape, **options).weight_gradient(dy, x)


def conv2d_bias_gradient(dy: Array) -> Array:
    """Return ``db = Σ dy`` over the batch and all positions, (F,)."""
    return bias_gradient("conv2d_bias_gradient", dy)


def bias_gradient(of: str, dy: Array) -> Array:
    """Return the bias's gradient of a convolution or of a transposed one."""
    check_axes(of, "dy", dy, "N", "F", "OH", "OW")
    return engine.for_floats(of, dy).conv2d_bias_gradient(dy)


@dataclass(frozen=True)
class ConvolutionPlan:
    """A convolution for given shapes of input and weight, with all options checked and resolved.

    Attributes
    ----------
    input_shape
        Shape (N, C, H, W) before padding.
    convolution
        The convolution that the engine computes. Its algorithm is the requested one.
    sides, padding_mode
        Padding that is added beforehand, if it is not zeros.
    flip_kernel
        Whether to rotate the kernel by 180°.
    """

    input_shape: Shape
    convolution: Convolution
    sides: Sides | None
    padding_mode: PaddingMode
    flip_kernel: bool

    @classmethod
    @memoize
    def of(
        cls,
        input_shape: Shape,
        weight_shape: Shape,
        *,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        padding_mode: PaddingMode = "zeros",
        flip_kernel: bool = False,
        algorithm: str = "auto",
    ) -> ConvolutionPlan:
        """Check and resolve the arguments of `conv2d`."""
        groups = integer("conv2d", "groups", groups)
        _check_channels(input_shape, weight_shape, groups)
        check_pad_mode(padding_mode)
        N, C, H, W = input_shape
        kernel = weight_shape[2], weight_shape[3]
        sides: Sides | None = None
        if padding_mode != "zeros":
            steps, spread = pair(stride, "stride"), pair(dilation, "dilation")
            sides = resolve_padding(padding, (H, W), kernel, steps, spread)
            check_sides(sides, (H, W), padding_mode)
            H, W = padded_shape(input_shape, sides)[2:]
            padding = 0
        window = Window.of((H, W), kernel, stride=stride, padding=padding, dilation=dilation)
        convolution = Convolution((N, C, H, W), weight_shape, window, groups, algorithm)
        return cls(input_shape, convolution, sides, padding_mode, flip_kernel)

    @property
    def output_shape(self) -> Shape:
        return self.convolution.output_shape

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """Return y."""
        by = self._engine(x, weight)
        _check_shape("an input", x, self.input_shape)
        check_bias("conv2d", bias, len(weight))
        return by.conv2d(self._padded(x), self.kernel(weight), bias, self.resolved(by))

    def input_gradient(self, dy: Array, weight: Array) -> Array:
        """Return dx."""
        by = self._engine(dy, weight)
        _check_shape("an output's gradient", dy, self.output_shape)
        dx = by.conv2d_input_gradient(dy, self.kernel(weight), self.resolved(by))
        if self.sides is None:
            return dx
        return reference.pad2d_gradient(dx, self.sides, self.padding_mode)

    def weight_gradient(self, dy: Array, x: Array) -> Array:
        """Return dw."""
        by = self._engine(dy, x)
        _check_shape("an output's gradient", dy, self.output_shape)
        _check_shape("an input", x, self.input_shape)
        return self.kernel(by.conv2d_weight_gradient(dy, self._padded(x), self.resolved(by)))

    def kernel(self, weight: Array) -> Array:
        """Return the weight, or its gradient, as it is applied: a view, flipped if requested."""
        return weight[:, :, ::-1, ::-1] if self.flip_kernel else weight

    def resolved(self, by: Engine) -> Convolution:
        """Return the convolution with an algorithm of this engine, chosen and checked."""
        asked = engine.algorithm(self.convolution.algorithm)
        if asked == "tuned":  # the engine caches its measurements
            return _resolve(by, self.convolution, asked)
        return _resolved(by, self.convolution, asked)

    def requested(self) -> Convolution:
        """Return the convolution with the algorithm that was asked for, which may be "auto"."""
        return replace(self.convolution, algorithm=engine.algorithm(self.convolution.algorithm))

    def check_algorithm(self) -> None:
        """Raise an error unless the algorithm exists and supports this convolution."""
        if self.convolution.algorithm != "tuned":  # always supported, and choosing takes time
            engine.current().conv2d_algorithm(self.convolution)

    def algorithm_for(self, dtype: DType) -> str:
        """Return the name of the algorithm that the engine in use chooses for this type.

        Examples
        --------
        >>> with engine.using("reference"):
        ...     ConvolutionPlan.of((1, 3, 8, 8), (4, 3, 5, 5)).algorithm_for("float32")
        'im2col'
        """
        return self.resolved(engine.current(np.empty(0, dtype))).algorithm

    def _engine(self, *operands: Array) -> Engine:
        return engine.for_floats("convolution", *operands)

    def _padded(self, x: Array) -> Array:
        return x if self.sides is None else reference.pad2d(x, self.sides, self.padding_mode, 0.0)


def _resolve(by: Engine, convolution: Convolution, asked: str) -> Convolution:
    name = by.conv2d_algorithm(replace(convolution, algorithm=asked))
    return replace(convolution, algorithm=name)


_resolved = memoize(_resolve)


def check_options(weight_shape: Shape, **options: Unpack[ConvolutionOptions]) -> None:
    """Raise an error unless these options are valid for some image size."""
    kernel = weight_shape[2], weight_shape[3]
    extent = Window(kernel, kernel, dilation=pair(options.get("dilation", 1), "dilation")).extent
    check_pad_mode(options.get("padding_mode", "zeros"))
    options["padding_mode"] = "zeros"  # limits that depend on the image size are not checked here
    input_shape = (1, weight_shape[1] * options.get("groups", 1), *extent)
    ConvolutionPlan.of(input_shape, weight_shape, **options).check_algorithm()


def _check_channels(input_shape: Shape, weight_shape: Shape, groups: int) -> None:
    if len(weight_shape) != 4 or min(weight_shape) < 1:
        raise ShapeError(f"a weight must have the shape (F, C/groups, KH, KW), not {weight_shape}")
    if groups < 1 or weight_shape[0] % groups:
        raise ShapeError(f"{weight_shape[0]} filters cannot be split into {groups} groups")
    if len(input_shape) != 4 or input_shape[1] != weight_shape[1] * groups:
        raise ShapeError(
            f"conv2d with a weight of shape {weight_shape} and groups={groups} expects an input of "
            f"shape (N, {weight_shape[1] * groups}, H, W), got {input_shape}"
        )


def _check_shape(what: str, array: Array, expected: Shape) -> None:
    if array.shape != expected:
        raise ShapeError(f"this convolution expects {what} of shape {expected}, got {array.shape}")


def check_bias(name: str, bias: Array | None, filters: int) -> None:
    """Raise a ShapeError unless the bias has one number for each filter."""
    if bias is not None and bias.shape != (filters,):
        raise ShapeError(f"{name} expects a bias of shape ({filters},), got {bias.shape}")
