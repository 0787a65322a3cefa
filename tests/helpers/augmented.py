"""Images to augment, and random generators."""

from typing import Any

import numpy as np

from pellucid.types import Array, Generator

CLASSES = 5


def source(seed: int = 0) -> Generator:
    return np.random.Generator(np.random.Philox(seed))


def batch(dtype: Any = np.uint8, shape: tuple[int, ...] = (40, 3, 9, 7)) -> tuple[Array, Array]:
    generator = source(99)
    images = generator.integers(0, 256, shape, np.uint8)
    images = images if dtype == np.uint8 else (images / 255 - 0.5).astype(dtype)
    return images, generator.integers(0, CLASSES, len(images))
