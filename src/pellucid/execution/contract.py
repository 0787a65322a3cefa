"""The interface of fused kernels, which an engine may offer beyond `pellucid.contract`.

Only `pellucid.execution` uses it. The type checker compares `pellucid.compiled.fused` with it.
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
"""Mean, scale and shift, each (C,): ``(z − mean[c])·scale[c] + shift[c]``."""


class FusedKernels(Protocol):
    """Kernels that compute several steps at once, for float32.

    An epilogue is what follows a convolution: ``y = pool(relu(norm(z) + shortcut))``. Each step is
    optional: `norm` and `shortcut` may be None, `relu` False, and `window` None (no pooling).
    """

    def compile_ahead(self, calls: Iterable[Callable[[], object]]) -> object:
        """Compile all kernels that these calls need, by rehearsing them; return what was done."""

    def kept_kernels(self) -> tuple[list[int], Path]:
        """Return the sizes in bytes of the compiled kernels on disk, and their folder."""

    # Convolutions that may normalise their input as they read it

    def conv2d(
        self,
        x: Array | DeferredNorm,
        weight: Array,
        bias: Array | None,
        convolution: Convolution,
        relu: bool = False,
    ) -> Array:
        """Return the convolution of x, followed by ReLU if `relu`."""

    def conv2d_input_gradient(
        self, dy: Array, weight: Array, convolution: Convolution, onto: Array | None = None
    ) -> Array:
        """Return dx, added to `onto` if given: an array that may be overwritten."""

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
        """Return y and the cache; `norm` is that of inference, which has no gradient."""

    def relu_cache(self, y: Array) -> object:
        """Return the cache of an epilogue that is a ReLU alone, which `conv2d` has computed."""

    def epilogue_gradient(
        self, dy: Array, cache: object, overwrite_dy: bool = False
    ) -> tuple[Array, Array | None, Array]:
        """Return the gradients for z, for the shortcut (or None) and for a bias in z.

        With `overwrite_dy`, dz may be written to the memory of dy.
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
        """Apply batch normalisation in training first; return y, mean, variance and the cache.

        Without `write`, y may be left to the convolution that reads it.
        """

    def norm_epilogue_gradient(
        self, dy: Array, cache: object, weight: Array | None, overwrite_dy: bool = False
    ) -> tuple[Array, Array | None, Array, Array]:
        """Return the gradients for z, shortcut, weight and bias."""

    def deferred(self, cache: object) -> DeferredNorm | None:
        """Return y in the form that a convolution computes from z, if the cache suffices."""

    # Inference with constant weights

    def prepare(self, weight: Array, bias: Array, groups: int) -> object:
        """Convert weights (F, C/groups, KH, KW) and biases (F,) to the layout of `convolve`."""

    def convolve(
        self,
        x: Array,
        weights: object,
        convolution: Convolution,
        relu: bool,
        shortcut: Array | None = None,
    ) -> Array:
        """Return the convolution of x with prepared weights plus the shortcut, then ReLU."""

    def transform(self, x: Array, weights: object, relu: bool) -> Array:
        """Return ``x Wᵀ + b`` for x (N, I) and weights (O, I, 1, 1), followed by ReLU if `relu`.

        Images x (N, C, H, W), with weights (O, C, H, W), are flattened.
        """

    def max_pool_values(self, x: Array, window: Window) -> Array:
        """Return the maximum of each window, without its position."""


def fused_kernels(*operands: Array) -> FusedKernels | None:
    """Return the fused kernels of the engine in use for these arrays, or None."""
    if engine.name() != "compiled" or any(each.dtype != np.float32 for each in operands):
        return None
    return _compiled()


@cache
def _compiled() -> FusedKernels:
    from pellucid.compiled import fused

    return fused
