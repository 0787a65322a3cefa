"""Pairs of images that are almost the same, found without comparing every pair."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid.randomness import generator
from pellucid.types import Array

_BLOCK = 512
_DIRECTIONS = 48
_SAMPLE = 512
_ROUNDING = 1e-5


def near_duplicates(images: Array, alike: float = 0.99) -> list[tuple[int, int, float]]:
    """Return the pairs of images whose pixels have a correlation r above `alike`.

    Each pair is (earlier, later, r); the highest correlations come first. Correlation ignores
    brightness and contrast. A constant image has no correlation and is in no pair.

    With each image shifted to mean 0 and scaled to length 1, ``‖a − b‖² = 2·(1 − r)``. An
    orthogonal projection never makes a distance longer, so a pair that is too far apart along the
    first principal direction, or in the space of the first few, can be discarded; none is missed.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 250, (9, 1, 8, 8), np.uint8)
    >>> images[6] = images[2] + 5
    >>> near_duplicates(images)
    [(2, 6, 1.0)]
    """
    reach = math.sqrt(2 * (1 - alike)) + _ROUNDING
    found = []
    for a, b in _candidates(images, reach):
        r = np.einsum("nd,nd->n", _unit(images[a]), _unit(images[b])).round(12)
        for k in np.flatnonzero(r > alike):
            found.append((int(min(a[k], b[k])), int(max(a[k], b[k])), float(r[k])))
    return sorted(found, key=lambda pair: (-pair[2], pair))


def _unit(images: Array, dtype: Any = np.float64) -> Array:
    """Return each image as a vector of mean 0 and length 1."""
    x = np.array(images, dtype).reshape(len(images), -1)
    x -= x.mean(axis=1, keepdims=True)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(np.divide(x, length, out=x, where=length > 0))


def _candidates(images: Array, reach: float) -> Iterator[tuple[Array, Array]]:
    """Yield, in blocks, the pairs whose projections are nearer than `reach`."""
    p = _projected(images)
    order = np.argsort(p[:, 0], kind="stable")
    p = p[order]
    squares = np.einsum("nd,nd->n", p, p)[:, None]
    ones = np.ones_like(squares)
    left, right = np.hstack([-2 * p, squares, ones]), np.hstack([p, ones, squares])
    for part in _parts(len(p)):
        start, last = part.start, min(part.stop, len(p)) - 1
        end = int(np.searchsorted(p[:, 0], p[last, 0] + reach, side="right"))
        distances = left[part] @ right[start:end].T  # −2·aᵀb + ‖a‖² + ‖b‖²
        i, j = np.nonzero(distances < reach**2)
        i, j = start + i[i < j], start + j[i < j]
        for few in _parts(len(i)):
            yield order[i[few]], order[j[few]]


def _projected(images: Array) -> Array:
    """Return the coordinates of all images along the first principal directions of a sample."""
    sample = np.sort(generator(0, "near pairs").permutation(len(images))[:_SAMPLE])
    x = _unit(images[sample])
    _, _, directions = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    chosen = directions[:_DIRECTIONS].T.astype(np.float32)
    parts = _parts(len(images))
    return np.concatenate([_unit(images[part], np.float32) @ chosen for part in parts])


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))
