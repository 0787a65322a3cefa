"""Functions of each value on its own, without anything learned, and learned scales and shifts."""

import math
from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np

from pellucid import ops
from pellucid.errors import PellucidError, ShapeError
from pellucid.layers.base import Layer, Training
from pellucid.parameter import Parameter
from pellucid.types import Array, Shape


class _Elementwise(Layer):
    """``y = f(x)`` and ``dx = dy · f′(x)``, each value on its own."""

    @abstractmethod
    def value(self, x: Array) -> Array:
        """Return f(x)."""

    @abstractmethod
    def derivative(self, x: Array) -> Array:
        """Return f′(x)."""

    def forward(self, x: Array, training: Training | None = None) -> tuple[Array, Array]:
        return self.value(x), x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        return dy * self.derivative(cache) if input_gradient else dy

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@dataclass(eq=False, repr=False)
class Affine(_Elementwise):
    """``y = scale · x + shift`` with two fixed numbers; ``dx = scale · dy``.

    >>> Affine(scale=2.0, shift=1.0)(np.array([1.0, 2.0]))
    array([3., 5.])
    """

    scale: float = 1.0
    shift: float = 0.0

    def value(self, x: Array) -> Array:
        return x * float(self.scale) + float(self.shift)

    def derivative(self, x: Array) -> Array:
        return np.full_like(x, self.scale)


@dataclass(eq=False, repr=False)
class Power(_Elementwise):
    """``y = xᵖ`` with a fixed p; ``dx = dy · p · xᵖ⁻¹``. p = ½ is the root, p = −1 is 1/x.

    >>> Power(0.5)(np.array([4.0, 9.0]))
    array([2., 3.])
    """

    exponent: float

    def value(self, x: Array) -> Array:
        return np.sqrt(x) if self.exponent == 0.5 else x ** float(self.exponent)

    def derivative(self, x: Array) -> Array:
        return float(self.exponent) * x ** (float(self.exponent) - 1)


@dataclass(eq=False, repr=False)
class Exp(_Elementwise):
    """``y = exp(x)``, which is its own derivative.

    >>> Exp()(np.array([0.0, -np.inf]))
    array([1., 0.])
    """

    def value(self, x: Array) -> Array:
        return np.exp(x)

    def derivative(self, x: Array) -> Array:
        return np.exp(x)


@dataclass(eq=False, repr=False)
class Erf(_Elementwise):
    """``y = 2/√π · ∫₀ˣ exp(−t²) dt``, the error function; ``dx = dy · 2/√π · exp(−x²)``.

    >>> Erf()(np.array([0.0, np.inf]))
    array([0., 1.])
    """

    def value(self, x: Array) -> Array:
        return ops.erf(x)

    def derivative(self, x: Array) -> Array:
        slope: Array = np.exp(-x * x) * (2 / math.sqrt(math.pi))
        return slope


@dataclass(eq=False, repr=False)
class Abs(_Elementwise):
    """``y = |x|``; the derivative is the sign, 0 at 0.

    >>> Abs()(np.array([-1.5, 2.0]))
    array([1.5, 2. ])
    """

    def value(self, x: Array) -> Array:
        return np.abs(x)

    def derivative(self, x: Array) -> Array:
        return np.sign(x)


