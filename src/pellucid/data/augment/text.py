"""Augmentations as text: names with numbers, separated by commas."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.data.augment.affine import Affine
from pellucid.data.augment.base import Augmentation, Compose
from pellucid.data.augment.cover import Cutout, Filling, RandomErasing
from pellucid.data.augment.light import Brightness, Contrast
from pellucid.data.augment.mix import CutMix, Mixup
from pellucid.data.augment.place import AlternatingFlip, RandomCrop, RandomFlip
from pellucid.errors import DataError, unknown


def _erasing(mode: Filling) -> Callable[..., Augmentation]:
    return lambda p=0.5, largest=0.33: RandomErasing(p, min(0.02, largest), largest, mode=mode)


_NAMES: dict[str, Callable[..., Augmentation]] = {
    "crop": lambda padding=4: RandomCrop(padding),
    "crop-reflect": lambda padding=4: RandomCrop(padding, "reflect"),
    "flip": RandomFlip,
    "flip-alternating": AlternatingFlip,
    "flip-vertical": lambda p=0.5: RandomFlip(p, horizontal=False),
    "rotate": lambda degrees=10: Affine(degrees=degrees),
    "scale": lambda amount=0.1: Affine(scale=amount),
    "shear": lambda degrees=10: Affine(shear=degrees),
    "translate": lambda fraction=0.1: Affine(translate=fraction),
    "affine": lambda degrees=10, scale=0.1, shear=5, translate=0.1: Affine(
        degrees, scale, shear, translate
    ),
    "cutout": lambda size=8: Cutout(size),
    "cutout-mean": lambda size=8: Cutout(size, "mean"),
    "erase": _erasing("zeros"),
    "erase-mean": _erasing("mean"),
    "mixup": Mixup,
    "cutmix": CutMix,
    "brightness": Brightness,
    "contrast": Contrast,
}


def parse(text: str) -> Augmentation:
    """Return the augmentation that `text` describes.

    Parameters
    ----------
    text
        Names separated by commas, applied in order. Numbers after colons set the arguments in
        order: ``crop`` (padding 4), ``crop-reflect`` (the same, mirrored at the edges), ``flip``
        (probability 0.5), ``flip-vertical``, ``flip-alternating`` (every second epoch), ``rotate``
        (10 degrees), ``scale`` (0.1), ``shear`` (10 degrees), ``translate`` (0.1 of the size),
        ``affine`` (these four at once: ``affine:10:0.1:5:0.1``), ``cutout`` (8 pixels),
        ``cutout-mean`` (the same, in the image's mean colour), ``erase`` (probability 0.5, at most
        0.33 of the image), ``erase-mean``, ``mixup`` (0.2), ``cutmix`` (1), ``brightness`` (0.2),
        ``contrast`` (0.2).

    Examples
    --------
    >>> parse("crop:2,flip")
    Compose(parts=(RandomCrop(padding=2, mode='zeros'), RandomFlip(p=0.5, horizontal=True)))
    """
    parts = [_parse_one(part.strip()) for part in text.split(",")]
    return parts[0] if len(parts) == 1 else Compose(parts)


def _parse_one(text: str) -> Augmentation:
    name, *numbers = (piece.strip() for piece in text.lower().split(":"))
    if name not in _NAMES:
        raise DataError(unknown("augmentation", name, _NAMES))
    try:
        return _NAMES[name](*map(_number, numbers))
    except TypeError:
        raise DataError(f"augmentation '{text}' has more numbers than '{name}' takes") from None


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise DataError(f"'{text}' in an augmentation is not a number") from None
