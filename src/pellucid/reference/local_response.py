"""Local response normalisation: divide each value by the strength of neighbouring channels."""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.reference import memory
from pellucid.types import Array


def local_response_norm(
    x: Array, size: int, alpha: float, beta: float, k: float
) -> tuple[Array, Array]:
    """Return ``y_c = x_c · s_c^−β`` with ``s_c = k + α/size · Σ x_j²``, and s for the gradient.

    The sum runs over those channels ``c − ⌊size/2⌋ ≤ j ≤ c + ⌊(size − 1)/2⌋`` that exist.
    Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
    neural networks", 2012, sec. 3.3; with α divided by the size, as in PyTorch.

    >>> import numpy as np
    >>> y, s = local_response_norm(np.array([[3.0]]), size=1, alpha=1.0, beta=0.5, k=0.0)
    >>> y, s
    (array([[1.]]), array([[9.]]))
    """
    s = _neighbours(x * x, size // 2, (size - 1) // 2)
    s *= alpha / size
    s += k
    return x * s**-beta, s


def local_response_norm_gradient(
    dy: Array, x: Array, s: Array, size: int, alpha: float, beta: float
) -> Array:
    """Return ``dx_j = dy_j·s_j^−β − 2αβ/size · x_j · Σ dy_c·x_c·s_c^(−β−1)``.

    The first term is the derivative of the numerator. The second sums over the channels c whose
    window contains j, ``j − ⌊(size − 1)/2⌋ ≤ c ≤ j + ⌊size/2⌋``, the mirrored window.
    """
    direct = dy * s**-beta
    through = _neighbours(direct * x / s, (size - 1) // 2, size // 2)
    through *= x
    through *= -2 * alpha * beta / size
    through += direct
    return through


def _neighbours(x: Array, before: int, after: int) -> Array:
    """Return ``Σ x_j`` over the channels ``c − before ≤ j ≤ c + after`` that exist."""
    total = memory.zeros(x.shape, x.dtype)
    for here, there in _shifts(x.shape[1], before, after):
        total[:, here] += x[:, there]
    return total


def _shifts(channels: int, before: int, after: int) -> Iterator[tuple[slice, slice]]:
    """Yield, for each shift, the channels c for which channel c + shift exists, and the latter."""
    for shift in range(max(-before, 1 - channels), min(after, channels - 1) + 1):
        here = slice(max(0, -shift), min(channels, channels - shift))
        yield here, slice(here.start + shift, here.stop + shift)
