"""Initialise weights.

An initialiser is a text: a name, or a name and a number with a colon in between (``"he_normal"``,
``"constant:0.25"``), so that a layer's description can contain it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.errors import PellucidError, unknown
from pellucid.types import Array, Generator, Shape

__all__ = [
    "Fans",
    "check",
    "draw",
    "fans",
    "whitening",
]


def __dir__() -> list[str]:
    return __all__


Fans = tuple[int, int]


def fans(shape: Shape) -> Fans:
    """Return (fan-in, fan-out), the numbers of inputs per output and of outputs per input.

    They are (C/groups·KH·KW, F·KH·KW) for a kernel (F, C/groups, KH, KW), and (in, out) for a
    matrix (out, in).

    >>> fans((16, 8, 5, 5))
    (200, 400)
    """
    if len(shape) < 2:
        return max(math.prod(shape), 1), max(math.prod(shape), 1)
    taps = math.prod(shape[2:])
    return shape[1] * taps, shape[0] * taps


def draw(initializer: str, shape: Shape, generator: Generator, fan: Fans | None = None) -> Array:
    """Draw float64 values of `shape`.

    Parameters
    ----------
    initializer
        ``he_normal``, ``he_uniform`` (He et al. 2015, eq. 10: variance 2 / fan-in),
        ``glorot_normal``, ``glorot_uniform`` (Glorot and Bengio 2010, eq. 16:
        2 / (fan-in + fan-out)),
        ``lecun_normal``, ``lecun_uniform`` (LeCun et al. 1998, sec. 4.6: 1 / fan-in),
        ``orthogonal`` (Saxe et al. 2014), ``dirac`` (the first kernels copy their channel, others
        are 0: Zagoruyko and Komodakis, "DiracNets", 2017), ``partial_dirac`` (the others are
        uniform with the variance 1 / (3·fan-in), PyTorch's default), ``zeros``, ``ones``,
        ``constant:c``, ``normal:std``, ``uniform:bound``.
    shape
        Shape of the result.
    generator
        Source of the random numbers.
    fan
        (fan-in, fan-out), if they do not follow from `shape`.

    Examples
    --------
    >>> draw("constant:0.25", (2,), np.random.default_rng(0))
    array([0.25, 0.25])
    """
    name, _, argument = initializer.partition(":")
    if name not in _DRAW:
        raise PellucidError(unknown("initializer", name, _DRAW))
    try:
        number = float(argument) if argument else math.nan
    except ValueError:
        raise PellucidError(f"initializer '{initializer}': '{argument}' is not a number") from None
    if (name in _NEEDS_NUMBER) == math.isnan(number):
        form = f"{name}:NUMBER" if name in _NEEDS_NUMBER else name
        raise PellucidError(f"initializer '{initializer}' must have the form '{form}'")
    return _DRAW[name](shape, generator, fan or fans(shape), number)


def whitening(images: Array, kernel_size: tuple[int, int], eps: float = 5e-4) -> Array:
    """Return filters that whiten patches of `images`: their outputs are uncorrelated, of size 1.

    For all patches p of the images as vectors, with the second moments ``E[p pᵀ] = Σ λₖ uₖ uₖᵀ``,
    the filters are ``uₖ / √(λₖ + ε)`` in the order of falling λₖ, followed by the same with the
    opposite sign, because an activation that follows cuts off negative values. The moments are
    not centred: standardised images have the mean 0.

    Source: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, sec. 3.2, after Page,
    "How to train your ResNet 8: bag of tricks", 2019.

    Parameters
    ----------
    images
        Images (N, C, H, W), preprocessed as in training.
    kernel_size
        Height KH and width KW of the patches.
    eps
        ε, which keeps directions of almost no variance from being amplified. Default: 5e-4.

    Returns
    -------
    ndarray of shape (2·C·KH·KW, C, KH, KW)
        The filters, in float64.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(0, 10, (9, 1, 8, 8))
    >>> whitening(images, (1, 1)).round(1).ravel()
    array([ 0.1, -0.1])
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, kernel_size, axis=(2, 3))
    # (N, C, OH, OW, KH, KW) -> (N, OH, OW, C, KH, KW)
    windows = windows.transpose(0, 2, 3, 1, 4, 5)
    size = math.prod(windows.shape[3:])
    moments, count = np.zeros((size, size)), 0
    for start in range(0, len(windows), 512):  # the patches of all take too much memory
        patches = windows[start : start + 512].reshape(-1, size).astype(np.float64)
        moments += patches.T @ patches
        count += len(patches)
    variances, directions = np.linalg.eigh(moments / max(count, 1))
    filters = (directions / np.sqrt(variances + eps)).T[::-1]
    filters *= np.where(filters.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)  # else left to chance
    return np.concatenate([filters, -filters]).reshape(-1, *windows.shape[3:])


