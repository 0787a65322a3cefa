"""Random crops and flips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.data.augment.base import Apply, Augmentation, check_range, check_whole
from pellucid.errors import DataError
from pellucid.randomness import generator as random_generator
from pellucid.types import Array, Generator


@dataclass(frozen=True)
class RandomCrop(Augmentation):
    """Pad all sides and crop to the original size, which shifts by up to `padding`.

    The padding is filled with zeros, or with the image mirrored at its edge (`mode` "reflect").

    Source: Lee et al., "Deeply-supervised nets", 2015, and He et al., 2015, sec. 4.2, with 4
    pixels.

    >>> images = np.arange(4, dtype=np.uint8).reshape(1, 1, 2, 2)
    >>> RandomCrop(padding=1)(images, np.array([0]), np.random.default_rng(2), 1)[0].tolist()
    [[[[0, 2], [0, 0]]]]
    """

    padding: int = 4
    mode: Literal["zeros", "reflect"] = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("the padding of RandomCrop", self.padding, 0)
        if self.mode not in ("zeros", "reflect"):
            raise DataError(f"the mode of RandomCrop is 'zeros' or 'reflect', not {self.mode!r}")

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        top, left = generator.integers(0, 2 * self.padding + 1, (2, len(images)))
        return crop(images, self.padding, top, left, self.mode), targets


def crop(images: Array, padding: int, top: Array, left: Array, mode: str = "zeros") -> Array:
    """Return the crop of each padded image that starts at its (`top`, `left`).

    ``y[n, c, h, w] = x[n, c, h + top[n] − padding, w + left[n] − padding]``; outside of x it is
    zero, or with the mode "reflect" x is mirrored at its outermost pixels.
    """
    N, _, H, W = images.shape
    if mode == "reflect" and padding >= min(H, W):
        raise DataError(f"RandomCrop cannot reflect {padding} pixels of images of {H}×{W}")
    sides = (0, 0), (0, 0), (padding, padding), (padding, padding)
    padded = np.pad(images, sides, mode="reflect" if mode == "reflect" else "constant")
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
        return _mirrored(images, chosen, self.horizontal), targets


@dataclass(frozen=True)
class AlternatingFlip(Augmentation):
    """Mirror each image left to right in every second epoch.

    In the first epoch a random half of the images is mirrored, in the second one the other half,
    and so on, so that two consecutive epochs show each image both ways. With `RandomFlip`, half of
    the images are seen the same way twice. Called without a training run, it is a random flip.

    Source: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, sec. 3.6.

    >>> image, targets = np.arange(2).reshape(1, 1, 1, 2), np.array([0])
    >>> for epoch in range(4):
    ...     flip = AlternatingFlip().at(np.array([7]), epoch, seed=0)
    ...     print(flip(image, targets, np.random.default_rng(0), 1)[0].ravel())
    [0 1]
    [1 0]
    [0 1]
    [1 0]
    """

    def at(self, samples: Array, epoch: int, seed: int) -> Apply:
        chosen = _random_half(samples, seed) ^ (epoch % 2 == 1)
        return lambda images, targets, *_: (_mirrored(images, chosen), targets)

    def apply(
        self, images: Array, targets: Array, generator: Generator, classes: int
    ) -> tuple[Array, Array]:
        return RandomFlip().apply(images, targets, generator, classes)


def _mirrored(images: Array, chosen: Array, horizontal: bool = True) -> Array:
    """Return images (N, C, H, W), of which those that are `chosen`, (N,), are mirrored."""
    mirrored = images[..., ::-1] if horizontal else images[:, :, ::-1]
    return np.where(chosen[:, None, None, None], mirrored, images)


def _random_half(samples: Array, seed: int) -> Array:
    """Return a random bit for each sample number, which depends on the number and the seed only."""
    source = random_generator(seed, "alternating flip")
    bits = source.integers(0, 2, int(samples.max(initial=0)) + 1, dtype=np.uint8)
    return np.asarray(bits[samples] == 1)
