"""Data sets: images and their classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np

from pellucid.arguments import checked
from pellucid.data.checks import check_images, check_labels
from pellucid.errors import DataError, ShapeError, missing_extra
from pellucid.notebook import Shown
from pellucid.randomness import generator
from pellucid.stored import StoredImages, blocks_of
from pellucid.types import Array, Shape

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class DataSet(Shown):
    """Images and their classes, checked on construction.

    Parameters
    ----------
    images
        Images (N, C, H, W) of type uint8 (0 to 255), float32 or float64 (finite values); or
        `StoredImages`, which are read from disk when they are indexed.
    labels
        Class number of each image, (N,), from 0 to len(classes) − 1; stored as int64.
    classes
        Names of the classes.
    name
        Name of the data set in messages and tables.

    Raises
    ------
    ShapeError, DataError
        The arrays do not fit together or contain invalid values; the message names the first
        invalid image.

    Examples
    --------
    >>> images = np.zeros((4, 1, 2, 2), np.uint8)
    >>> data = DataSet(images, np.array([0, 1, 1, 0]), ("cat", "dog"), "pets")
    >>> data
    pets: 4 images of 1×2×2, uint8, in 2 classes
    >>> data.subset([1, 2]).labels
    array([1, 1])
    """

    shown_as = "data set"

    images: Array
    labels: Array
    classes: tuple[str, ...]
    name: str = "data"

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        check_images(self.name, self.images)
        check_labels(self.name, self.labels, len(self.images), self.classes)
        object.__setattr__(self, "labels", self.labels.astype(np.int64, copy=False))

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        size = "×".join(map(str, self.image_shape))
        count = f"{len(self):,} image{'s' if len(self) > 1 else ''}"
        classes = f"{len(self.classes)} class{'es' if len(self.classes) > 1 else ''}"
        return f"{self.name}: {count} of {size}, {self.images.dtype}, in {classes}"

    @overload
    def __getitem__(self, index: int) -> tuple[Array, int]: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | Array) -> DataSet: ...
    def __getitem__(self, index: Any) -> Any:
        """Return (image, class number) for an int; for a slice or list, a part of the data set."""
        if isinstance(index, slice):
            return self.subset(np.arange(len(self))[index])
        if np.ndim(index):
            return self.subset(index)
        i = checked("the number of an image", index, int)
        if not -len(self) <= i < len(self):
            raise IndexError(
                f"{self.name}: there is no image {i}; it has {len(self)}, numbered from 0"
            )
        return self.images[i], int(self.labels[i])

    def __iter__(self) -> Iterator[tuple[Array, int]]:
        """Yield (image, class number) for each image in order."""
        labels = iter(self.labels.tolist())
        for block in blocks_of(self.images):
            for image in block:
                yield image, next(labels)

    @property
    def image_shape(self) -> Shape:
        """Shape (C, H, W) of an image."""
        return self.images.shape[1:]

    @property
    def counts(self) -> Array:
        """Number of images in each class, (classes,)."""
        return np.bincount(self.labels, minlength=len(self.classes))

    def subset(self, indices: Any) -> DataSet:
        """Return the images at `indices`, in that order, or those selected by a mask of N bools."""
        chosen = np.asarray(indices)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise ShapeError(f"a mask needs one truth value per image, {len(self)} in all")
            chosen = np.flatnonzero(chosen)
        if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
            raise ShapeError(f"indices must be a list of integers, not {indices!r:.60}")
        outside = chosen[(chosen < -len(self)) | (chosen >= len(self))]
        if outside.size:
            raise DataError(
                f"{self.name}: there is no image {outside[0]}; it has {len(self)}, numbered from 0"
            )
        chosen = chosen.astype(np.intp)
        return replace(self, images=_chosen(self.images, chosen), labels=self.labels[chosen])

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with one row per image: its class and its pixels.

        The columns are ``label``, the name of the class, and ``pixel0``, ``pixel1``, …, the pixels
        in row-major order, one channel after the other. Saved as CSV, `read_csv` reads it again.

        Examples
        --------
        >>> images = np.array([[[[1, 2]]], [[[3, 4]]]], np.uint8)
        >>> DataSet(images, np.array([1, 0]), ("cat", "dog")).to_pandas()
          label  pixel0  pixel1
        0   dog       1       2
        1   cat       3       4
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise missing_extra("a table", "pandas") from error
        pixels = np.asarray(self.images[:]).reshape(len(self), -1)
        table = pd.DataFrame(pixels, columns=[f"pixel{i}" for i in range(pixels.shape[1])])
        table.insert(0, "label", [self.classes[label] for label in self.labels])
        return table

    def show(self, n: int = 16, *, augmented: Any = False, seed: int = 0) -> Any:
        """Draw `n` images with their classes, and return the Matplotlib figure.

        Parameters
        ----------
        n
            Number of images, which are spread evenly over the data set. Default: 16.
        augmented
            Whether to draw three random variants below each image: an augmentation, text such as
            ``"crop,flip"``, or True for ``"affine"``. Default: False.
        seed
            Seed of the variants.
        """
        n = checked("n", n, int)
        chosen = np.linspace(0, len(self) - 1, max(min(n, len(self)), 1)).round().astype(int)
        part = self.subset(chosen)
        return part.drawn(variants=part._variants(augmented, seed) if augmented else None)

    def _variants(self, augmented: Any, seed: int = 0, count: int = 3) -> list[Array]:
        """Return all images changed by an augmentation, `count` times."""
        from pellucid.data.augment import parse

        augmented = "affine" if augmented is True else augmented
        change = parse(augmented) if isinstance(augmented, str) else augmented
        images, labels = np.asarray(self.images[:]), self.labels
        return [
            change(images, labels, generator(seed, "augment", i), len(self.classes))[0]
            for i in range(count)
        ]

    def take(self, n: int) -> DataSet:
        """Return the first `n` images. For a share of every class, see `split`."""
        n = checked("n", n, int)
        if not 1 <= n <= len(self):
            raise DataError(f"{self.name}: cannot take {n} of {len(self)} images")
        stored = isinstance(self.images, StoredImages)
        first = _chosen(self.images, np.arange(n)) if stored else self.images[:n]
        return replace(self, images=first, labels=self.labels[:n])

    def split(self, fraction: float, seed: int = 0) -> tuple[DataSet, DataSet]:
        """Return (the rest, a random part with `fraction` of the images), stratified by class.

        Each class contributes its share; images left over by rounding come from the classes with
        the largest remainders, so that the part has ``round(fraction · N)`` images. A class of at
        least two images is always in both, even if this changes the size slightly.

        >>> images, labels = np.zeros((6, 1, 1, 1), np.uint8), np.array([0, 0, 0, 0, 1, 1])
        >>> data = DataSet(images, labels, ("a", "b"))
        >>> rest, part = data.split(0.5, seed=0)
        >>> rest.counts, part.counts
        (array([2, 1]), array([2, 1]))
        """
        fraction = checked("fraction", fraction, float)
        if not 0.0 < fraction < 1.0:
            raise DataError(f"the fraction of a split must be between 0 and 1, not {fraction}")
        counts = self.counts
        if counts.max() < 2:
            raise DataError(f"{self.name} cannot be split, because no class has two images")
        order = generator(seed, "split").permutation(len(self))
        by_class = order[np.argsort(self.labels[order], kind="stable")]
        starts = np.cumsum(counts) - counts
        rank = np.arange(len(self)) - np.repeat(starts, counts)  # within its class
        part = rank < np.repeat(_shares(counts, fraction), counts)
        return self.subset(np.sort(by_class[~part])), self.subset(np.sort(by_class[part]))

    def with_classes(self, classes: tuple[str, ...]) -> DataSet:
        """Return the same images, with classes numbered by another list of names.

        Two files of the same kind may list different classes, for example if one lacks a class.
        This gives the second file the class numbers of the first, and of a model trained on it.

        >>> data = DataSet(np.zeros((2, 1, 1, 1), np.uint8), np.array([1, 0]), ("b", "c"))
        >>> data.with_classes(("a", "b", "c")).labels
        array([2, 1])
        """
        number = {name: i for i, name in enumerate(classes)}
        missing = [
            name
            for name, count in zip(self.classes, self.counts, strict=True)
            if count and name not in number
        ]
        if missing:
            raise DataError(
                f"{self.name}: class '{missing[0]}' is not one of: {', '.join(classes[:20])}"
            )
        table = np.array([number.get(name, 0) for name in self.classes])
        return replace(self, labels=table[self.labels], classes=tuple(classes))


def _chosen(images: Array, numbers: Array) -> Array:
    """Return the images with these indices; stored images stay on disk."""
    if isinstance(images, StoredImages):
        return cast(Array, images.select(numbers))
    return images[numbers]


def _shares(counts: Array, fraction: float) -> Array:
    """Return the number of images of each class in the part, by largest remainders (Hamilton)."""
    quotas = counts * fraction
    shares = np.floor(quotas).astype(np.int64)
    left = round(fraction * int(counts.sum())) - int(shares.sum())
    largest = np.argsort(shares - quotas, kind="stable")
    shares[largest[:left]] += 1
    return np.clip(shares, np.minimum(counts // 2, 1), np.maximum(counts - 1, 0))