@dataclass(eq=False, repr=False)
class Clip(_Elementwise):
    """``y = min(max(x, low), high)``; where it cuts, and at the edges, the derivative is 0.

    >>> Clip(0.0, 4.0)(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 4.])
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high):
            raise PellucidError("Clip needs limits that are numbers")

    def value(self, x: Array) -> Array:
        # where low is above high, high holds, as in NumPy, PyTorch and ONNX
        return np.minimum(np.maximum(x, float(self.low)), float(self.high))

    def derivative(self, x: Array) -> Array:
        return ((x > self.low) & (x < self.high)).astype(x.dtype)


@dataclass(eq=False, repr=False)
class HardSigmoid(_Elementwise):
    """``y = min(max(alpha · x + beta, 0), 1)``: the sigmoid in three straight pieces.

    The defaults are PyTorch's; Keras has had alpha 0.2. Source: Courbariaux, Bengio and David,
    "BinaryConnect", 2015.

    >>> HardSigmoid()(np.array([-3.0, 0.0, 1.5]))
    array([0.  , 0.5 , 0.75])
    """

    alpha: float = 1 / 6
    beta: float = 0.5

    def value(self, x: Array) -> Array:
        return np.minimum(np.maximum(x * float(self.alpha) + float(self.beta), 0.0), 1.0)

    def derivative(self, x: Array) -> Array:
        y = self.value(x)
        return ((y > 0) & (y < 1)) * np.full_like(x, self.alpha)


@dataclass(eq=False, repr=False)
class Softsign(_Elementwise):
    """``y = x / (1 + |x|)``; ``dx = dy / (1 + |x|)²``. Source: Bergstra et al. 2009.

    >>> Softsign()(np.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """

    def value(self, x: Array) -> Array:
        return np.asarray(x / (1 + np.abs(x)))

    def derivative(self, x: Array) -> Array:
        root: Array = 1 + np.abs(x)
        return np.asarray(root**-2)


@dataclass(eq=False, repr=False)
class ThresholdedReLU(_Elementwise):
    """``y = x`` where x > alpha, else 0. Source: Konda, Memisevic and Krueger 2014.

    >>> ThresholdedReLU()(np.array([0.5, 1.5]))
    array([0. , 1.5])
    """

    alpha: float = 1.0

    def value(self, x: Array) -> Array:
        return x * self.derivative(x)

    def derivative(self, x: Array) -> Array:
        return (x > self.alpha).astype(x.dtype)


@dataclass(eq=False, repr=False)
class _Learned(Layer):
    """A learned array that is repeated along x, from the last axes on."""

    shape: Shape

    def __post_init__(self) -> None:
        if not all(isinstance(size, int) and size > 0 for size in self.shape):
            raise PellucidError(f"{type(self).__name__} needs sizes of at least 1: {self.shape}")

    def output_shape(self, input_shape: Shape) -> Shape:
        fits = len(self.shape) <= len(input_shape) and all(
            own in (1, given)
            for own, given in zip(self.shape[::-1], input_shape[::-1], strict=False)
        )
        if not fits:
            raise ShapeError(
                f"{type(self).__name__} with the shape {self.shape} cannot be repeated along an "
                f"input of shape {input_shape}"
            )
        return input_shape

    def _gathered(self, dy: Array) -> Array:
        """Return the sum of dy over all places at which one learned value stands."""
        before = tuple(range(dy.ndim - len(self.shape)))
        dy = np.asarray(dy.sum(axis=before))
        repeated = tuple(i for i, size in enumerate(self.shape) if size == 1)
        return np.asarray(dy.sum(axis=repeated, keepdims=True))


@dataclass(eq=False, repr=False)
class Scale(_Learned):
    """``y = x · w`` with a learned w; ``dx = dy · w``, ``dw = Σ dy · x`` where w was repeated.

    Parameters
    ----------
    shape
        Of w: the last axes of x, or 1 where w is repeated; ``(16, 1, 1)`` is one for each channel.

    Examples
    --------
    >>> Scale((16, 1, 1)).output_shape((64, 16, 28, 28))
    (64, 16, 28, 28)
    """

    weight: Parameter = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weight = Parameter("weight", tuple(self.shape), "ones", kind="norm")

    def forward(self, x: Array, training: Training | None = None) -> tuple[Array, Array]:
        self.output_shape(x.shape)
        return x * self.weight.value, x

    def backward(self, dy: Array, cache: Array, *, input_gradient: bool = True) -> Array:
        self.weight.add_gradient(self._gathered(dy * cache))
        return dy * self.weight.value if input_gradient else dy


@dataclass(eq=False, repr=False)
class Shift(_Learned):
    """``y = x + b`` with a learned b; ``db = Σ dy`` where b was repeated.

    Parameters
    ----------
    shape
        Of b: the last axes of x, or 1 where b is repeated; ``(16, 1, 1)`` is one for each channel.

    Examples
    --------
    >>> Shift((10,)).output_shape((64, 10))
    (64, 10)
    """

    bias: Parameter = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.bias = Parameter("bias", tuple(self.shape), "zeros", kind="bias")

    def forward(self, x: Array, training: Training | None = None) -> tuple[Array, None]:
        self.output_shape(x.shape)
        return x + self.bias.value, None

    def backward(self, dy: Array, cache: None, *, input_gradient: bool = True) -> Array:
        self.bias.add_gradient(self._gathered(dy))
        return dy
