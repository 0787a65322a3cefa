"""Random crops, flips and cutout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.arguments import as_integer
from pellucid.data.augment.base import Augmentation, check_range
from pellucid.errors import DataError
from pellucid.types import Array, Generator


@dataclass(frozen=True)
class RandomCrop(Augmentation):
    """Pad all sides with zeros and crop to the original size, which shifts by up to `padding`.

    Source: Lee et al., "Deeply-supervised nets", 2015, and He et al., 2015, sec. 4.2, with 4
    pixels.

    >>> images = np.arange(4, dtype=np.uint8).reshape(1, 1, 2, 2)
    >>> RandomCrop(padding=1)(images, np.array([0]), np.random.default_rng(2), 1)[0].tolist()
    [[[[0, 2], [0, 0]]]]
    """

    padding: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_whole("the padding of RandomCrop", self.padding, 0)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        offsets = generator.integers(0, 2 * self.padding + 1, (2, len(images)))
        return crop(images, self.padding, *offsets), targets


def crop(images: Array, padding: int, top: Array, left: Array) -> Array:
    """Return the crop of each padded image that starts at its (`top`, `left`).

    ``y[n, c, h, w] = x[n, c, h + top[n] − padding, w + left[n] − padding]``, zero outside of x.
    """
    N, C, H, W = images.shape
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding), images.dtype)
    padded[:, :, padding : padding + H, padding : padding + W] = images
    windows = np.lib.stride_tricks.sliding_window_view(padded, (H, W), axis=(2, 3))
    return np.asarray(windows[np.arange(N), :, top, left])


@dataclass(frozen=True)
class RandomFlip(Augmentation):
    """Mirror each image with probability `p`, left to right or, if not `horizontal`, top to bottom.

    >>> images = np.arange(2, dtype=np.uint8).reshape(1, 1, 1, 2)
    >>> RandomFlip(p=1.0)(images, np.array([0]), np.random.default_rng(0), 1)[0].ravel()
    array([1, 0], dtype=uint8)
    """

    p: float = 0.5
    horizontal: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("the probability p of RandomFlip", self.p, 0, 1)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        chosen = generator.random(len(images)) < self.p
        mirrored = images[..., ::-1] if self.horizontal else images[:, :, ::-1]
        return np.where(chosen[:, None, None, None], mirrored, images), targets


@dataclass(frozen=True)
class Cutout(Augmentation):
    """Set a random square of `size` pixels to zero; it may extend beyond the image.

    Source: DeVries and Taylor, "Improved regularization of convolutional neural networks with
    cutout", 2017.

    >>> images = np.ones((1, 1, 4, 4), np.uint8)
    >>> int(Cutout(2)(images, np.array([0]), np.random.default_rng(0), 1)[0].sum())
    12
    """

    size: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_whole("the size of Cutout", self.size, 1)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        N, _, H, W = images.shape
        top = generator.integers(0, H, (N,)) - self.size // 2
        left = generator.integers(0, W, (N,)) - self.size // 2
        inside = boxes((H, W), top, left, top + self.size, left + self.size)
        return np.where(inside[:, None], images.dtype.type(0), images), targets


def boxes(size: tuple[int, int], top: Array, left: Array, bottom: Array, right: Array) -> Array:
    """Return a mask (N, H, W) of the box of each image, with ends exclusive."""
    rows, columns = np.arange(size[0]), np.arange(size[1])
    in_rows = (rows >= top[:, None]) & (rows < bottom[:, None])
    in_columns = (columns >= left[:, None]) & (columns < right[:, None])
    # (N, H, 1) and (N, 1, W) -> (N, H, W)
    return np.asarray(in_rows[:, :, None] & in_columns[:, None, :])


def _check_whole(what: str, value: int, low: int) -> None:
    check_range(what, value, low)
    try:
        as_integer(value)
    except TypeError:
        raise DataError(f"{what} is a whole number, not {value!r}") from None
