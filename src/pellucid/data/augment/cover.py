"""Cover part of each image: cutout and random erasing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.data.augment.base import Augmentation, as_type_of, check_range, check_whole
from pellucid.errors import DataError
from pellucid.types import Array, Generator

Filling = Literal["zeros", "mean"]
"""What covers an image: zeros, or its mean colour, which leaves the mean of the images as it is."""


@dataclass(frozen=True)
class Cutout(Augmentation):
    """Cover a random square of `size` pixels, which may extend beyond the image.

    The square is filled with zeros, or with the mean colour of the image (`mode` "mean"), so that
    images do not become darker on average.

    Source: DeVries and Taylor, "Improved regularization of convolutional neural networks with
    cutout", 2017. There, images are standardised first, so zero is the mean colour.

    >>> images = np.ones((1, 1, 4, 4), np.uint8)
    >>> int(Cutout(2)(images, np.array([0]), np.random.default_rng(0), 1)[0].sum())
    12
    """

    size: int = 8
    mode: Filling = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("the size of Cutout", self.size, 1)
        _check_mode(self, self.mode)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        N, _, H, W = images.shape
        top = generator.integers(0, H, (N,)) - self.size // 2
        left = generator.integers(0, W, (N,)) - self.size // 2
        inside = boxes((H, W), top, left, top + self.size, left + self.size)
        return _covered(images, inside, self.mode), targets


@dataclass(frozen=True)
class RandomErasing(Augmentation):
    """Cover, with probability `p`, a random rectangle inside the image.

    Its area is a share of the image's from `smallest` to `largest`, and its height a multiple of
    its width from 1/`ratio` to `ratio`, evenly distributed on a logarithmic scale; sides that are
    longer than the image's are cut. It is filled as by `Cutout`.

    Source: Zhong et al., "Random erasing data augmentation", 2017, with noise in the rectangle, and
    the ratio evenly distributed on a linear scale. The limits and the scale are torchvision's.

    >>> images = np.ones((1, 1, 10, 10), np.uint8)
    >>> y, _ = RandomErasing(p=1.0)(images, np.array([0]), np.random.default_rng(3), 1)
    >>> 2 <= int((y == 0).sum()) <= 40
    True
    """

    p: float = 0.5
    smallest: float = 0.02
    largest: float = 0.33
    ratio: float = 3.3
    mode: Filling = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("the probability p of RandomErasing", self.p, 0, 1)
        check_range("the share `largest` of RandomErasing", self.largest, 0, 1)
        check_range("the share `smallest` of RandomErasing", self.smallest, 0, self.largest)
        check_range("the ratio of RandomErasing", self.ratio, 1)
        _check_mode(self, self.mode)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        N, _, H, W = images.shape
        area = H * W * generator.uniform(self.smallest, self.largest, N)
        ratio = np.exp(math.log(self.ratio) * generator.uniform(-1, 1, N))
        height = np.minimum(np.rint(np.sqrt(area * ratio)), H).astype(int)
        width = np.minimum(np.rint(np.sqrt(area / ratio)), W).astype(int)
        top, left = generator.integers(0, [H + 1 - height, W + 1 - width])
        inside = boxes((H, W), top, left, top + height, left + width)
        inside &= generator.random((N, 1, 1)) < self.p
        return _covered(images, inside, self.mode), targets


def boxes(size: tuple[int, int], top: Array, left: Array, bottom: Array, right: Array) -> Array:
    """Return a mask (N, H, W) of the box of each image, with ends exclusive."""
    rows, columns = np.arange(size[0]), np.arange(size[1])
    in_rows = (rows >= top[:, None]) & (rows < bottom[:, None])
    in_columns = (columns >= left[:, None]) & (columns < right[:, None])
    # (N, H, 1) and (N, 1, W) -> (N, H, W)
    return np.asarray(in_rows[:, :, None] & in_columns[:, None, :])


def _covered(images: Array, inside: Array, mode: Filling) -> Array:
    """Return images (N, C, H, W), filled where the mask (N, H, W) is set."""
    filling = np.zeros((), images.dtype)
    if mode == "mean":
        # in order of the pixels, as the rounding of a sum depends on its order
        means = np.ascontiguousarray(images).mean((2, 3), keepdims=True)
        filling = as_type_of(images, means)
    return np.where(inside[:, None], filling, images)


def _check_mode(augmentation: Augmentation, mode: str) -> None:
    if mode not in ("zeros", "mean"):
        name = type(augmentation).__name__
        raise DataError(f"the mode of {name} is 'zeros' or 'mean', not {mode!r}")
