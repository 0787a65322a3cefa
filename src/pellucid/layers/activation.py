"""Activation functions.

Each layer names its pair of operations; the mathematics stands in `pellucid.reference.activation`.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pellucid import ops
from pellucid.arguments import Extended, NotNegative, Positive, Size
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.parameter import Parameter
from pellucid.types import Array, Shape


class _Function(Layer):
    """``y = f(x, …)`` and ``dx = f′(dy, kept, …)``, with the layer's fields as further arguments.

    Of x and y, the derivative `keeps` one: y where either would do, as the next layer keeps it too.
    """

    _value: ClassVar[Callable[..., Array]]
    _gradient: ClassVar[Callable[..., Array]]
    _keeps: ClassVar[Literal["x", "y"]]

    def __init_subclass__(
        cls,
        value: Callable[..., Array],
        gradient: Callable[..., Array],
        keeps: Literal["x", "y"],
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls._value, cls._gradient = staticmethod(value), staticmethod(gradient)
        cls._keeps = keeps

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        self.output_shape(x.shape)
        y = self._value(x, *self._arguments())
        return y, x if self._keeps == "x" else y

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        return self._gradient(dy, cache, *self._arguments())

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def _arguments(self) -> list[Any]:
        assert dataclasses.is_dataclass(self)
        return [getattr(self, argument.name) for argument in dataclasses.fields(self)]


@dataclass(eq=False, repr=False)
class ReLU(_Function, value=ops.relu, gradient=ops.relu_gradient, keeps="y"):
    """``y = max(x, 0)``, and at 0 the derivative is 0. Source: Nair and Hinton 2010.

    >>> import numpy as np
    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """


@dataclass(eq=False, repr=False)
class ReLU6(_Function, value=ops.relu6, gradient=ops.relu6_gradient, keeps="y"):
    """``y = min(max(x, 0), 6)``. Source: Krizhevsky, "Convolutional deep belief networks", 2010.

    >>> import numpy as np
    >>> ReLU6()(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 6.])
    """


@dataclass(eq=False, repr=False)
class LeakyReLU(_Function, value=ops.leaky_relu, gradient=ops.leaky_relu_gradient, keeps="y"):
    """``y = max(x, 0) + a·min(x, 0)``, with a = `negative_slope` ≥ 0. Source: Maas et al. 2013.

    >>> import numpy as np
    >>> LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    negative_slope: NotNegative = 0.01


@dataclass(eq=False, repr=False)
class ELU(_Function, value=ops.elu, gradient=ops.elu_gradient, keeps="y"):
    """``y = max(x, 0) + α·(exp(min(x, 0)) − 1)``, with α ≥ 0. Source: Clevert et al. 2015.

    >>> import numpy as np
    >>> ELU()(np.array([-np.inf, 2.0]))
    array([-1.,  2.])
    """

    alpha: NotNegative = 1.0


@dataclass(eq=False, repr=False)
class SELU(_Function, value=ops.selu, gradient=ops.selu_gradient, keeps="y"):
    """``y = λ·(max(x, 0) + α·(exp(min(x, 0)) − 1))``, λ = 1.0507…, α = 1.6732….

    Source: Klambauer et al., "Self-normalizing neural networks", 2017, eq. 2 and 14.

    >>> import numpy as np
    >>> SELU()(np.array([-np.inf, 1.0])).round(4)
    array([-1.7581,  1.0507])
    """


@dataclass(eq=False, repr=False)
class GELU(_Function, value=ops.gelu, gradient=ops.gelu_gradient, keeps="x"):
    """``y = x·Φ(x)``, Φ the standard normal distribution function.

    With ``approximate="tanh"``, Φ(x) is taken as ``½·(1 + tanh(√(2/π)·(x + 0.044715·x³)))``.
    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016, sec. 2.

    >>> import numpy as np
    >>> GELU()(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """

    approximate: Literal["none", "tanh"] = "none"


@dataclass(eq=False, repr=False)
class SiLU(_Function, value=ops.silu, gradient=ops.silu_gradient, keeps="x"):
    """``y = x·σ(x)``, also called swish. Source: Elfwing et al. 2017, eq. 8.

    >>> import numpy as np
    >>> SiLU()(np.array([0.0, 100.0]))
    array([  0., 100.])
    """


