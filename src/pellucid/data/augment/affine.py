"""Random rotation, scaling, shear and translation, with bilinear interpolation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.data.augment.base import Augmentation, as_type_of, check_range
from pellucid.types import Array, Generator


@dataclass(frozen=True)
class Affine(Augmentation):
    """Rotate, scale, shear and translate each image about its centre by random amounts.

    Parameters
    ----------
    degrees
        Largest angle of rotation, in either direction.
    scale
        Largest relative change of size: the factor is between 1 − scale and 1 + scale.
    shear
        Largest angle of horizontal shear, in degrees.
    translate
        Largest shift, as a fraction of height and width.

    Examples
    --------
    >>> images, targets = np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1])
    >>> Affine(degrees=10, scale=0.1)(images, targets, np.random.default_rng(0), 2)[0].shape
    (2, 1, 8, 8)
    """

    degrees: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    translate: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("the degrees of Affine", self.degrees, 0, 180)
        check_range("the scale of Affine", self.scale, 0, 0.99)
        check_range("the shear of Affine", self.shear, 0, 80)
        check_range("the shift of Affine (translate)", self.translate, 0, 1)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        N, _, H, W = images.shape
        drawn = generator.uniform(-1, 1, (5, N))
        matrices = forward_matrices(
            np.radians(self.degrees) * drawn[0],
            1 + self.scale * drawn[1],
            np.radians(self.shear) * drawn[2],
        )
        shifts = self.translate * np.stack([H * drawn[3], W * drawn[4]], axis=1)
        return transform(images, matrices, shifts), targets


def forward_matrices(angle: Array, scale: Array, shear: Array) -> Array:
    """Return A = scale · R(angle) · S(shear), (N, 2, 2), for (row, column) relative to the centre.

    A positive angle rotates counter-clockwise in the image (rows run downward)::

        R = | cos a  −sin a |     S = |   1      0 |
            | sin a   cos a |         | tan s    1 |
    """
    cos, sin, one = np.cos(angle), np.sin(angle), np.ones_like(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    skew = np.array([[one, 0 * one], [np.tan(shear), one]])
    # (2, 2, N) × (2, 2, N) -> (N, 2, 2)
    return np.asarray(np.einsum("n,ijn,jkn->nik", scale, turn, skew))


def turned(degrees: float) -> Callable[[Array], Array]:
    """Return a view that turns images counter-clockwise about their centre; outside they are zero.

    It is one of the `views` in which `predict` and `evaluate` look at images.

    >>> turned(90)(np.array([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]], np.uint8))[0, 0].tolist()
    [[3, 6, 9], [2, 5, 8], [1, 4, 7]]
    """
    matrix = forward_matrices(np.radians([degrees]), np.ones(1), np.zeros(1))

    def view(images: Array) -> Array:
        N = len(images)
        return transform(images, np.repeat(matrix, N, axis=0), np.zeros((N, 2)))

    return view


def transform(images: Array, matrices: Array, shifts: Array) -> Array:
    """Transform images by ``p -> A·p + t``, with p = (row, column) relative to the centre.

    Each pixel of the result is interpolated bilinearly at the point that it comes from,
    ``A⁻¹·(p − t)``; the image is surrounded by zeros.

    Parameters
    ----------
    images
        Images (N, C, H, W).
    matrices
        Matrix A of each image, (N, 2, 2).
    shifts
        Shift t of each image in pixels, (N, 2).
    """
    y = np.empty(images.shape, images.dtype)
    some = max(1, _AT_ONCE // max(1, images[:1].size))
    for i in range(0, len(images), some):
        part = slice(i, i + some)
        y[part] = _transformed(images[part], matrices[part], shifts[part])
    return y


_AT_ONCE = 2**16
"""Number of values that are computed at once: few enough for about ten arrays in the cache."""


def _transformed(images: Array, matrices: Array, shifts: Array) -> Array:
    N, C, H, W = images.shape
    middle = np.array([(H - 1) / 2, (W - 1) / 2])
    targets = np.indices((H, W)).reshape(2, H * W) - middle[:, None]
    inverses = np.linalg.inv(matrices)
    # (2·N, 2) × (2, H·W) -> (2·N, H·W), and (N, 2, 2) × (N, 2, 1) -> (N, 2, 1)
    sources = (inverses.reshape(2 * N, 2) @ targets).reshape(N, 2, H * W)
    sources += middle[:, None] - inverses @ shifts[:, :, None]
    dtype = np.result_type(images.dtype, np.float32)
    top, below = _neighbours(sources[:, 0], H, dtype)
    left, beside = _neighbours(sources[:, 1], W, dtype)
    padded = np.zeros((N, C, H + 2, W + 2), images.dtype)  # a ring of zeros around
    padded[:, :, 1:-1, 1:-1] = images
    plane = (H + 2) * (W + 2)
    starts = np.arange(N * C).reshape(N, C, 1) * plane  # of each channel of each image
    corner = starts + ((top + 1) * (W + 2) + left + 1)[:, None]  # (N, C, H·W)

    def at(offset: int) -> Array:
        return np.asarray(padded.ravel()[offset:].take(corner))

    y = (1 - below) * ((1 - beside) * at(0) + beside * at(1))
    y += below * ((1 - beside) * at(W + 2) + beside * at(W + 3))
    return as_type_of(images, y.reshape(N, C, H, W))


def _neighbours(position: Array, size: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Return the pixel before each position, and the weight of the one after it.

    Positions more than a pixel outside count as one pixel outside, where the image is zero.
    """
    inside = np.clip(position, -1, size)
    before = np.minimum(np.floor(inside), size - 1)
    weight = (inside - before).astype(dtype)
    return before.astype(np.intp), weight[:, None]
