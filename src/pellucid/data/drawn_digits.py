"""Photos of drawn digits, converted to the form of MNIST's digits."""

from __future__ import annotations

import numpy as np

from pellucid.errors import DataError, ShapeError, missing_extra
from pellucid.types import Array

_SIDE = 28
_BOX = 20
_STRANGE = 0.35  # part of the range of grey levels by which other surfaces differ from paper
_MOSTLY = 0.6  # fraction of a line that no stroke fills if the digit has paper around it
_FAINT = 10.0  # smallest difference between ink and background, in grey levels of 255
_TRACE = 0.02  # fraction of full ink; smaller values are unevenness of the background
_LARGE = 64  # images of at least this size are median-filtered against specks


def drawn_digit(image: Array) -> Array:
    """Convert a drawn digit to MNIST's form: white on black, at most 20×20, centred in 28×28.

    In MNIST each digit, with its proportions kept, fills a box of 20×20, and its centre of mass
    lies at the centre of 28×28. A photo is first converted to light on dark: a plane fitted to the
    border estimates the brightness of the paper, even if one side lies in the shade, and is
    subtracted; differences below Otsu's threshold count as paper. Strips along the sides that are
    not paper, such as the edge of a dark table, are cut off first.

    Parameters
    ----------
    image
        uint8 array (H, W) or (1, H, W): a dark digit on a light background or vice versa, with
        background on all sides.

    Returns
    -------
    ndarray of shape (1, 28, 28)
        uint8, 0 for background and 255 for full ink.

    Raises
    ------
    DataError
        Nothing is drawn on the image, or the ink is too faint.

    Sources: LeCun et al., "Gradient-based learning applied to document recognition", 1998, sec.
    III.A; Otsu, "A threshold selection method from gray-level histograms", 1979.

    Examples
    --------
    >>> paper = np.full((100, 80), 220, np.uint8)
    >>> paper[20:80, 38:44] = 30
    >>> one = drawn_digit(paper)
    >>> one.shape, int(one.max()), int(one.any(axis=2).sum())
    ((1, 28, 28), 255, 20)
    """
    grey = image[0] if image.ndim == 3 and len(image) == 1 else image
    if grey.ndim != 2 or min(grey.shape) < 3 or grey.dtype != np.uint8:
        raise ShapeError(
            f"a drawn digit is a grey image, uint8 (H, W), not {image.dtype} {image.shape}"
        )
    ink = _ink(_without_specks(_without_edges(grey)))
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    cropped = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _centred(_fitted(cropped))[None]


def _without_edges(grey: Array) -> Array:
    """Crop strips along the sides that are not paper, such as the edge of a dark table.

    In the lines of such a strip, most pixels differ from the paper as strongly as ink. If less
    than half of the height or width would remain, nothing is cropped.
    """
    paper = np.median(grey)
    unlike = np.abs(grey - paper) > _STRANGE * max(float(np.ptp(grey)), 1.0)
    top, bottom = _strips(unlike.mean(axis=1))
    left, right = _strips(unlike.mean(axis=0))
    height, width = grey.shape
    if bottom - top < height / 2 or right - left < width / 2:
        return grey
    return grey[top:bottom, left:right]


def _strips(shares: Array) -> tuple[int, int]:
    """Return the range of lines between the strips, given the non-paper share of each line."""
    good = np.flatnonzero(shares < _MOSTLY)
    if not len(good):
        return 0, len(shares)
    first, end = int(good[0]), int(good[-1]) + 1
    margin = max(1, len(shares) // 50)  # the strip's blurred border
    after = end - margin if end < len(shares) else end
    return (first + margin if first else 0), after


def _without_specks(grey: Array) -> Array:
    if min(grey.shape) < _LARGE:
        return grey
    try:
        from PIL import Image, ImageFilter
    except ImportError as error:
        raise missing_extra("preparing a drawn digit", "pillow") from error
    smooth = Image.fromarray(np.ascontiguousarray(grey))
    return np.asarray(smooth.filter(ImageFilter.MedianFilter(3)))


def _ink(grey: Array) -> Array:
    """Return the amount of ink in each pixel, from 0 to 1; the background is exactly 0."""
    difference = grey - _ground(grey)
    if -difference.min() > difference.max():
        difference = -difference  # dark on light
    difference = np.maximum(difference, 0.0)
    strong = difference > _otsu(difference)
    full = np.median(difference[strong]) if strong.any() else 0.0
    if full < _FAINT:
        raise DataError("nothing is drawn on this image, or it is too faint to be seen")
    # the soft edge of a stroke is below the threshold but adjacent to pixels above it
    ink = np.minimum(difference / full, 1.0)
    return np.where(_grown(strong) & (ink > _TRACE), ink, 0.0)


def _ground(grey: Array) -> Array:
    """Return the plane a + b·row + c·column closest to the image's border (least squares)."""
    rows, columns = np.indices(grey.shape)
    margin = max(1, min(grey.shape) // 20)
    border = np.ones(grey.shape, bool)
    border[margin:-margin, margin:-margin] = False
    terms = np.stack([np.ones(grey.shape), rows, columns], axis=-1)
    plane, *_ = np.linalg.lstsq(terms[border], grey[border].astype(np.float64), rcond=None)
    return np.asarray(terms @ plane)


def _otsu(values: Array) -> float:
    """Return Otsu's threshold, which splits `values` into two groups that are furthest apart.

    With the shares w₀, w₁ and the means m₀, m₁ of the two groups, it maximises the variance
    between them, w₀·w₁·(m₀ − m₁)².
    """
    counts, edges = np.histogram(values, bins=256)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    total = np.cumsum(counts * middles)
    mean_below = total[:-1] / np.maximum(below, 1)
    mean_above = (total[-1] - total[:-1]) / np.maximum(above, 1)
    return float(edges[1:][np.argmax(below * above * (mean_below - mean_above) ** 2)])


def _grown(mask: Array) -> Array:
    """Dilate `mask` by one pixel in all eight directions."""
    padded = np.pad(mask, 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return np.asarray(windows.any(axis=(2, 3)))


def _fitted(ink: Array) -> Array:
    """Resize so that the longer side fills the box, and scale the strongest ink to 1."""
    try:
        from PIL import Image
    except ImportError as error:
        raise missing_extra("preparing a drawn digit", "pillow") from error
    factor = _BOX / max(ink.shape)
    height, width = (max(1, round(side * factor)) for side in ink.shape)
    picture = Image.fromarray(ink.astype(np.float32))
    resized = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    return np.asarray(np.clip(resized / resized.max(), 0.0, 1.0))


def _centred(ink: Array) -> Array:
    """Place the centre of mass on pixel (14, 14), where MNIST's is on average."""
    field = np.zeros((_SIDE, _SIDE), np.uint8)
    top, left = (
        int(np.clip(round(_SIDE / 2 - centre), 0, _SIDE - side))
        for centre, side in zip(_centre_of_mass(ink), ink.shape, strict=True)
    )
    field[top : top + ink.shape[0], left : left + ink.shape[1]] = np.rint(ink * 255)
    return field


def _centre_of_mass(ink: Array) -> tuple[float, float]:
    rows, columns = np.indices(ink.shape)
    total = ink.sum()
    return float((rows * ink).sum() / total), float((columns * ink).sum() / total)
