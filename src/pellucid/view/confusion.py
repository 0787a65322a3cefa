"""Draw the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from pellucid.errors import ShapeError
from pellucid.types import Array
from pellucid.view import style
from pellucid.view.evaluated import Evaluated

_NUMBERED = 20
"""Classes up to which each cell holds its number."""
_NAMED = 100
"""Classes up to which each has its name."""
_LIGHT = 0.4
"""The share from which a cell is so light that what is written on it is black."""


@style.styled
def confusion(
    evaluation: Evaluated | Array,
    classes: Sequence[str] | None = None,
    normalize: bool = True,
    ax: Axes | None = None,
) -> Figure:
    """Draw a confusion matrix, with true classes as rows and predicted classes as columns.

    A cell's colour is the share of its row, on a square-root scale, so that rare classes and rare
    confusions are visible; its number is that share in percent, or the count. Numbers are shown for
    up to 20 classes, names for up to 100.

    Parameters
    ----------
    evaluation
        Result of `pellucid.evaluate`, or a matrix (classes, classes) of counts.
    classes
        Names of the classes; by default those of the evaluation, or numbers.
    normalize
        Whether to show percent of the row (default), or counts.
    ax
        Axes to draw on; a new figure by default.

    Examples
    --------
    >>> drawn = confusion(np.array([[8, 2], [1, 9]]), ("cat", "dog"))
    >>> [text.get_text() for text in drawn.axes[0].texts]
    ['80', '20', '10', '90']
    """
    matrix = np.asarray(getattr(evaluation, "confusion", evaluation))
    count = len(matrix)
    if matrix.shape != (count, count) or not count:
        raise ShapeError(f"a confusion matrix is (classes, classes), not {matrix.shape}")
    names = list(classes or getattr(evaluation, "classes", None) or map(str, range(count)))
    if len(names) != count:
        raise ShapeError(f"{len(names)} names for a confusion matrix of {count} classes")
    side = np.clip(0.42 * count, 2.4, 11.0)
    drawn, ax = style.axes(ax, side + 2.2, side + 1.2)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = ax.imshow(shares, style.SEQUENTIAL, norm=PowerNorm(0.5, 0, 1))
    if count <= _NUMBERED:
        _write_numbers(ax, matrix, shares, normalize)
    _name(ax, names)
    ax.set(xlabel="prediction", ylabel="truth")
    bar = drawn.colorbar(image, ax=ax, shrink=0.7, format=lambda share, _: f"{100 * share:g} %")
    bar.set_label("share of the images of a class", size=style.SMALL)
    bar.outline.set_visible(False)
    return drawn


def _write_numbers(ax: Axes, matrix: Array, shares: Array, normalize: bool) -> None:
    longest = max(len(f"{n:,}") for n in matrix.flat)
    size = style.SMALL if normalize or longest < 5 else style.SMALL * 4.5 / longest
    for (row, column), count in np.ndenumerate(matrix):
        if not count:
            continue  # what never happens is left empty, so that what does is seen
        share = float(shares[row, column])
        colour = "black" if share > _LIGHT else "white"
        text = _percent(share) if normalize else f"{count:,}"
        ax.text(column, row, text, size=size, color=colour, ha="center", va="center")


def _percent(share: float) -> str:
    """Return percent as whole numbers, or with one digit where it is little.

    >>> [_percent(share) for share in (0.0004, 0.004, 0.12, 0.999, 1.0)]
    ['<0.1', '0.4', '12', '99.9', '100']
    """
    percent = 100 * share
    if 0 < percent < 0.1:
        return "<0.1"
    if percent < 9.95 or 99 < percent < 100:
        return f"{min(percent, 99.9):.1f}".removesuffix(".0")
    return f"{percent:.0f}"


def _name(ax: Axes, names: list[str]) -> None:
    step = 1 if len(names) <= _NAMED else -(-len(names) // 50)
    places = range(0, len(names), step)
    shown = [style.shortened(names[i]) for i in places]
    size = float(np.clip(600 / len(names), 5.0, style.SMALL))
    ax.set_xticks(places, shown, size=size, rotation=0 if _fit(shown) else 90)
    ax.set_yticks(places, shown, size=size)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _fit(names: list[str]) -> bool:
    """Return whether names stand beside one another under the columns."""
    return len(names) <= 20 and max(map(len, names)) <= 3
