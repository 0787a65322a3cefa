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
    channels. Each map has its own scale, which ends at the 99.5th percentile.

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
    ['cat', 'saliency', '', '']
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
    """Draw the image and, of each method, the map over the map on the image."""
    columns = max(min(columns, len(maps) + 1), 2)
    lines = -(-(len(maps) + 1) // columns)
    tall = _TILE * min(image.shape[1] / image.shape[2], 2.0)
    drawn = style.figure(columns * _TILE, lines * (2 * tall + 0.35))
    panels = drawn.subplots(2 * lines, columns, squeeze=False)
    style.show_image(panels[0, 0], image, preprocessing)
    panels[0, 0].set_title(title, loc="center", size=style.SMALL)
    panels[1, 0].imshow(pale)
    for i, (name, values) in enumerate(maps.items(), start=1):
        line, column = divmod(i, columns)
        above, below = panels[2 * line, column], panels[2 * line + 1, column]
        above.imshow(_coloured(values[0])[..., :3])
        above.set_title(name, loc="center", size=style.SMALL)
        _lay_over(below, pale, values[0])
    for i, ax in enumerate(panels.ravel()):
        line, column = i // columns // 2, i % columns
        if line * columns + column > len(maps):
            ax.remove()
        else:
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


def _coloured(values: Array) -> Array:
    """Return a map's colours, (H, W, 4), the more opaque the further from 0."""
    strength = abs(values)
    full = np.percentile(strength, _BRIGHTEST) or strength.max() or 1.0
    share = np.clip(values / full, -1, 1)
    signed = bool(values.min() < 0)
    colours = colormaps[style.DIVERGING if signed else style.SEQUENTIAL]
    painted = colours((share + 1) / 2 if signed else share)
    painted[..., 3] = np.minimum(abs(share) * 1.25, 1) * 0.9
    return np.asarray(painted)
