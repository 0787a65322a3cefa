"""Layer, group and local response normalisation: the same in training and inference."""

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
    """``y = (x − mean)/√(var + eps)·w + b``, mean and variance over the last axes, per image.

    For the gradient see `pellucid.reference.normalization.standardize_gradient`.
    Source: Ba, Kiros and Hinton, "Layer normalization", 2016, eq. 4.

    Parameters
    ----------
    normalized_shape
        The last axes of the input, which share mean and variance; one int for one axis.
    eps
        Keeps the root away from 0.
    elementwise_affine
        Whether w and b, of that shape, are learned; else they are 1 and 0.
    bias
        Whether b is learned.

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
            raise PellucidError("LayerNorm needs a normalized_shape of one axis or more, not ()")
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

    Neighbouring channels form a group; scale and shift are one per channel. For the gradient see
    `pellucid.reference.normalization.standardize_gradient`.
    Source: Wu and He, "Group normalization", 2018, eq. 7.

    Parameters
    ----------
    num_groups
        Divides num_channels.
    num_channels
        C.
    eps
        Keeps the root away from 0.
    affine
        Whether w and b are learned; else they are 1 and 0.

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
                "GroupNorm needs a number of groups that divides the channels, "
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
    """``y_c = x_c / (k + α/size · Σ x_j²)^β``, the sum over `size` channels j around c.

    Strong values quieten their neighbours. With s_c the bracket, ``dx_j = dy_j·s_j^−β − 2αβ/size ·
    x_j · Σ dy_c·x_c·s_c^(−β−1)``, the sum over the channels c in whose brackets j stands. Source:
    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
    networks", 2012, sec. 3.3; with α divided by the size, as in PyTorch.

    Parameters
    ----------
    size
        How many channels are summed: ``c − ⌊size/2⌋ ≤ j ≤ c + ⌊(size − 1)/2⌋``.
    alpha, beta, k
        As in the formula.

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
