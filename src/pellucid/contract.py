"""The interface of an engine: typed signatures of the functions that have two implementations.

The modules `pellucid.reference` and `pellucid.compiled` implement it, and the type checker compares
both with this class. All other mathematics exists only in `pellucid.reference`.

Engines get arguments that `pellucid.ops` has checked and resolved: shapes fit, padding is given as
numbers, and an algorithm has been chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from pellucid.geometry import Window
from pellucid.types import Array, DType, Shape

Arrays = Sequence[Array]
State = Mapping[str, Arrays]
"""State of an optimiser: for each name, one array per parameter."""


@dataclass(frozen=True)
class Convolution:
    """A convolution with zero padding, resolved for given shapes.

    Attributes
    ----------
    input_shape, weight_shape
        Shapes (N, C, H, W) and (F, C/groups, KH, KW).
    window
        How the kernel slides over the image.
    groups
        Number of parts into which C and F are split.
    algorithm
        Name of the algorithm.

    Examples
    --------
    >>> Convolution((64, 3, 32, 32), (16, 3, 5, 5), Window.of((32, 32), 5)).output_shape
    (64, 16, 28, 28)
    """

    input_shape: Shape
    weight_shape: Shape
    window: Window
    groups: int = 1
    algorithm: str = "auto"

    @cached_property
    def output_shape(self) -> Shape:
        """(N, F, OH, OW)."""
        return self.input_shape[0], self.weight_shape[0], *self.window.output_size

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel has exactly one filter."""
        return self.weight_shape[:2] == (self.groups, 1)


