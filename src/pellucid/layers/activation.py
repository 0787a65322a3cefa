"""Activation functions; their formulas are in `pellucid.reference.activation`.

For the backward pass, each layer keeps its input x or its output y, whichever the gradient needs;
where both would do, it keeps y, because the next layer keeps that anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pellucid import ops
from pellucid.arguments import Extended, NotNegative, Positive, Size
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.ops.checks import check_floating
from pellucid.parameter import Parameter
from pellucid.reference import activation as f
from pellucid.types import Array, Shape


class Activation(Layer, abstract=True):
    """A function of each value, whose output has the shape of its input."""

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def check(self, x: Array) -> None:
        """Raise an error if x is not a valid input."""
        self.output_shape(x.shape)
        check_floating(type(self).__name__, x)


@dataclass(eq=False, repr=False)
class ReLU(Activation):
    """``y = max(x, 0)``; the derivative at 0 is taken as 0. Source: Nair and Hinton 2010.

    >>> import numpy as np
    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        y = ops.relu(x)
        return y, y

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        y = cache
        return ops.relu_gradient(dy, y)


@dataclass(eq=False, repr=False)
class ReLU6(Activation):
    """``y = min(max(x, 0), 6)``. Source: Krizhevsky, "Convolutional deep belief networks", 2010.

    >>> import numpy as np
    >>> ReLU6()(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 6.])
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        y = ops.relu6(x)
        return y, y

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        y = cache
        return ops.relu6_gradient(dy, y)


@dataclass(eq=False, repr=False)
class LeakyReLU(Activation):
    """``y = max(x, 0) + a·min(x, 0)``, with a = `negative_slope` ≥ 0. Source: Maas et al. 2013.

    >>> import numpy as np
    >>> LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    negative_slope: NotNegative = 0.01

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        y = ops.leaky_relu(x, self.negative_slope)
        return y, y

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        y = cache
        return ops.leaky_relu_gradient(dy, y, self.negative_slope)


@dataclass(eq=False, repr=False)
class ELU(Activation):
    """``y = max(x, 0) + α·(exp(min(x, 0)) − 1)``, with α ≥ 0. Source: Clevert et al. 2015.

    >>> import numpy as np
    >>> ELU()(np.array([-np.inf, 2.0]))
    array([-1.,  2.])
    """

    alpha: NotNegative = 1.0

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        y = ops.elu(x, self.alpha)
        return y, y

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        y = cache
        return ops.elu_gradient(dy, y, self.alpha)


@dataclass(eq=False, repr=False)
class SELU(Activation):
    """``y = λ·(max(x, 0) + α·(exp(min(x, 0)) − 1))``, λ = 1.0507…, α = 1.6732….

    Source: Klambauer et al., "Self-normalizing neural networks", 2017, eq. 2 and 14.

    >>> import numpy as np
    >>> SELU()(np.array([-np.inf, 1.0])).round(4)
    array([-1.7581,  1.0507])
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        y = ops.selu(x)
        return y, y

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        y = cache
        return ops.selu_gradient(dy, y)


@dataclass(eq=False, repr=False)
class GELU(Activation):
    """``y = x·Φ(x)``, Φ the standard normal distribution function.

    With ``approximate="tanh"``, Φ(x) is approximated by ``½·(1 + tanh(√(2/π)·(x + 0.044715·x³)))``.
    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016, sec. 2.

    >>> import numpy as np
    >>> GELU()(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """

    approximate: Literal["none", "tanh"] = "none"

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        return ops.gelu(x, self.approximate), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        x = cache
        return ops.gelu_gradient(dy, x, self.approximate)


@dataclass(eq=False, repr=False)
class SiLU(Activation):
    """``y = x·σ(x)``, also called swish. Source: Elfwing et al. 2017, eq. 8.

    >>> import numpy as np
    >>> SiLU()(np.array([0.0, 100.0]))
    array([  0., 100.])
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        return ops.silu(x), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        x = cache
        return ops.silu_gradient(dy, x)


@dataclass(eq=False, repr=False)
class Hardswish(Activation):
    """``y = x·min(max(x + 3, 0), 6)/6``.

    Source: Howard et al., "Searching for MobileNetV3", 2019, sec. 5.2.

    >>> import numpy as np
    >>> Hardswish()(np.array([0.0, 1.5, 4.0]))
    array([0.   , 1.125, 4.   ])
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        return ops.hardswish(x), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        x = cache
        return ops.hardswish_gradient(dy, x)


@dataclass(eq=False, repr=False)
class Softplus(Activation):
    """``y = log(1 + exp(βx))/β``, or x itself if βx > threshold. Source: Dugas et al. 2001.

    >>> import numpy as np
    >>> Softplus()(np.array([0.0, 100.0])).round(4)
    array([  0.6931, 100.    ])
    """

    beta: Positive = 1.0
    threshold: Extended = 20.0

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        return ops.softplus(x, self.beta, self.threshold), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        x = cache
        return ops.softplus_gradient(dy, x, self.beta, self.threshold)


@dataclass(eq=False, repr=False)
class Sigmoid(Activation):
    """``y = 1 / (1 + exp(−x))``.

    >>> import numpy as np
    >>> Sigmoid()(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        y = ops.sigmoid(x)
        return y, y

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        y = cache
        return ops.sigmoid_gradient(dy, y)


@dataclass(eq=False, repr=False)
class Tanh(Activation):
    """``y = tanh(x)``.

    >>> import numpy as np
    >>> Tanh()(np.array([0.0, 1e4]))
    array([0., 1.])
    """

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array]:
        y = ops.tanh(x)
        return y, y

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        y = cache
        return ops.tanh_gradient(dy, y)


@dataclass(eq=False, repr=False)
class PReLU(Layer):
    """``y = max(x, 0) + a·min(x, 0)`` with learned slopes a: one for all, or one per channel.

    Its parameter is of the kind "norm", like other scales of channels, and so exempt from weight
    decay by default.
    Source: He et al., "Delving deep into rectifiers", 2015, sec. 2.1.

    Parameters
    ----------
    num_parameters
        1 (default), or the number of channels (axis 1).
    init
        Initial value of the slopes. Default: 0.25.

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
        return f.prelu(x, self.weight.value), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        a = self.weight.value
        self.weight.add_gradient(f.prelu_weight_gradient(dy, cache, a))
        return f.prelu_input_gradient(dy, cache, a) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        channels = self.num_parameters
        if channels > 1 and (len(input_shape) < 2 or input_shape[1] != channels):
            raise ShapeError(f"PReLU expects {channels} channels, got an input of {input_shape}")
        return input_shape
