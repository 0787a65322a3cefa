"""A data set with the division of its authors into parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.errors import DataError, ShapeError
from pellucid.notebook import Shown
from pellucid.types import Array


@dataclass(frozen=True, repr=False)
class Splits(Shown):
    """A data set with the division of its authors.

    Attributes
    ----------
    train
        Training part.
    test
        Test part, or None.
    validation
        Validation part, by which the best epoch is chosen, or None.
    """

    shown_as: ClassVar[str] = "splits"

    train: DataSet
    test: DataSet | None = None
    validation: DataSet | None = None

    def __post_init__(self) -> None:
        for name, part in (("test", self.test), ("validation", self.validation)):
            if part is None:
                continue
            if part.classes != self.train.classes:
                raise DataError(
                    f"{self.train.name}: the training and {name} parts have different classes"
                )
            if part.image_shape != self.train.image_shape:
                raise ShapeError(
                    f"{self.train.name}: training images are {self.train.image_shape}, "
                    f"{name} images {part.image_shape}"
                )

    def __repr__(self) -> str:
        test = f", {len(self.test):,} for testing" if self.test is not None else ", no test part"
        if self.validation is not None:
            test = f", {len(self.validation):,} for validation{test}"
        return f"{self.train}{test}"

    @property
    def parts(self) -> dict[str, DataSet]:
        """The existing parts by name: ``train``, ``validation``, ``test``."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}


def divided(
    images: Array,
    labels: Array,
    classes: tuple[str, ...],
    parts: Sequence[str] | None,
    name: str,
    source: str = "data",
) -> Splits:
    """Divide a data set by the part that each image belongs to.

    Parameters
    ----------
    images, labels, classes, name
        See `DataSet`.
    parts
        ``"train"``, ``"validation"`` or ``"test"`` for each image; None if all are for training.
    source
        Name of the data in the error raised if nothing is for training.

    Examples
    --------
    >>> images, labels = np.zeros((3, 1, 2, 2), np.uint8), np.array([0, 1, 0])
    >>> divided(images, labels, ("a", "b"), ["train", "train", "test"], "pets")
    pets: 2 images of 1×2×2, uint8, in 2 classes, 1 for testing
    """
    if parts is None:
        return Splits(DataSet(images, labels, classes, name))
    part = np.array(parts)
    if not (part == "train").any():
        raise DataError(f"{source} has no rows for training, only for {', '.join(set(parts))}")
    found = {
        which: DataSet(images[part == which], labels[part == which], classes, f"{name}{suffix}")
        for which, suffix in (("train", ""), ("validation", " validation"), ("test", " test"))
        if (part == which).any()
    }
    return Splits(**found)
