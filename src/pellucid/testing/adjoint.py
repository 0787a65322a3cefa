"""Is one function the adjoint of another? One inner product on each side gives the answer.

Convolution is linear in its input and linear in its weight, and so its gradients are adjoints::

    ⟨conv(x, w), dy⟩ = ⟨x, input_gradient(dy, w)⟩ = ⟨w, weight_gradient(dy, x)⟩

and likewise for pooling, padding, linear layers and everything else that is linear in one of its
arguments. Both sides are exact but for rounding, so this is sharper than differences, which have an
error of their own, and it takes one call each, whatever the size. It does not tell whether the
forward function is the right one: that is what definitions and other libraries are for.
"""

import math
from collections.abc import Callable

import numpy as np

from pellucid.types import Array

_ROUNDINGS = 50.0


class AdjointError(AssertionError):
    """Two functions that should be adjoint to each other are not."""


def check_adjoint(
    forward: Callable[[Array], Array],
    adjoint: Callable[[Array], Array],
    x: Array,
    *,
    tolerance: float | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> None:
    """Raise `AdjointError` unless ⟨forward(x), y⟩ = ⟨x, adjoint(y)⟩ for this x and some y.

    y is random, with a part along forward(x), so that neither side is small by chance: an adjoint
    that is 1.001 times too large is found in float32 as in float64.

    Parameters
    ----------
    forward
        A linear function of x.
    adjoint
        What is to be its adjoint: takes what has the shape of forward(x), returns what has x's.
    x
        Where to try it, usually random.
    tolerance
        How far both sides may differ, relative to ‖forward(x)‖·‖y‖; by default 50 roundings of the
        result's type.
    noise
        How far they may differ besides, for functions whose rounding errors do not get smaller
        where their result does, such as a Fourier transform's.
    seed
        For y.

    Examples
    --------
    >>> matrix = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> check_adjoint(lambda x: matrix @ x, lambda y: matrix.T @ y, np.array([1.0, -1.0]))
    >>> check_adjoint(lambda x: matrix @ x, lambda y: y @ matrix * 1.001, np.array([1.0, -1.0]))
    ... # doctest: +ELLIPSIS
    Traceback (most recent call last):
    pellucid.testing.adjoint.AdjointError: ⟨forward(x), y⟩ is ...
    """
    image = forward(x)
    y = _partly_along(image, seed)
    back = adjoint(y)
    if back.shape != x.shape:
        raise AdjointError(f"adjoint returns shape {back.shape}, expected that of x, {x.shape}")
    there, here = _inner(image, y), _inner(x, back)
    if tolerance is None:
        tolerance = _ROUNDINGS * float(np.finfo(image.dtype).eps)
    allowed = tolerance * _norm(image) * _norm(y) + noise
    if not abs(there - here) <= allowed:
        raise AdjointError(
            f"⟨forward(x), y⟩ is {there:.12g} and ⟨x, adjoint(y)⟩ is {here:.12g}; "
            f"they may differ by {allowed:.3g}"
        )


def _partly_along(image: Array, seed: int) -> Array:
    """Return a random array at an angle of about 45° to `image`."""
    noise = np.random.default_rng(seed).normal(size=image.shape)
    length = _norm(noise)
    return (image / (_norm(image) or 1.0) + noise / (length or 1.0)).astype(image.dtype)


def _inner(a: Array, b: Array) -> float:
    return float(np.sum(a.astype(np.float64) * b.astype(np.float64)))


def _norm(a: Array) -> float:
    return math.sqrt(_inner(a, a))
