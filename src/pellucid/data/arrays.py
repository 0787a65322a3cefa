"""Make a `DataSet` from arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from pellucid.data.dataset import DataSet
from pellucid.data.layout import channels_first, images_from_rows
from pellucid.errors import DataError, ShapeError
from pellucid.types import Array, Shape

_MOST_EXACT = 2**53  # beyond it, floating-point numbers leave out integers
_MOST_NUMBERED = 1000  # integers below this are class numbers, larger ones are names


def from_arrays(
    images: Any,
    labels: Any,
    classes: Iterable[str] | None = None,
    *,
    name: str = "arrays",
    channels_last: bool | None = None,
    shape: Shape | None = None,
) -> DataSet:
    """Make a `DataSet` from arrays in any of the usual forms.

    Parameters
    ----------
    images
        Images (N, H, W), (N, C, H, W), (N, H, W, C), or one row of pixels per image, (N, P).
        Integers from 0 to 255 become uint8, float16 becomes float32; float32 and float64 are kept.
    labels
        Labels (N,) or (N, 1). Non-negative integers are class numbers if at least half of the
        numbers up to the largest occur; anything else, such as text, is the name of a class.
    classes
        Names of the classes in order. By default, the numbers up to the largest, or the names that
        occur, sorted.
    name
        Name of the data set in messages and tables.
    channels_last
        Whether four-dimensional images are (N, H, W, C). By default it is inferred from the data;
        if that is ambiguous, an `AssumptionWarning` says what was assumed.
    shape
        Shape (C, H, W) or (H, W) of an image; required for rows of pixels, see `images_from_rows`.

    Returns
    -------
    DataSet
        The images and labels.

    Raises
    ------
    ShapeError, DataError
        The arrays do not fit together, or it is not clear which axis holds the channels.

    Examples
    --------
    >>> data = from_arrays(np.zeros((3, 8, 8)), ["cat", "dog", "cat"])
    >>> data.classes, data.labels
    (('cat', 'dog'), array([0, 1, 0]))
    >>> data
    arrays: 3 images of 1×8×8, float64, in 2 classes
    """
    numbers, names = encode_labels(labels, classes, name)
    pixels = np.asarray(images)
    if pixels.ndim == 2:
        pixels = images_from_rows(pixels, shape, channels_last, name=name)
    else:
        pixels = channels_first(pixels, channels_last, name)
        if shape is not None and pixels.shape[-len(shape) :] != tuple(shape):
            raise ShapeError(f"{name}: images are {pixels.shape[1:]}, not {tuple(shape)}")
    return DataSet(as_pixels(pixels, name), numbers, names, name)


def as_pixels(images: Array, name: str = "data") -> Array:
    """Convert images to uint8, float32 or float64 without changing a value."""
    if images.dtype.kind == "b":
        return images.astype(np.uint8)
    if images.dtype.kind in "iu":
        if images.dtype != np.uint8 and images.size and (images.min() < 0 or images.max() > 255):
            worst = images.min() if images.min() < 0 else images.max()
            raise DataError(
                f"{name}: integer pixel values must be from 0 to 255, got {worst}; "
                "convert other ranges to float32"
            )
        return images.astype(np.uint8, copy=False)
    if images.dtype == np.float16:
        return images.astype(np.float32)
    if images.dtype.kind == "f" and images.dtype.itemsize in (4, 8):
        return images.astype(images.dtype.newbyteorder("="), copy=False)
    raise DataError(f"{name}: pixels must be numbers, not {images.dtype}")


def encode_labels(
    values: Any, classes: Iterable[str] | None = None, name: str = "data"
) -> tuple[Array, tuple[str, ...]]:
    """Convert labels to (class numbers, names of the classes).

    Non-negative integers are class numbers if at least half of the numbers up to the largest occur;
    otherwise each number that occurs is the name of a class.

    >>> encode_labels(["dog", "cat"])
    (array([1, 0]), ('cat', 'dog'))
    >>> encode_labels([0, 2])
    (array([0, 2]), ('0', '1', '2'))
    >>> encode_labels([-1, 1])
    (array([0, 1]), ('-1', '1'))
    >>> encode_labels([100, 200])
    (array([0, 1]), ('100', '200'))
    """
    labels = one_column(np.asarray(values), name)
    if not labels.size:
        raise DataError(f"{name}: there are no labels")
    if labels.dtype.kind == "f":
        labels = _whole(labels, name)
    if labels.dtype.kind not in "biu":
        return _encode_names(_as_text(labels, name), classes, name)
    if classes is not None:
        return labels.astype(np.int64), tuple(classes)
    distinct, numbers = np.unique(labels, return_inverse=True)
    if distinct[0] >= 0 and distinct[-1] < min(_MOST_NUMBERED, 2 * len(distinct)):
        return labels.astype(np.int64), tuple(str(i) for i in range(int(distinct[-1]) + 1))
    return numbers, tuple(map(str, distinct))


def one_column(labels: Array, name: str) -> Array:
    """Return labels (N,) or (N, 1) as (N,)."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    if labels.ndim != 1:
        raise ShapeError(
            f"{name}: labels must be (N,), one class per image, not {labels.shape}; "
            "for one column per class, pass labels.argmax(axis=1)"
        )
    return labels


def listed(values: Array, name: str) -> list[Any]:
    """Return the elements of an array from a file, whose text may be invalid."""
    try:
        found: list[Any] = values.tolist()
    except SystemError as error:  # raised by NumPy for invalid characters
        raise DataError(f"{name} has a damaged array of text") from error
    return found


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct names sorted, by value if all are integers, otherwise alphabetically.

    >>> in_order(["10", "9"]), in_order(["ten", "9"])
    (('9', '10'), ('9', 'ten'))
    """
    distinct = set(names)
    numbers = all(name.isdecimal() for name in distinct)
    return tuple(sorted(distinct, key=lambda name: (int(name) if numbers else 0, name)))


def _encode_names(
    names: list[str], classes: Iterable[str] | None, name: str
) -> tuple[Array, tuple[str, ...]]:
    known = in_order(names) if classes is None else tuple(classes)
    number = {known_name: i for i, known_name in enumerate(known)}
    for i, label in enumerate(names):
        if label not in number:
            raise DataError(
                f"{name}: image {i} has class '{label}', which is not one of: "
                + ", ".join(known[:20])
            )
    return np.array([number[label] for label in names]), known


def _whole(labels: Array, name: str) -> Array:
    broken = np.flatnonzero(~((abs(labels) <= _MOST_EXACT) & (labels == np.rint(labels))))
    if broken.size:
        raise DataError(
            f"{name}: image {broken[0]} has the label {labels[broken[0]]}, which is not an integer "
            "up to 2**53"
        )
    return labels.astype(np.int64)


def _decoded(label: bytes, where: str) -> str:
    try:
        return label.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{where} has a label that is not text in UTF-8: {label!r:.60}") from error


def _as_text(labels: Array, name: str) -> list[str]:
    texts = []
    for i, label in enumerate(listed(labels, name)):
        if label is None or label != label:  # only NaN differs from itself
            raise DataError(f"{name}: image {i} has no label")
        if isinstance(label, bytes):
            label = _decoded(label, f"{name}: image {i}")
        texts.append(str(label))
    return texts
