"""Checks of the images and labels of a data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import DataError, ShapeError
from pellucid.stored import StoredImages, blocks_of
from pellucid.types import Array


def check_images(name: str, images: Any) -> None:
    """Raise an error unless the images are an array (N, C, H, W) of finite numbers."""
    if (
        not isinstance(images, np.ndarray | StoredImages)
        or images.ndim != 4
        or 0 in images.shape[1:]
    ):
        what = f"shape {images.shape}" if hasattr(images, "shape") else f"{type(images)}"
        raise ShapeError(
            f"{name}: images must be an array (N, C, H, W), not {what}; see "
            "pellucid.data.from_arrays"
        )
    if not len(images):
        raise DataError(f"{name}: there are no images")
    if images.dtype not in (np.uint8, np.float32, np.float64):
        raise DataError(
            f"{name}: images must be uint8, float32 or float64, not {images.dtype}; "
            "pellucid.data.from_arrays converts others"
        )
    if images.dtype != np.uint8:
        _check_finite(name, images)


def _check_finite(name: str, images: Array | StoredImages) -> None:
    start = 0
    for block in blocks_of(images):
        finite = np.isfinite(block)
        if not finite.all():
            n, c, h, w = (int(i) for i in np.argwhere(~finite)[0])
            raise DataError(
                f"{name}: image {start + n} has {block[n, c, h, w]} "
                f"at channel {c}, row {h}, column {w}"
            )
        start += len(block)


def check_labels(name: str, labels: Any, count: int, classes: tuple[str, ...]) -> None:
    """Raise an error unless there is one class number for each image."""
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or len(labels) != count:
        what = f"shape {labels.shape}" if isinstance(labels, np.ndarray) else f"{type(labels)}"
        raise ShapeError(f"{name}: labels must be an array ({count},), one per image, not {what}")
    if labels.dtype.kind not in "iu":
        raise DataError(f"{name}: labels must be class numbers (integers), not {labels.dtype}")
    if not classes or len(set(classes)) < len(classes):
        raise DataError(f"{name}: class names must not be empty or repeated, got {classes!r:.80}")
    bad = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if bad.size:
        raise DataError(
            f"{name}: image {bad[0]} has label {labels[bad[0]]}, "
            f"but there are {len(classes)} classes, numbered 0 to {len(classes) - 1}"
        )
