"""Layer, group and local response normalisation, which are the same in training and inference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pellucid import ops
from pellucid.arguments import NotNegative, Size
from pellucid.errors import PellucidError, ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.parameter import Parameter
from pellucid.types import Array, Shape


@dataclass(eq=False, repr=False)
class LayerNorm(Layer):
    """``y = (x − mean)/√(var + eps)·w + b``, with mean and variance over the last axes.

    The gradient is derived in `pellucid.reference.normalization.standardize_gradient`.
    Source: Ba, Kiros and Hinton, "Layer normalization", 2016, eq. 4.

    Parameters
    ----------
    normalized_shape
        Sizes of the last axes, over which mean and variance are computed; one int for one axis.
    eps
        Added to the variance for numerical stability. Default: 1e-5.
    elementwise_affine
        Whether w and b, of shape `normalized_shape`, are learned; otherwise they are 1 and 0.
        Default: True.
    bias
        Whether b is learned; otherwise it is 0. Default: True.

    Examples
    --------
    >>> layer = LayerNorm((16, 7, 7))
    >>> layer.output_shape((64, 16, 7, 7))
    (64, 16, 7, 7)
    >>> layer.weight.shape
    (16, 7, 7)
    """

    normalized_shape: Size | tuple[Size, ...]
    eps: NotNegative = 1e-5
    elementwise_affine: bool = True
    bias: Parameter | bool = True
    weight: Parameter | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self._shape
        if not shape:
            raise PellucidError("LayerNorm needs a normalized_shape of at least one axis, not ()")
        if self.elementwise_affine:
            self.weight = Parameter("weight", shape, "ones", kind="norm")
        if self.elementwise_affine and self.bias:
            self.bias = Parameter("bias", shape, "zeros", kind="norm")

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Any]:
        self.output_shape(x.shape)
        bias = self.bias.value if isinstance(self.bias, Parameter) else None
        return ops.layer_norm(x, self._shape, self._weight_value(), bias, self.eps)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array:
        dx, dweight, dbias = ops.layer_norm_gradient(dy, cache, self._weight_value())
        if self.weight is not None and dweight is not None:
            self.weight.add_gradient(dweight)
        if isinstance(self.bias, Parameter) and dbias is not None:
            self.bias.add_gradient(dbias)
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        axes = len(self._shape)
        if len(input_shape) <= axes or input_shape[-axes:] != self._shape:
            last = ", ".join(map(str, self._shape))
            raise ShapeError(
                f"LayerNorm expects an input of shape (N, …, {last}), got {input_shape}"
            )
        return input_shape

    @property
    def _shape(self) -> Shape:
        shape = self.normalized_shape
        return (shape,) if isinstance(shape, int) else tuple(shape)

    def _weight_value(self) -> Array | None:
        return None if self.weight is None else self.weight.value


@dataclass(eq=False, repr=False)
class GroupNorm(Layer):
    """``y = (x − mean)/√(var + eps)·w + b``, mean and variance per image and group of channels.

    A group consists of consecutive channels; scale and shift are per channel. A group of a single
    value equals its mean, so y is b whatever x is; PyTorch computes the same for several images,
    but raises an error for one. The gradient is derived in
    `pellucid.reference.normalization.standardize_gradient`.
    Source: Wu and He, "Group normalization", 2018, eq. 7.

    Parameters
    ----------
    num_groups
        Number of groups, a divisor of `num_channels`.
    num_channels
        Number of channels C.
    eps
        Added to the variance for numerical stability. Default: 1e-5.
    affine
        Whether w and b are learned; otherwise they are 1 and 0. Default: True.

    Examples
    --------
    >>> GroupNorm(4, 16).output_shape((64, 16, 28, 28))
    (64, 16, 28, 28)
    """

    num_groups: Size
    num_channels: Size
    eps: NotNegative = 1e-5
    affine: bool = True
    weight: Parameter | None = field(init=False, default=None)
    bias: Parameter | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_channels % self.num_groups:
            raise PellucidError(
                "GroupNorm: num_groups must divide num_channels, "
                f"not {self.num_groups} groups of {self.num_channels} channels"
            )
        if self.affine:
            self.weight = Parameter("weight", (self.num_channels,), "ones", kind="norm")
            self.bias = Parameter("bias", (self.num_channels,), "zeros", kind="norm")

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Any]:
        self.output_shape(x.shape)
        weight = None if self.weight is None else self.weight.value
        bias = None if self.bias is None else self.bias.value
        y, _, _, cache = ops.group_norm(x, self.num_groups, weight, bias, self.eps)
        return y, cache

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array:
        weight = None if self.weight is None else self.weight.value
        dx, dweight, dbias = ops.group_norm_gradient(dy, cache, weight)
        for parameter, gradient in ((self.weight, dweight), (self.bias, dbias)):
            if parameter is not None and gradient is not None:
                parameter.add_gradient(gradient)
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 2 or input_shape[1] != self.num_channels:
            raise ShapeError(
                f"GroupNorm expects an input of shape (N, {self.num_channels}, …), "
                f"got {input_shape}"
            )
        return input_shape


@dataclass(eq=False, repr=False)
class LocalResponseNorm(Layer):
    """``y_c = x_c / (k + α/size · Σ x_j²)^β``, with the sum over `size` channels j around c.

    Strong activations inhibit those of neighbouring channels. With s_c the base of the power,
    ``dx_j = dy_j·s_j^−β − 2αβ/size · x_j · Σ dy_c·x_c·s_c^(−β−1)``, with the sum over the channels
    c whose window contains j. Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification
    with deep convolutional neural networks", 2012, sec. 3.3; with α divided by the size, as in
    PyTorch.

    Parameters
    ----------
    size
        Number of channels in the sum: ``c − ⌊size/2⌋ ≤ j ≤ c + ⌊(size − 1)/2⌋``.
    alpha, beta, k
        Constants of the formula. Default: 1e-4, 0.75 and 1.

    Examples
    --------
    >>> LocalResponseNorm(5).output_shape((64, 16, 28, 28))
    (64, 16, 28, 28)
    """

    size: Size
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def forward(
        self, x: Array, training: StepContext | None = None
    ) -> tuple[Array, tuple[Array, Array]]:
        self.output_shape(x.shape)
        y, s = ops.local_response_norm(x, self.size, self.alpha, self.beta, self.k)
        return y, (x, s)

    def backward(
        self, dy: Array, cache: tuple[Array, Array], *, input_gradient: bool = True
    ) -> Array:
        if not input_gradient:
            return dy
        return ops.local_response_norm_gradient(dy, *cache, self.size, self.alpha, self.beta)

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 3:
            raise ShapeError(f"LocalResponseNorm expects images (N, C, …), got {input_shape}")
        return input_shape
