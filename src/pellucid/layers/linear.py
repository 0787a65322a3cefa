"""The linear (fully connected) layer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pellucid import ops
from pellucid.arguments import Size
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.parameter import Parameter
from pellucid.types import Array, Shape


@dataclass(eq=False, repr=False)
class Linear(Layer):
    """``y = x Wᵀ + b`` along the last axis: each output is a weighted sum of all inputs.

    ``dx = dy W``, ``dW = Σ dyᵀ x``, ``db = Σ dy``, with sums over the batch.

    Parameters
    ----------
    in_features, out_features
        Sizes of the last axis: the input is (N, …, in_features), the output (N, …, out_features).
    bias
        Whether to add a learned bias b. Default: True.
    initializer
        Initialisation of W, see `pellucid.initializers`; b starts at 0.

    Examples
    --------
    >>> layer = Linear(400, 10)
    >>> layer.output_shape((64, 400))
    (64, 10)
    >>> layer.weight
    Parameter('weight', (10, 400), float32, weight)
    """

    in_features: Size
    out_features: Size
    bias: Parameter | bool = True
    initializer: str = "he_normal"
    weight: Parameter = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.out_features, self.in_features
        self.weight = Parameter("weight", shape, self.initializer)
        if self.bias:
            self.bias = Parameter("bias", shape[:1], "zeros", kind="bias")

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        self.output_shape(x.shape)
        bias = self.bias.value if isinstance(self.bias, Parameter) else None
        return ops.linear(x, self.weight.value, bias), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        self.weight.add_gradient(ops.linear_weight_gradient(dy, cache))
        if isinstance(self.bias, Parameter):
            self.bias.add_gradient(ops.linear_bias_gradient(dy))
        return ops.linear_input_gradient(dy, self.weight.value) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 2 or input_shape[-1] != self.in_features:
            hint = "; add a Flatten before it" if len(input_shape) > 2 else ""
            raise ShapeError(
                f"Linear expects an input of shape (N, …, {self.in_features}), "
                f"got {input_shape}{hint}"
            )
        return *input_shape[:-1], self.out_features

    def multiply_adds(self, input_shape: Shape) -> int:
        return math.prod(input_shape) * self.out_features
