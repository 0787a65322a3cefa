"""Random changes of batches of images, to reduce overfitting.

An augmentation is called with raw images, before preprocessing::

    images, targets = augmentation(images, targets, generator, classes)

and takes all random numbers from that generator. Augmentations are frozen dataclasses: `describe`
returns one as plain data, from which `build` rebuilds it; `parse` reads text such as
``"crop,flip"``.
"""

from __future__ import annotations

from pellucid.data.augment.affine import Affine
from pellucid.data.augment.base import Augmentation, Compose, build
from pellucid.data.augment.cover import Cutout, RandomErasing
from pellucid.data.augment.light import Brightness, Contrast
from pellucid.data.augment.mix import CutMix, Mixup
from pellucid.data.augment.place import AlternatingFlip, RandomCrop, RandomFlip
from pellucid.data.augment.text import parse

__all__ = [
    "Affine",
    "AlternatingFlip",
    "Augmentation",
    "Brightness",
    "Compose",
    "Contrast",
    "CutMix",
    "Cutout",
    "Mixup",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "build",
    "parse",
]


def __dir__() -> list[str]:
    return __all__