@dataclass(eq=False, repr=False)
class Hardswish(_Function, value=ops.hardswish, gradient=ops.hardswish_gradient, keeps="x"):
    """``y = x·min(max(x + 3, 0), 6)/6``.

    Source: Howard et al., "Searching for MobileNetV3", 2019, sec. 5.2.

    >>> import numpy as np
    >>> Hardswish()(np.array([0.0, 1.5, 4.0]))
    array([0.   , 1.125, 4.   ])
    """


@dataclass(eq=False, repr=False)
class Softplus(_Function, value=ops.softplus, gradient=ops.softplus_gradient, keeps="x"):
    """``y = log(1 + exp(βx))/β``, and x itself where βx > threshold. Source: Dugas et al. 2001.

    >>> import numpy as np
    >>> Softplus()(np.array([0.0, 100.0])).round(4)
    array([  0.6931, 100.    ])
    """

    beta: Positive = 1.0
    threshold: Extended = 20.0


@dataclass(eq=False, repr=False)
class Sigmoid(_Function, value=ops.sigmoid, gradient=ops.sigmoid_gradient, keeps="y"):
    """``y = 1 / (1 + exp(−x))``.

    >>> import numpy as np
    >>> Sigmoid()(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """


@dataclass(eq=False, repr=False)
class Tanh(_Function, value=ops.tanh, gradient=ops.tanh_gradient, keeps="y"):
    """``y = tanh(x)``.

    >>> import numpy as np
    >>> Tanh()(np.array([0.0, 1e4]))
    array([0., 1.])
    """


@dataclass(eq=False, repr=False)
class Softmax(_Function, value=ops.softmax, gradient=ops.softmax_gradient, keeps="y"):
    """``yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)`` along the axis `dim`.

    A classifier is trained on the values before it, with `losses.CrossEntropy`.

    >>> import numpy as np
    >>> Softmax()(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """

    dim: int = 1

    def output_shape(self, input_shape: Shape) -> Shape:
        return _checked_dim(self, self.dim, input_shape)


@dataclass(eq=False, repr=False)
class LogSoftmax(_Function, value=ops.log_softmax, gradient=ops.log_softmax_gradient, keeps="y"):
    """``yᵢ = xᵢ − log Σⱼ exp(xⱼ)`` along the axis `dim`.

    >>> import numpy as np
    >>> LogSoftmax()(np.array([[1000.0, 0.0]]))
    array([[    0., -1000.]])
    """

    dim: int = 1

    def output_shape(self, input_shape: Shape) -> Shape:
        return _checked_dim(self, self.dim, input_shape)


@dataclass(eq=False, repr=False)
class PReLU(Layer):
    """``y = max(x, 0) + a·min(x, 0)``, where a is learned: one number, or one for each channel.

    Its kind is "norm", with the other scales of channels: a is better left out of weight decay.
    Source: He et al., "Delving deep into rectifiers", 2015, sec. 2.1.

    Parameters
    ----------
    num_parameters
        1, or the number of channels (axis 1).
    init
        Where a begins.

    Examples
    --------
    >>> import numpy as np
    >>> PReLU()(np.array([[-1.0, 2.0]]))
    array([[-0.25,  2.  ]])
    """

    num_parameters: Size = 1
    init: float = 0.25
    weight: Parameter = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        start = f"constant:{self.init}"
        self.weight = Parameter("weight", (self.num_parameters,), start, kind="norm")

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        self.output_shape(x.shape)
        return ops.prelu(x, self.weight.value), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        a = self.weight.value
        self.weight.add_gradient(ops.prelu_weight_gradient(dy, cache, a))
        return ops.prelu_input_gradient(dy, cache, a) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        channels = self.num_parameters
        if channels > 1 and (len(input_shape) < 2 or input_shape[1] != channels):
            raise ShapeError(f"PReLU expects {channels} channels, got an input of {input_shape}")
        return input_shape


def _checked_dim(layer: Layer, dim: int, shape: Shape) -> Shape:
    if not -len(shape) <= dim < len(shape):
        raise ShapeError(f"{type(layer).__name__}: an input of shape {shape} has no axis {dim}")
    return shape
