"""Mix pairs of images, and their targets in the same proportion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.data.augment.base import Augmentation, check_range
from pellucid.data.augment.cover import boxes
from pellucid.errors import DataError
from pellucid.types import Array, Generator


@dataclass(frozen=True)
class Mixup(Augmentation):
    """``x = λ·xᵢ + (1 − λ)·xⱼ`` and the same for the targets, with λ from Beta(α, α).

    λ is drawn for each image, and j is a random permutation of the batch. Images become float32
    (float64 is kept), targets probabilities (N, classes).
    Source: Zhang et al., "mixup: beyond empirical risk minimization", 2018.

    >>> images = np.array([0, 100], np.uint8).reshape(2, 1, 1, 1)
    >>> x, t = Mixup(1.0)(images, np.array([0, 1]), np.random.default_rng(1), 2)
    >>> bool(np.allclose(x.ravel(), 100 * t[:, 1]))
    True
    """

    alpha: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("alpha of Mixup", self.alpha, 1e-3)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        other = generator.permutation(len(images))
        share = generator.beta(self.alpha, self.alpha, len(images))
        weight = share.astype(np.result_type(images.dtype, np.float32))[:, None, None, None]
        mixed = weight * images + (1 - weight) * images[other]
        return mixed, _mixed(as_probabilities(targets, classes), other, share)


@dataclass(frozen=True)
class CutMix(Augmentation):
    """Paste a random box of another image; the targets are mixed in proportion to the areas.

    The box has the image's proportions and the share 1 − λ of its area, with λ from Beta(α, α), and
    a random centre. It is clipped to the image, and λ adjusted to the visible area. Pixels keep
    their type, targets become probabilities (N, classes). Source: Yun et al., "CutMix:
    regularization strategy to train strong classifiers", 2019.

    >>> images = np.array([0, 1], np.uint8).reshape(2, 1, 1, 1) * np.ones((2, 1, 4, 4), np.uint8)
    >>> x, t = CutMix()(images, np.array([0, 1]), np.random.default_rng(1), 2)
    >>> bool(np.allclose(x.mean(axis=(1, 2, 3)), t[:, 1]))
    True
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("alpha of CutMix", self.alpha, 1e-3)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        N, _, H, W = images.shape
        other = generator.permutation(N)
        side = np.sqrt(1 - generator.beta(self.alpha, self.alpha, N))
        row, column = generator.uniform(0, H, N), generator.uniform(0, W, N)
        top, bottom = (np.rint(row + sign * H * side / 2) for sign in (-1, 1))
        left, right = (np.rint(column + sign * W * side / 2) for sign in (-1, 1))
        pasted = boxes((H, W), top, left, bottom, right)
        mixed = np.where(pasted[:, None], images[other], images)
        share = 1 - pasted.mean(axis=(1, 2))
        return mixed, _mixed(as_probabilities(targets, classes), other, share)


def as_probabilities(targets: Array, classes: int) -> Array:
    """Convert targets to float32 probabilities (N, classes).

    >>> as_probabilities(np.array([1, 0]), 2)
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    if targets.ndim == 2 and targets.shape[1] == classes:
        return targets.astype(np.float32, copy=False)
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        raise DataError(
            f"targets must be class numbers (N,) or probabilities (N, {classes}), "
            f"not {targets.dtype} {targets.shape}"
        )
    probabilities = np.zeros((len(targets), classes), np.float32)
    probabilities[np.arange(len(targets)), targets] = 1
    return probabilities


def _mixed(targets: Array, other: Array, share: Array) -> Array:
    weight = share.astype(np.float32)[:, None]
    return np.asarray(weight * targets + (1 - weight) * targets[other])
