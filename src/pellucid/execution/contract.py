"""What an engine that fuses offers beyond `pellucid.contract`: several steps in one pass.

Only `pellucid.execution` knows of it. The type checker holds `pellucid.compiled.fused` to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pellucid import engine
from pellucid.contract import Convolution
from pellucid.geometry import Window
from pellucid.types import Array

if TYPE_CHECKING:
    from pellucid.compiled.conv.deferred import DeferredNorm

Norm = tuple[Array, Array, Array]
"""mean, scale and shift, each (C,): ``(z − mean[c])·scale[c] + shift[c]``."""


class FusedKernels(Protocol):
    """Kernels that do several steps at once, for float32.

    An epilogue is what follows a convolution: ``y = pool(relu(norm(z) + shortcut))``. Each of its
    steps is optional: `norm` and `shortcut` may be None, `relu` false, and a `window` of None does
    not pool.
    """

    def compile_ahead(self, calls: Iterable[Callable[[], object]]) -> object:
        """Compile all that these calls would need, in a rehearsal of them; return what was done."""

    def kept_kernels(self) -> tuple[list[int], Path]:
        """Return the sizes in bytes of the compiled kernels that are kept, and their folder."""

    # Convolutions whose input may be normalised as it is read

    def conv2d(
        self,
        x: Array | DeferredNorm,
        weight: Array,
        bias: Array | None,
        convolution: Convolution,
    ) -> Array:
        """Return the convolution of x."""

    def conv2d_input_gradient(
        self, dy: Array, weight: Array, convolution: Convolution, onto: Array | None = None
    ) -> Array:
        """Return dx, added to `onto` if there is one: an array that may be overwritten."""

    def conv2d_weight_gradient(
        self, dy: Array, x: Array | DeferredNorm, convolution: Convolution
    ) -> Array:
        """Return dw."""

    def reads_deferred(self, convolution: Convolution) -> bool:
        """Return whether it is faster to normalise the input as it is read."""

    # Epilogues

    def epilogue(
        self, z: Array, norm: Norm | None, shortcut: Array | None, relu: bool, window: Window | None
    ) -> tuple[Array, object]:
        """Return y and the cache; a norm is that of inference, for which there is no gradient."""

    def epilogue_gradient(
        self, dy: Array, cache: object, overwrite_dy: bool = False
    ) -> tuple[Array, Array | None, Array]:
        """Return the gradients for z, for the shortcut (None without) and for a bias in z.

        With `overwrite_dy`, dz may be written over dy.
        """

    def norm_epilogue(
        self,
        z: Array,
        weight: Array | None,
        bias: Array | None,
        eps: float,
        shortcut: Array | None,
        relu: bool,
        window: Window | None,
        write: bool = True,
    ) -> tuple[Array | DeferredNorm, Array, Array, object]:
        """Return y with batch normalisation in training first, its mean and variance, the cache.

        Without `write`, y may be left to the convolution that reads it.
        """

    def norm_epilogue_gradient(
        self, dy: Array, cache: object, weight: Array | None, overwrite_dy: bool = False
    ) -> tuple[Array, Array | None, Array, Array]:
        """Return the gradients for z, shortcut, weight and bias."""

    def deferred(self, cache: object) -> DeferredNorm | None:
        """Return y as a convolution computes it from z, where the cache has all that it needs."""

    # Inference with weights that do not change

    def prepare(self, weight: Array, bias: Array, groups: int) -> object:
        """Return weights (F, C/groups, KH, KW) and biases (F,) as `convolve` takes them."""

    def convolve(self, x: Array, weights: object, convolution: Convolution, relu: bool) -> Array:
        """Return the convolution of x with prepared weights, and ReLU if wanted."""

    def transform(self, x: Array, weights: object, relu: bool) -> Array:
        """Return ``x Wᵀ + b`` for x (N, I) and weights (O, I, 1, 1), and ReLU if wanted."""

    def max_pool_values(self, x: Array, window: Window) -> Array:
        """Return the maximum of each window, without where it was."""


def fused_kernels(*operands: Array) -> FusedKernels | None:
    """Return the fused kernels of the engine in force, for these arrays; None if it has none."""
    if engine.name() != "compiled" or any(each.dtype != np.float32 for each in operands):
        return None
    return _compiled()


@cache
def _compiled() -> FusedKernels:
    from pellucid.compiled import fused

    return fused
