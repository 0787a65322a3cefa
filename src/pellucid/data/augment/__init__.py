"""Random changes of whole batches, against memorising the training images.

An augmentation is called with raw images, before preprocessing::

    images, targets = augmentation(images, targets, generator, classes)

and all its randomness comes from that generator. It is a frozen dataclass of plain data: `describe`
gives it as plain data and `build` makes it anew; `parse` reads what a user writes, such as
``"crop,flip"``.
"""

from __future__ import annotations

from pellucid.data.augment.affine import Affine
from pellucid.data.augment.base import Augmentation, Compose, build
from pellucid.data.augment.light import Brightness, Contrast
from pellucid.data.augment.mix import CutMix, Mixup
from pellucid.data.augment.place import Cutout, RandomCrop, RandomFlip
from pellucid.data.augment.text import parse

__all__ = [
    "Affine",
    "Augmentation",
    "Brightness",
    "Compose",
    "Contrast",
    "CutMix",
    "Cutout",
    "Mixup",
    "RandomCrop",
    "RandomFlip",
    "build",
    "parse",
]


def __dir__() -> list[str]:
    return __all__
