"""Draw what excites filters: parts of real images, and generated images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pellucid.errors import ShapeError
from pellucid.types import Array
from pellucid.view import style

_TILE = 0.85
"""Inches."""


class Found(Protocol):
    """The parts of images to which F filters respond most; `pellucid.explain.top_patches`."""

    @property
    def layer(self) -> str: ...
    @property
    def channels(self) -> Array: ...
    @property
    def values(self) -> Array: ...
    @property
    def pixels(self) -> list[Array]: ...


class Made(Protocol):
    """Images made to excite F filters; `pellucid.explain.maximize_filter`."""

    @property
    def layer(self) -> str: ...
    @property
    def channels(self) -> Array: ...
    @property
    def images(self) -> Array: ...
    @property
    def values(self) -> Array: ...
    @property
    def pixels(self) -> list[Array]: ...


@style.styled
def patches(found: Found, made: Made | None = None, names: Sequence[str] | None = None) -> Figure:
    """Draw, for each filter, the parts of images to which it responds most, in descending order.

    The filter's response is given below each part, and below the generated image. Where the layer
    saw padding, the frame is hatched. Parts of float images share a scale; generated images are
    stretched to the range from black to white.

    Parameters
    ----------
    found
        Result of `pellucid.explain.top_patches`.
    made
        Result of `pellucid.explain.maximize_filter` for the same filters; of each image, the part
        on which the response depends is shown first.
    names
        Names of the filters, such as the classes for the last layer. Default: "filter 3" and so on.

    Raises
    ------
    ShapeError
        `found` and `made` are not for the same filters.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> from pellucid.explain import top_patches
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 4, 3))
    >>> images = np.random.default_rng(0).integers(0, 256, (9, 1, 8, 8), np.uint8)
    >>> drawn = patches(top_patches(model, images, "conv", channels=[0, 3], count=5))
    >>> len(drawn.axes), drawn.axes[5].get_ylabel()
    (10, 'filter 3')
    """
    if made is not None and not _same(found, made):
        raise ShapeError("the parts and the made images are not of the same layer and filters")
    written = names or [f"filter {channel}" for channel in found.channels]
    first = 0 if made is None else 1
    rows, columns = len(found.channels), found.values.shape[1] + first
    drawn = style.figure(columns * _TILE + 0.4, rows * (_TILE + 0.22) + 0.5)
    drawn.suptitle(f"{found.layer}: what its filters respond to most", size=style.MEDIUM)
    panels = drawn.subplots(rows, columns, squeeze=False)
    for i, row in enumerate(panels):
        if made is not None:
            _show_made(row[0], made, i)
            row[0].set_xlabel(f"made: {made.values[i, -1]:.2g}", size=style.SMALL)
        for ax, part, value in zip(row[first:], found.pixels[i], found.values[i], strict=True):
            _show(ax, part, _whole(found))
            ax.set_xlabel(f"{value:.2g}", size=style.SMALL)
        row[0].set_ylabel(written[i], size=style.SMALL)
    return drawn


@style.styled
def maximizing(made: Made, names: Sequence[str] | None = None) -> Figure:
    """Draw images generated to excite filters, with the filters' numbers and responses.

    Only the part on which the response depends is shown, stretched to the range from black to
    white.

    Parameters
    ----------
    made
        Result of `pellucid.explain.maximize_filter`.
    names
        Titles of the images, such as the classes for the last layer.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> from pellucid.explain import maximize_filter
    >>> model = nn.Sequential(conv=nn.Conv2d(3, 4, 3))
    >>> drawn = maximizing(maximize_filter(model, "conv", input_shape=(3, 9, 9), steps=4))
    >>> [ax.get_title(loc="center") for ax in drawn.axes]
    ['0', '1', '2', '3']
    """
    count = len(made.channels)
    columns = min(count, 8)
    rows = -(-count // columns)
    drawn = style.figure(max(columns * _TILE, 3.4), rows * (_TILE + 0.45) + 0.4)
    drawn.suptitle(f"{made.layer}: images made to excite its filters", size=style.MEDIUM)
    panels = drawn.subplots(rows, columns, squeeze=False).ravel()
    for i, name in enumerate(names or map(str, made.channels)):
        _show_made(panels[i], made, i)
        panels[i].set_title(name, loc="center", size=style.SMALL)
        panels[i].set_xlabel(f"{made.values[i, -1]:.2g}", size=style.SMALL)
    for ax in panels[count:]:
        ax.remove()
    return drawn


def _same(found: Found, made: Made) -> bool:
    return found.layer == made.layer and np.array_equal(found.channels, made.channels)


def _show_made(ax: Axes, made: Made, i: int) -> None:
    """Show the part of a made image that the filter sees, from black to white."""
    part = made.pixels[i]
    _show(ax, part, (float(np.nanmin(part)), float(np.nanmax(part))))


def _whole(found: Found) -> tuple[float, float]:
    """Return what black and white are: 0 and 255, 0 and 1, or the lowest and the highest."""
    low = min(float(np.nanmin(part)) for part in found.pixels)
    high = max(float(np.nanmax(part)) for part in found.pixels)
    if low < 0:
        return low, high
    return 0.0, 1.0 if high <= 1 else max(high, 255.0)


def _show(ax: Axes, part: Array, scale: tuple[float, float]) -> None:
    """Show a part of an image, (C, H, W), transparent where it is NaN."""
    low, high = scale
    rgb = style.to_rgb(np.nan_to_num((part - low) / ((high - low) or 1.0)))
    inside = ~np.isnan(part).any(axis=0)
    style.bare(ax).imshow(np.dstack([rgb, inside]))
    if not inside.all():
        H, W = inside.shape
        padding = Rectangle((-0.5, -0.5), W, H, hatch="/////", fill=False, ec=style.FAINT, lw=0)
        ax.add_patch(padding).set_zorder(0)
    ax.spines[:].set_visible(True)  # so that padding is told from white
