"""Find unusual images: constant ones, copies, near duplicates, and class outliers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.data.near_duplicates import near_duplicates
from pellucid.stored import blocks_of
from pellucid.types import Array

_FAR = 1.5  # times the median distance from the class mean
_MOST_OF_A_CLASS = 2
_BLOCK = 512  # images read at once


@dataclass(frozen=True)
class Outlier:
    """An unusual image.

    Attributes
    ----------
    index
        Index of the image in the data set.
    reason
        Why it is unusual, in a few words.
    similar_to
        Index of the earlier image that it resembles, if that is the reason.
    """

    index: int
    reason: str
    similar_to: int | None = None


def find_outliers(data: DataSet, most: int = 12) -> list[Outlier]:
    """Return up to `most` unusual images, a few of each kind.

    - images with the same value in every pixel;
    - copies of an earlier image, beginning with those of another class;
    - near duplicates: the correlation with the pixels of an earlier image is above 0.99;
    - class outliers: images whose distance ``‖x − m‖`` from the mean m of their class is more than
      1.5 times the median distance in that class, in descending order, at most two per class.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 250, (4, 1, 8, 8), np.uint8)
    >>> images[2], images[3] = 7, images[0]
    >>> data = DataSet(images, np.array([0, 1, 0, 1]), ("cat", "dog"))
    >>> for outlier in find_outliers(data, most=2):
    ...     print(outlier.index, outlier.reason, outlier.similar_to)
    2 one value in every pixel None
    3 copy, other class 0
    """
    kinds = [_constant(data), _copies(data), _near_duplicates(data), _far_from_their_class(data)]
    found: dict[int, Outlier] = {}
    for number, kind in enumerate(kinds, start=1):
        share = (most - len(found)) if number == len(kinds) else -(-most // len(kinds))
        fresh = (outlier for outlier in kind if outlier.index not in found)
        found |= {outlier.index: outlier for outlier in islice(fresh, share)}
    return list(found.values())[:most]


def digests(images: Array) -> list[bytes]:
    """Return a hash of each image's pixels; equal images have equal hashes."""
    return [
        hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
        for block in blocks_of(images)
        for image in block
    ]


def constant(images: Array) -> Array:
    """Return which images have the same value in every pixel, (N,)."""
    blocks = (block.reshape(len(block), -1) for block in blocks_of(images))
    return np.concatenate([(flat == flat[:, :1]).all(axis=1) for flat in blocks])


def _constant(data: DataSet) -> Iterator[Outlier]:
    return (
        Outlier(i, "one value in every pixel")
        for i in np.flatnonzero(constant(data.images)).tolist()
    )


def _copies(data: DataSet) -> Iterator[Outlier]:
    first: dict[bytes, int] = {}
    pairs = [(i, first.setdefault(image, i)) for i, image in enumerate(digests(data.images))]
    copies = [_similar("copy", data, i, earlier) for i, earlier in pairs if earlier < i]
    yield from sorted(copies, key=lambda copy: "other" not in copy.reason)


def _near_duplicates(data: DataSet) -> Iterator[Outlier]:
    for earlier, i, _ in near_duplicates(data.images):
        yield _similar("near duplicate", data, i, earlier)


def _similar(what: str, data: DataSet, i: int, earlier: int) -> Outlier:
    other = data.labels[i] != data.labels[earlier]
    return Outlier(i, f"{what}, other class" if other else what, earlier)


def _far_from_their_class(data: DataSet) -> Iterator[Outlier]:
    ratio = np.zeros(len(data))
    for number in np.flatnonzero(data.counts > 1):
        members = np.flatnonzero(data.labels == number)
        parts = np.split(members, range(_BLOCK, len(members), _BLOCK))
        total = sum(data.images[part].sum(axis=0, dtype=np.float64) for part in parts)
        mean = (total / len(members)).astype(np.float32)
        distances = np.array(
            [np.linalg.norm(image - mean) for part in parts for image in data.images[part]]
        )
        median = np.median(distances)
        ratio[members] = distances / median if median > 0 else distances > 0
    of_class = np.zeros(len(data.classes), int)
    for i in np.argsort(-ratio, kind="stable").tolist():
        of_class[data.labels[i]] += 1
        if ratio[i] > _FAR and of_class[data.labels[i]] <= _MOST_OF_A_CLASS:
            yield Outlier(i, f"{ratio[i]:.1f} × as far from its class as others")