class Engine(Protocol):
    """The functions that each engine implements.

    The `cache` that some forward functions return is private to the engine: only the gradient
    functions of the same engine can read it.
    """

    # Convolution, cross-correlation as in every framework

    def conv2d_algorithm(self, convolution: Convolution) -> str:
        """Return the name of the algorithm, choosing one if that is left open.

        Raises
        ------
        PellucidError
            The algorithm does not exist, or does not support this convolution.
        """

    def conv2d(
        self, x: Array, weight: Array, bias: Array | None, convolution: Convolution
    ) -> Array:
        """Return y (N, F, OH, OW) for x (N, C, H, W)."""

    def conv2d_input_gradient(self, dy: Array, weight: Array, convolution: Convolution) -> Array:
        """Return dx (N, C, H, W)."""

    def conv2d_weight_gradient(self, dy: Array, x: Array, convolution: Convolution) -> Array:
        """Return dw (F, C/groups, KH, KW), summed over the batch."""

    def conv2d_bias_gradient(self, dy: Array) -> Array:
        """Return db (F,): the sum over batch and positions."""

    # Linear

    def linear(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """Return ``y = x Wᵀ + b``, (N, …, O)."""

    def linear_input_gradient(self, dy: Array, weight: Array) -> Array:
        """Return ``dx = dy W``, (N, …, I)."""

    def linear_weight_gradient(self, dy: Array, x: Array) -> Array:
        """Return ``dW = Σ dyᵀ x``, (O, I)."""

    def linear_bias_gradient(self, dy: Array) -> Array:
        """Return ``db = Σ dy``, (O,)."""

    # Activations

    def activate(self, function: str, x: Array, *options: float | str) -> Array:
        """Return ``f(x)`` for the name of an activation and its options."""

    def activate_gradient(
        self, function: str, dy: Array, kept: Array, *options: float | str
    ) -> Array:
        """Return ``dy · f′``, found from x or y, whichever the function's gradient takes."""

    def relu(self, x: Array) -> Array:
        """Return ``max(x, 0)``."""

    def relu_gradient(self, dy: Array, y: Array) -> Array:
        """Return ``dy · [y > 0]``."""

    # Batch normalisation of x (N, C, …)

    def batch_norm(
        self,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        mean: Array,
        var: Array,
        eps: float,
    ) -> Array:
        """Return y with a given mean and variance (C,)."""

    def batch_norm_training(
        self, x: Array, weight: Array | None, bias: Array | None, eps: float
    ) -> tuple[Array, Array, Array, object]:
        """Return y with the batch's own statistics, its mean and variance (C,), and the cache."""

    def batch_norm_gradient(
        self, dy: Array, cache: object, weight: Array | None
    ) -> tuple[Array, Array, Array]:
        """Return dx, dweight and dbias of `batch_norm_training`."""

    def running_statistics(
        self,
        running: tuple[Array, Array],
        new: tuple[Array, Array],
        momentum: float,
        count: int,
    ) -> tuple[Array, Array]:
        """Return the next running mean and variance."""

    # Group and layer normalisation

    def group_norm(
        self, x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float
    ) -> tuple[Array, Array, Array, object]:
        """Return y, mean and variance (N, groups) of x (N, C, …), and the cache."""

    def group_norm_gradient(
        self, dy: Array, cache: object, weight: Array | None
    ) -> tuple[Array, Array | None, Array | None]:
        """Return dx, dweight and dbias of `group_norm`; None and None without a weight."""

    def layer_norm(
        self, x: Array, axes: int, weight: Array | None, bias: Array | None, eps: float
    ) -> tuple[Array, object]:
        """Return y, normalised over the last axes of x, and the cache."""

    def layer_norm_gradient(
        self, dy: Array, cache: object, weight: Array | None
    ) -> tuple[Array, Array | None, Array | None]:
        """Return dx, dweight and dbias of `layer_norm`; None and None without a weight."""

    def dropout(self, x: Array, draws: Array, p: float) -> Array:
        """Return ``x · [draws ≥ p] / (1 − p)``."""

    # Pooling

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        """Return the maximum of each window, and which of its values it was."""

    def max_pool2d_gradient(self, dy: Array, indices: Array, window: Window) -> Array:
        """Return dx (N, C, H, W)."""

    def avg_pool2d(self, x: Array, window: Window, count_include_pad: bool) -> Array:
        """Return the mean of each window."""

    def avg_pool2d_gradient(self, dy: Array, window: Window, count_include_pad: bool) -> Array:
        """Return dx (N, C, H, W)."""

    def adaptive_avg_pool2d(self, x: Array, output_size: tuple[int, int]) -> Array:
        """Return the mean of each cell."""

    def adaptive_avg_pool2d_gradient(self, dy: Array, input_shape: Shape) -> Array:
        """Return dx of `input_shape`."""

    def upsample2d(
        self,
        x: Array,
        output_size: tuple[int, int],
        scales: tuple[float | None, float | None],
        mode: str,
        align_corners: bool,
    ) -> Array:
        """Return images resized to `output_size`."""

    def upsample2d_gradient(
        self,
        dy: Array,
        input_shape: Shape,
        scales: tuple[float | None, float | None],
        mode: str,
        align_corners: bool,
    ) -> Array:
        """Return dx of `input_shape`."""

    # Shapes and sums

    def flatten(self, x: Array) -> Array:
        """Return x (N, …) as (N, D)."""

    def unflatten(self, y: Array, shape: Shape) -> Array:
        """Return y (N, D) in `shape`."""

    def concatenate(self, arrays: list[Array], axis: int) -> Array:
        """Return the arrays one after the other."""

    def split(self, x: Array, ends: list[int], axis: int) -> list[Array]:
        """Return the pieces that end before each of `ends`."""

    def total(self, arrays: list[Array]) -> Array:
        """Return the sum of arrays of one shape."""

    def add_to(self, x: Array, y: Array) -> Array:
        """Add y into x and return x."""

    def add_bias(self, x: Array, bias: Array) -> Array:
        """Return x with a number added to each channel; x may be overwritten."""

    # Losses, batches, updates

    def cross_entropy(self, z: Array, a: Array) -> tuple[float, Array]:
        """Return ``−Σ a·log softmax(z)`` and its gradient, (N, K, …)."""

    def mean_squared_error(self, y: Array, t: Array, a: Array) -> tuple[float, Array]:
        """Return ``Σ a·(y − t)²`` and its gradient, (N, …); a is broadcast to y's shape."""

    def binary_cross_entropy(self, z: Array, t: Array, a: Array) -> tuple[float, Array]:
        """Return ``−Σ a·(t·log σ(z) + (1 − t)·log(1 − σ(z)))`` and its gradient, (N, …)."""

    def make_batch(
        self,
        images: Array,
        indices: Array | None,
        factor: Array | None,
        offset: Array | None,
        dtype: DType,
    ) -> Array:
        """Return ``images[indices] · factor + offset``, the latter two one per channel."""

    def sgd(
        self,
        values: Arrays,
        gradients: Arrays,
        state: State,
        decays: Sequence[float],
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
    ) -> None:
        """Make a step of stochastic gradient descent in place."""

    def adam(
        self,
        values: Arrays,
        gradients: Arrays,
        state: State,
        decays: Sequence[float],
        *,
        step: int,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        decoupled: bool,
    ) -> None:
        """Make a step of Adam, AdamW or AMSGrad in place."""

    def are_finite(self, arrays: Arrays) -> bool:
        """Return whether every number is finite."""
