"""Draw attribution maps over the image that they explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pellucid.errors import ShapeError
from pellucid.preprocessing import Preprocessing
from pellucid.types import Array
from pellucid.view import style

_TILE = 1.55
"""Inches."""
_BRIGHTEST = 99.5
"""The percentile that has the full colour, so that one pixel does not darken all others."""
_PALE = 0.55
"""How far the image behind a map is brought to white."""


@style.styled
def attribution(
    images: Any,
    maps: Mapping[str, Array] | Array,
    titles: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    columns: int = 5,
) -> Figure:
    """Draw images with the maps of one or several attribution methods.

    For one image, each method has two pictures: the map alone, and the map over the pale grey
    image. For several images, each has a row of maps over the image. Maps without negative values
    are dark at 0; in others, red supports the class and blue speaks against it, summed over
    channels. Each map has its own scale, which ends at the 99.5th percentile; the colour bars of a
    single image give it.

    Parameters
    ----------
    images
        One image (C, H, W), or several (N, C, H, W).
    maps
        Results of functions of `pellucid.explain` for these images, by the method's name, or one
        array: (N, H, W), (N, C, H, W), or without N for one image.
    titles
        Title of each image, such as its class.
    preprocessing
        Preprocessing to undo, if the images are preprocessed.
    columns
        Number of pictures per row, for one image. Default: 5.

    Raises
    ------
    ShapeError
        A map does not fit the images.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((3, 8, 8))
    >>> drawn = attribution(image, {"saliency": np.eye(8)[None]}, titles=["cat"])
    >>> [ax.get_title(loc="center") for ax in drawn.axes]
    ['cat', 'saliency', '', '', '']
    """
    x = np.asarray(images)
    x = x[None] if x.ndim == 3 else x
    if x.ndim != 4:
        raise ShapeError(f"images must be (N, C, H, W) or (C, H, W), not {x.shape}")
    given = maps if isinstance(maps, Mapping) else {"": np.asarray(maps)}
    fitted = {name: _fitted(name, values, x) for name, values in given.items()}
    written = list(titles or [""] * len(x))
    if len(written) != len(x):
        raise ShapeError(f"there are {len(x)} images but {len(written)} titles")
    pale = [_pale(style.to_rgb(image, preprocessing)) for image in x]
    if len(x) > 1:
        return _rows(x, pale, fitted, written, preprocessing)
    return _one(x[0], pale[0], fitted, written[0], preprocessing, columns)


def _fitted(name: str, values: Array, x: Array) -> Array:
    """Return maps as (N, H, W): channels are added."""
    N, _, H, W = x.shape
    if len(x) == 1 and values.shape in ((H, W), x.shape[1:]):
        values = values[None]
    if values.shape not in ((N, H, W), x.shape):
        raise ShapeError(
            f"a map for images of shape {x.shape} has the shape {(N, H, W)} or {x.shape}, "
            f"not {values.shape}" + (f" as '{name}'" if name else "")
        )
    return np.asarray(values.sum(axis=1) if values.ndim == 4 else values)


def _one(
    image: Array,
    pale: Array,
    maps: Mapping[str, Array],
    title: str,
    preprocessing: Preprocessing | None,
    columns: int,
) -> Figure:
    """Draw the image and, for each method, its map, the map over the image, and its scale."""
    columns = max(min(columns, len(maps) + 1), 2)
    lines = -(-(len(maps) + 1) // columns)
    tall = _TILE * min(image.shape[1] / image.shape[2], 2.0)
    drawn = style.figure(columns * _TILE, lines * (2 * tall + 0.35))
    heights = [1.0, 1.0, 0.06] * lines
    panels = drawn.subplots(3 * lines, columns, squeeze=False, height_ratios=heights)
    style.show_image(panels[0, 0], image, preprocessing)
    panels[0, 0].set_title(title, loc="center", size=style.SMALL)
    panels[1, 0].imshow(pale)
    for i, (name, values) in enumerate(maps.items(), start=1):
        line, column = divmod(i, columns)
        above, below, bar = panels[3 * line : 3 * line + 3, column]
        above.imshow(_coloured(values[0])[..., :3])
        above.set_title(name, loc="center", size=style.SMALL)
        _lay_over(below, pale, values[0])
        style.scale_bar(drawn, None, *_scale(values[0]), inside=bar)
    for i, ax in enumerate(panels.ravel()):
        row, column = divmod(i, columns)
        place = row // 3 * columns + column
        if place > len(maps) or (row % 3 == 2 and place == 0):
            ax.remove()
        elif row % 3 < 2:
            style.bare(ax)
    return drawn


def _rows(
    x: Array,
    pale: Sequence[Array],
    maps: Mapping[str, Array],
    titles: Sequence[str],
    preprocessing: Preprocessing | None,
) -> Figure:
    """Draw each image in a row of its own, beside the maps laid over it."""
    tall = _TILE * min(x.shape[2] / x.shape[3], 2.0)
    drawn = style.figure((len(maps) + 1) * _TILE, len(x) * (tall + 0.25))
    panels = drawn.subplots(len(x), len(maps) + 1, squeeze=False)
    for row, image, behind, title, n in zip(panels, x, pale, titles, range(len(x)), strict=True):
        style.show_image(row[0], image, preprocessing)
        row[0].set_title(title, loc="center", size=style.SMALL)
        for ax, (name, values) in zip(row[1:], maps.items(), strict=True):
            _lay_over(style.bare(ax), behind, values[n])
            ax.set_title(name if n == 0 else "", loc="center", size=style.SMALL)
    return drawn


@style.styled
def attribution_by_class(
    image: Array,
    maps: Mapping[str, Mapping[str, Array]],
    preprocessing: Preprocessing | None = None,
) -> Figure:
    """Draw what several classes depend on in the same image, side by side.

    Each method is a row and each class a column. The maps of a row share a scale, given by its
    colour bar, so that they can be compared.

    Parameters
    ----------
    image
        The image, (C, H, W).
    maps
        Results of functions of `pellucid.explain` for this image, (H, W), (C, H, W) or with N = 1,
        by class and then by method.
    preprocessing
        Preprocessing to undo, if the image is preprocessed.

    Raises
    ------
    ShapeError
        A map does not fit the image.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((3, 8, 8))
    >>> maps = {"cat": {"saliency": np.eye(8)}, "dog": {"saliency": 1 - np.eye(8)}}
    >>> drawn = attribution_by_class(image, maps)
    >>> [ax.get_title(loc="center") for ax in drawn.axes]
    ['the image', 'for cat', 'for dog', '']
    """
    x = np.asarray(image)[None]
    fitted = {
        name: [_fitted(name, np.asarray(of_class[name]), x)[0] for of_class in maps.values()]
        for name in next(iter(maps.values()))
    }
    pale = _pale(style.to_rgb(x[0], preprocessing))
    tall = _TILE * min(x.shape[2] / x.shape[3], 2.0)
    drawn = style.figure((len(maps) + 1) * _TILE + 0.5, len(fitted) * (tall + 0.1) + 0.2)
    panels = drawn.subplots(len(fitted), len(maps) + 1, squeeze=False)
    style.show_image(panels[0, 0], x[0], preprocessing)
    panels[0, 0].set_title("the image", loc="center", size=style.SMALL)
    for ax in panels[1:, 0]:
        ax.set_axis_off()
    for row, (method, of_classes) in zip(panels, fitted.items(), strict=True):
        colours, low, high = _scale(np.stack(of_classes))
        for ax, values in zip(row[1:], of_classes, strict=True):
            style.bare(ax).imshow(pale)
            ax.imshow(_coloured(values, (colours, low, high)))
        row[1].set_ylabel(method, size=style.SMALL)
        style.scale_bar(drawn, list(row), colours, low, high)
    for ax, name in zip(panels[0, 1:], maps, strict=True):
        ax.set_title(f"for {name}", loc="center", size=style.SMALL)
    return drawn


def _lay_over(ax: Axes, pale: Array, values: Array) -> None:
    ax.imshow(pale)
    ax.imshow(_coloured(values))


def laid_over(image: Array, values: Array, preprocessing: Preprocessing | None = None) -> Array:
    """Return a map over the pale grey image, (H, W, 3) from 0 to 1.

    Parameters
    ----------
    image, values
        (C, H, W) and (H, W).
    preprocessing
        What the image has gone through, to be undone.
    """
    painted, pale = _coloured(values), _pale(style.to_rgb(image, preprocessing))
    share = painted[..., 3:]
    return np.asarray(share * painted[..., :3] + (1 - share) * pale)


def _pale(rgb: Array) -> Array:
    """Return an image in grey, brought to white."""
    grey = rgb @ np.array([0.299, 0.587, 0.114])
    return np.repeat((_PALE + (1 - _PALE) * grey)[..., None], 3, axis=2)


def _scale(values: Array) -> tuple[str, float, float]:
    """Return the name of the colour map for some maps, and the values at its ends."""
    strength = abs(values)
    full = float(np.percentile(strength, _BRIGHTEST) or strength.max() or 1.0)
    signed = bool(values.min() < 0)
    return (style.DIVERGING, -full, full) if signed else (style.SEQUENTIAL, 0.0, full)


def _coloured(values: Array, scale: tuple[str, float, float] | None = None) -> Array:
    """Return a map's colours, (H, W, 4), the more opaque the further from 0."""
    name, low, full = scale or _scale(values)
    share = np.clip(values / full, -1, 1)
    painted = colormaps[name]((share + 1) / 2 if low < 0 else share)
    painted[..., 3] = np.minimum(abs(share) * 1.25, 1) * 0.9
    return np.asarray(painted)
