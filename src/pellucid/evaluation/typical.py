"""Detect images that differ from those on which a model was trained.

A network gives an answer for any image. Whether an image is similar to the training images is
judged by a few simple measures (grey level, extent of the content, colour), and by the distance of
its features, the inputs of the last linear layer, from those of the nearest class.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import FileError, PellucidError
from pellucid.layers import Layer, Linear, observe
from pellucid.runtime import usual_batch
from pellucid.types import Array

_IMAGES = 2000  # of the training images, spread evenly
_RARE = 0.001  # an image is unlike the others where fewer of these go so far
_BEYOND = 1.1  # and it goes further than these by a tenth of their range,
_LITTLE = 8.0  # and by so many levels of 255, or percent


@dataclass(frozen=True)
class Typical:
    """Statistics of the training images.

    Attributes
    ----------
    low, high
        Range of each of `measures` for almost all training images.
    centres, reach
        Mean features of each class, (classes, features), and the distance from the nearest of them
        within which almost all images lie; empty and 0 for a network without a linear layer.
    """

    low: Array
    high: Array
    centres: Array
    reach: float

    @classmethod
    def of(cls, model: Layer, data: Any, batch_size: int = 256) -> Typical:
        """Compute the statistics of a data set's images for `model`, so many images at once."""
        chosen = np.linspace(0, len(data) - 1, min(len(data), _IMAGES)).astype(int)
        images, labels = np.asarray(data.images[chosen]), np.asarray(data.labels)[chosen]
        found = measures(images)
        low, high = np.quantile(found, [_RARE, 1 - _RARE], axis=0)
        margin = np.maximum((_BEYOND - 1) * (high - low), _LITTLE)
        features = features_of(model, images, batch_size)
        if features is None:
            return cls(low - margin, high + margin, np.zeros((0, 0)), 0.0)
        present = np.unique(labels)
        centres = np.stack([features[labels == label].mean(axis=0) for label in present])
        reach = _BEYOND * float(np.quantile(_to_nearest(features, centres), 1 - _RARE))
        return cls(low - margin, high + margin, centres, reach)

    def remarks(self, model: Layer, images: Array) -> list[list[str]]:
        """Return how each image differs from the training images; usually an empty list."""
        found = measures(images)
        features = features_of(model, images) if self.reach else None
        sentences = [list(self._of_measures(row)) for row in found]
        if features is not None:
            for remarks, distance in zip(
                sentences, _to_nearest(features, self.centres), strict=True
            ):
                if distance > self.reach:
                    remarks.append(f"{FEATURES} ({distance / self.reach:.1f} times as far)")
        return sentences

    def _of_measures(self, row: Array) -> Iterator[str]:
        for name, value, low, high in zip(MEASURES, row, self.low, self.high, strict=True):
            if not low <= value <= high:
                much = "low" if value < low else "high"
                usual = f"in training {max(low, 0):.0f} to {min(high, 255):.0f}"
                yield f"{name} is {much}: {value:.0f}, {usual}"

    def to_bytes(self) -> bytes:
        """Return the statistics as the contents of an .npz file."""
        file = io.BytesIO()
        np.savez(file, low=self.low, high=self.high, centres=self.centres, reach=self.reach)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Typical:
        """Read the statistics that `to_bytes` wrote."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                low, high, centres = (file[name] for name in ("low", "high", "centres"))
                reach = float(file["reach"])
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise FileError(f"this does not say what images are typical: {error}") from error
        if low.shape != (len(MEASURES),) or high.shape != low.shape or centres.ndim != 2:
            raise FileError(
                "this does not say what images are typical: its arrays have wrong sizes"
            )
        return cls(low, high, centres, reach)


FEATURES = "to the network it is far from every class"
MEASURES = (
    "its mean grey level",
    "the grey level at its border",
    "the height of what is drawn, in percent,",
    "the width of what is drawn, in percent,",
    "its colour (the range between red, green and blue)",
)


def measures(images: Array) -> Array:
    """Return five measures of images (N, C, H, W), from 0 to 255 or in percent, (N, 5)."""
    grey = images.astype(np.float64).mean(axis=1)
    edge = np.ones(grey.shape[1:], bool)
    edge[1:-1, 1:-1] = False
    border = np.median(grey[:, edge], axis=1)
    unlike = np.abs(grey - border[:, None, None])
    strong = unlike > 0.3 * np.maximum(unlike.max(axis=(1, 2), keepdims=True), 1.0)
    height, width = (_extent(strong.any(axis=axis)) for axis in (2, 1))
    colour = np.ptp(images.astype(np.float64), axis=1).mean(axis=(1, 2))
    return np.stack([grey.mean(axis=(1, 2)), border, height, width, colour], axis=1)


def features_of(model: Layer, images: Array, batch_size: int = 256) -> Array | None:
    """Return the inputs of the last linear layer, (N, features); None without such a layer."""
    last = next((layer for _, layer in reversed(list(model.walk())) if type(layer) is Linear), None)
    if last is None or last is model:
        return None
    found: list[Array] = []

    def look(layer: Layer, x: Any, _y: Any) -> None:
        if layer is last:
            found.append(np.array(x))

    try:
        with observe(forward=look), usual_batch.of(batch_size):
            for part in usual_batch.cut(len(images), batch_size):
                model(ops.make_batch(images[part], None, model.preprocessing))
    except PellucidError:
        return None
    features = np.concatenate(found)
    return features if features.ndim == 2 and len(features) == len(images) else None


def rehearsal(model: Layer, images: Any, batch_size: int = 256) -> Iterator[Callable[[], Any]]:
    """Yield calls that need the kernels of `Typical.of`, for `compile_ahead`."""
    parts = usual_batch.cut(min(len(images), _IMAGES), batch_size)
    for size in {part.stop - part.start for part in parts}:
        alike = np.zeros((size, *images.shape[1:]), images.dtype)
        yield partial(features_of, model, alike, batch_size)


def _extent(marked: Array) -> Array:
    """Return the extent of the marked places, in percent, for each row."""
    count = marked.shape[1]
    first, last = marked.argmax(axis=1), count - 1 - marked[:, ::-1].argmax(axis=1)
    return np.where(marked.any(axis=1), 100.0 * (last - first + 1) / count, 0.0)


def _to_nearest(features: Array, centres: Array) -> Array:
    """Return the Euclidean distance of each row to the nearest centre."""
    squares = np.stack([((features - centre) ** 2).sum(axis=1) for centre in centres])
    return np.asarray(np.sqrt(squares.min(axis=0)))
