"""Describe a data set: images per class, pixel values, duplicates and other issues."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.data.outliers import constant, digests
from pellucid.data.problems import SkippedWarning
from pellucid.data.registry import load, takes
from pellucid.data.splits import Splits
from pellucid.errors import missing_extra
from pellucid.stored import blocks_of

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, Any]


@dataclass(frozen=True)
class Description:
    """The result of `describe`, as plain records.

    Attributes
    ----------
    title
        The data set in one line.
    counts
        One record for each class: ``class`` and the number of images in each part.
    pixels
        One record for each part and channel: ``min``, ``max``, ``mean``, ``std``.
    issues
        One record for each part: the number of images that are ``constant`` (all pixels equal),
        ``duplicates`` of an earlier image, ``contradictory`` (the same image with different
        classes) or ``in_train`` although they belong to another part; and the number of
        ``empty_classes``.
    skipped
        Messages about rows, files or folders that could not be used and were left out.
    data
        The data set itself.
    """

    title: str
    counts: list[Record]
    pixels: list[Record]
    issues: list[Record]
    skipped: tuple[str, ...]
    data: Splits

    def described(self) -> dict[str, Any]:
        """Return everything except the images as JSON-serialisable data."""
        return {
            "title": self.title,
            "classes": self.counts,
            "pixels": self.pixels,
            "issues": self.issues,
            "skipped": list(self.skipped),
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return ``counts``, ``pixels`` and ``issues`` as pandas tables."""
        try:
            import pandas as pd
        except ImportError as error:
            raise missing_extra("making tables", "pandas") from error
        return {
            "counts": pd.DataFrame(self.counts).set_index("class"),
            "pixels": pd.DataFrame(self.pixels).set_index(["part", "channel"]),
            "issues": pd.DataFrame(self.issues).set_index("part"),
        }


def describe(source: str | Path | Splits | DataSet, **options: Any) -> Description:
    """Describe a data set: classes, pixel values, duplicates and other issues.

    Parameters
    ----------
    source
        A data set, or anything that `load` takes. Rows and images that cannot be used do not raise
        an error here; they are left out and listed in ``skipped``.
    options
        Options of the reader for that kind of data, such as ``size`` for a folder of images.

    Examples
    --------
    >>> found = describe("digits")
    >>> found.counts[0]
    {'class': '0', 'train': 142, 'test': 36}
    >>> found.pixels[0]["min"], found.pixels[0]["max"]
    (0.0, 255.0)
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", SkippedWarning)
        splits = _loaded(source, options)
    skipped = tuple(str(w.message) for w in heard if issubclass(w.category, SkippedWarning))
    for other in (w for w in heard if not issubclass(w.category, SkippedWarning)):
        warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    parts = splits.parts
    return Description(
        repr(splits),
        _counts(parts),
        [record for name, part in parts.items() for record in _pixels(name, part)],
        _issues(parts),
        skipped,
        splits,
    )


def _loaded(source: str | Path | Splits | DataSet, options: dict[str, Any]) -> Splits:
    if isinstance(source, DataSet):
        return Splits(source)
    if isinstance(source, Splits):
        return source
    lenient = {"skip_bad": True} if takes(source, "skip_bad") else {}
    return load(source, **lenient | options)


def _counts(parts: dict[str, DataSet]) -> list[Record]:
    counts = {name: part.counts.tolist() for name, part in parts.items()}
    return [
        {"class": class_name} | {name: counts[name][i] for name in parts}
        for i, class_name in enumerate(parts["train"].classes)
    ]


def _pixels(name: str, part: DataSet) -> list[Record]:
    """Return the statistics of each channel, summed in float64 over blocks of images."""
    channels = part.image_shape[0]
    total, squares = np.zeros(channels), np.zeros(channels)
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    for stored in blocks_of(part.images):
        block = stored.astype(np.float64)
        total += block.sum(axis=(0, 2, 3))
        squares += np.einsum("nchw,nchw->c", block, block)
        low = np.minimum(low, block.min(axis=(0, 2, 3)))
        high = np.maximum(high, block.max(axis=(0, 2, 3)))
    count = part.images.size // channels
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    columns = {"min": low, "max": high, "mean": mean, "std": std}
    return [
        {"part": name, "channel": c} | {key: float(value[c]) for key, value in columns.items()}
        for c in range(channels)
    ]


def _issues(parts: dict[str, DataSet]) -> list[Record]:
    in_train: set[bytes] = set()
    records = []
    for name, part in parts.items():
        images = digests(part.images)
        times = Counter(images)
        classes = Counter(image for image, _ in set(zip(images, part.labels.tolist(), strict=True)))
        record: Record = {
            "part": name,
            "constant": int(constant(part.images).sum()),
            "duplicates": len(images) - len(times),
            "contradictory": sum(times[image] for image, n in classes.items() if n > 1),
            "in_train": sum(image in in_train for image in images),
            "empty_classes": int((part.counts == 0).sum()),
        }
        in_train |= set(images) if name == "train" else set()
        records.append(record)
    return records
