"""Check whether one function is the adjoint of another, by an inner product on each side.

Convolution is linear in its input and in its weight, so its gradients are adjoints::

    ⟨conv(x, w), dy⟩ = ⟨x, input_gradient(dy, w)⟩ = ⟨w, weight_gradient(dy, x)⟩

and the same holds for pooling, padding, linear layers, and everything that is linear in one of its
arguments. Both sides are exact up to rounding, so this check is sharper than finite differences,
which have an error of their own, and it takes one call each, for any size. It does not check
whether the forward function is correct; definitions and other libraries do that.
"""

import math
from collections.abc import Callable

import numpy as np

from pellucid.types import Array

_ROUNDINGS = 50.0


class AdjointError(AssertionError):
    """Two functions are not adjoint to each other."""


def check_adjoint(
    forward: Callable[[Array], Array],
    adjoint: Callable[[Array], Array],
    x: Array,
    *,
    tolerance: float | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> None:
    """Raise `AdjointError` unless ⟨forward(x), y⟩ = ⟨x, adjoint(y)⟩ for this x and a random y.

    y has a component along forward(x), so that neither side is small by chance: an adjoint that is
    1.001 times too large is found in float32 as well as in float64.

    Parameters
    ----------
    forward
        A linear function of x.
    adjoint
        The supposed adjoint: a function of an array with the shape of forward(x) that returns one
        with the shape of x.
    x
        Point to check at, usually random.
    tolerance
        Largest difference of the two sides, relative to ‖forward(x)‖·‖y‖. Default: 50 roundings of
        the result's type.
    noise
        Additional absolute tolerance, for functions whose rounding errors do not shrink with their
        result, such as Fourier transforms.
    seed
        Seed of y.

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
