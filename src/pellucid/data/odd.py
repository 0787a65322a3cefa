"""Images of a data set that somebody should look at."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.data.near import near_pairs
from pellucid.types import Array

_FAR = 1.5
_OF_A_CLASS = 2


@dataclass(frozen=True)
class OddOne:
    """An image that somebody should look at.

    Attributes
    ----------
    index
        Its number in the data set.
    reason
        What is odd about it, in a few words.
    like
        The number of an earlier image that it resembles, where that is the reason.
    """

    index: int
    reason: str
    like: int | None = None


def odd_ones(data: DataSet, most: int = 12) -> list[OddOne]:
    """Return up to `most` images that look odd, a few of each kind.

    - images of one value alone;
    - copies of an earlier image, those that have another class first;
    - images almost like an earlier one: the correlation of their pixels is above 0.99;
    - images far from the mean m of their class: those with the largest ``‖x − m‖``, if it is more
      than 1.5 times the median of this distance in the class, so that each class is measured by its
      own spread; two of a class at most.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 250, (4, 1, 8, 8), np.uint8)
    >>> images[2], images[3] = 7, images[0]
    >>> for odd in odd_ones(DataSet(images, np.array([0, 1, 0, 1]), ("cat", "dog")), most=2):
    ...     print(odd.index, odd.reason, odd.like)
    2 one value alone None
    3 copy, other class 0
    """
    kinds = [_constant(data), _copies(data), _almost_copies(data), _far_from_their_class(data)]
    found: dict[int, OddOne] = {}
    for number, kind in enumerate(kinds, start=1):
        share = (most - len(found)) if number == len(kinds) else -(-most // len(kinds))
        fresh = (odd for odd in kind if odd.index not in found)
        found |= {odd.index: odd for odd in islice(fresh, share)}
    return list(found.values())[:most]


def digests(images: Array) -> list[bytes]:
    """Return what is the same for two images only where they are equal."""
    return [
        hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
        for image in images
    ]


def constant(images: Array) -> Array:
    """Return which images are of one value alone, (N,)."""
    flat = images.reshape(len(images), -1)
    return np.asarray((flat == flat[:, :1]).all(axis=1))


def _constant(data: DataSet) -> Iterator[OddOne]:
    return (OddOne(i, "one value alone") for i in np.flatnonzero(constant(data.images)).tolist())


def _copies(data: DataSet) -> Iterator[OddOne]:
    first: dict[bytes, int] = {}
    pairs = [(i, first.setdefault(image, i)) for i, image in enumerate(digests(data.images))]
    copies = [_alike("copy", data, i, like) for i, like in pairs if like < i]
    yield from sorted(copies, key=lambda odd: "other" not in odd.reason)


def _almost_copies(data: DataSet) -> Iterator[OddOne]:
    for like, i, _ in near_pairs(data.images):
        yield _alike("almost a copy", data, i, like)


def _alike(what: str, data: DataSet, i: int, like: int) -> OddOne:
    other = data.labels[i] != data.labels[like]
    return OddOne(i, f"{what}, other class" if other else what, like)


def _far_from_their_class(data: DataSet) -> Iterator[OddOne]:
    ratio = np.zeros(len(data))
    for number in np.flatnonzero(data.counts > 1):
        members = np.flatnonzero(data.labels == number)
        x = data.images[members].reshape(len(members), -1)
        mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        distances = np.array([np.linalg.norm(image - mean) for image in x])
        median = np.median(distances)
        ratio[members] = distances / median if median > 0 else distances > 0
    of_class = np.zeros(len(data.classes), int)
    for i in np.argsort(-ratio, kind="stable").tolist():
        of_class[data.labels[i]] += 1
        if ratio[i] > _FAR and of_class[data.labels[i]] <= _OF_A_CLASS:
            yield OddOne(i, f"{ratio[i]:.1f} × as far from its class as others")