def check(initializer: str) -> None:
    """Raise an error if `initializer` is not valid."""
    draw(initializer, (1, 1), np.random.default_rng(0))


def _normal(variance: Callable[[Fans], float]) -> _Draw:
    return lambda shape, generator, fan, _: generator.normal(0.0, math.sqrt(variance(fan)), shape)


def _uniform(variance: Callable[[Fans], float]) -> _Draw:
    def sample(shape: Shape, generator: Generator, fan: Fans, _: float) -> Array:
        bound = math.sqrt(3.0 * variance(fan))  # the variance of a uniform variable on ±b is b²/3
        return generator.uniform(-bound, bound, shape)

    return sample


def _orthogonal(shape: Shape, generator: Generator, _fan: Fans, _number: float) -> Array:
    rows, columns = shape[0], math.prod(shape[1:])
    square = generator.normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(square)
    q *= np.sign(np.diagonal(r))  # makes the distribution uniform over orthogonal matrices
    return np.asarray(q if rows >= columns else q.T).reshape(shape)


def _dirac(shape: Shape, *_: Any) -> Array:
    """Return a kernel (F, C, KH, KW) whose first filters return one channel each unchanged."""
    _check_kernel("dirac", shape)
    kernel = np.zeros(shape)
    for channel in range(min(shape[:2])):
        kernel[(channel, channel, *(size // 2 for size in shape[2:]))] = 1.0
    return kernel


def _partial_dirac(shape: Shape, generator: Generator, fan: Fans, number: float) -> Array:
    """Return `_dirac`, with random filters in place of those that are 0."""
    kernel = _dirac(shape)
    spare = kernel[shape[1] :]
    spare[...] = _DRAW["uniform"](spare.shape, generator, fan, 1 / math.sqrt(fan[0]))
    return kernel


def _check_kernel(initializer: str, shape: Shape) -> None:
    if len(shape) < 2:
        raise PellucidError(f"initializer '{initializer}' is for kernels (F, C, …), not {shape}")


_Draw = Callable[[Shape, Generator, Fans, float], Array]

_DRAW: dict[str, _Draw] = {
    "he_normal": _normal(lambda fan: 2.0 / fan[0]),
    "he_uniform": _uniform(lambda fan: 2.0 / fan[0]),
    "glorot_normal": _normal(lambda fan: 2.0 / sum(fan)),
    "glorot_uniform": _uniform(lambda fan: 2.0 / sum(fan)),
    "lecun_normal": _normal(lambda fan: 1.0 / fan[0]),
    "lecun_uniform": _uniform(lambda fan: 1.0 / fan[0]),
    "orthogonal": _orthogonal,
    "dirac": _dirac,
    "partial_dirac": _partial_dirac,
    "zeros": lambda shape, *_: np.zeros(shape),
    "ones": lambda shape, *_: np.ones(shape),
    "constant": lambda shape, _generator, _fan, number: np.full(shape, number),
    "normal": lambda shape, generator, _, number: generator.normal(0.0, number, shape),
    "uniform": lambda shape, generator, _, number: generator.uniform(-number, number, shape),
}
_NEEDS_NUMBER = {"constant", "normal", "uniform"}
