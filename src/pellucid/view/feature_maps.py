"""Draw the feature maps of layers for an image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pellucid.errors import ShapeError
from pellucid.types import Array
from pellucid.view import style

_MOST = 12
"""Maps shown of each of several layers."""
_TILE, _GAP = 28, 2
"""Pixels to which a map is enlarged, at least, and between maps."""
_SIDE = 0.62
"""Inches of a map."""


@style.styled
def feature_maps(
    activations: Mapping[str, Array] | Array,
    image: int = 0,
    most: int | None = None,
    columns: int = 12,
) -> Figure:
    """Draw the feature maps of convolutions and other layers for one image.

    Each map is a channel: bright, or red, where the layer responds strongly. All maps of a layer
    have the same scale. If a layer's values have both signs, red is positive and blue negative;
    otherwise dark is 0. The title gives the layer's name and shape, a bar the scale of its colours.

    Parameters
    ----------
    activations
        Result of `pellucid.explain.activations`, of which layers without maps are ignored; or one
        array of maps, (N, C, H, W) or (C, H, W).
    image
        Index of the image among the N. Default: 0.
    most
        Number of maps to show of each layer. By default 12 if there are several layers, else all.
    columns
        Number of maps in a row. Default: 12; fewer suit narrow screens.

    Raises
    ------
    ShapeError
        There are no maps, or no such image.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> from pellucid.explain import activations
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 8, 3), relu=nn.ReLU(), flatten=nn.Flatten())
    >>> drawn = feature_maps(activations(model, np.ones((1, 9, 9))))
    >>> [ax.get_title(loc="left").partition(",")[0] for ax in drawn.axes]
    ['conv: 8 maps of 7×7', 'relu: 8 maps of 7×7', '', '']
    """
    given = activations if isinstance(activations, Mapping) else {"": np.asarray(activations)}
    layers = {name: _of_one(name, y, image) for name, y in given.items() if y.ndim in (3, 4)}
    if not layers:
        raise ShapeError("there are no maps to draw: these layers return no (N, C, H, W)")
    shown = most or (_MOST if len(layers) > 1 else max(len(y) for y in layers.values()))
    heights = [_height(y[:shown], columns) for y in layers.values()]
    widest = max(min(len(y), shown, columns) for y in layers.values())
    drawn = style.figure(max(widest * _SIDE + 0.5, 4.0), sum(heights) + 0.34 * len(layers) + 0.1)
    panels = drawn.subplots(len(layers), 1, squeeze=False, height_ratios=[h + 0.3 for h in heights])
    for ax, (name, maps) in zip(panels[:, 0], layers.items(), strict=True):
        style.scale_bar(drawn, ax, *_draw(ax, name, maps, shown, widest))
    return drawn


def _of_one(name: str, y: Array, image: int) -> Array:
    """Return the maps of one image, (C, H, W)."""
    if y.ndim == 3:
        return y
    if not 0 <= image < len(y):
        raise ShapeError(f"there is no image {image}; there are {len(y)}, numbered from 0")
    return np.asarray(y[image])


def _height(maps: Array, columns: int) -> float:
    """Return the inches that a layer's maps take, row by row."""
    _, H, W = maps.shape
    return float(-(-len(maps) // columns) * _SIDE * min(H / W, 2.0))


def _draw(ax: Axes, name: str, maps: Array, shown: int, widest: int) -> tuple[str, float, float]:
    """Draw the maps of a layer, and return the colour map and the values at its ends."""
    largest = float(abs(maps).max())
    signed = bool(maps.min() < 0)
    scale = largest or 1.0
    tiles = in_rows(maps[:shown], widest)
    colours = style.DIVERGING if signed else style.SEQUENTIAL
    low = -scale if signed else 0.0
    style.bare(ax).imshow(tiles, colours, vmin=low, vmax=scale)
    ax.set_anchor("W")
    count, H, W = maps.shape
    first = f", the first {shown} shown" if shown < count else ""
    title = f"{count} map{'s' * (count > 1)} of {H}×{W}{first}"
    ax.set_title(f"{name}: {title}" if name else title, loc="left", size=style.SMALL)
    return colours, low, scale


def in_rows(maps: Array, columns: int) -> Array:
    """Return maps (C, H, W) as one image in rows of `columns`, enlarged, NaN between and after."""
    count, H, W = maps.shape
    rows = -(-count // columns)
    filled = np.full((rows * columns, H, W), np.nan)
    filled[:count] = maps
    large = -(-_TILE // max(H, W))
    enlarged = filled.repeat(large, axis=1).repeat(large, axis=2)
    padded = np.pad(enlarged, ((0, 0), (0, _GAP), (0, _GAP)), constant_values=np.nan)
    _, height, width = padded.shape
    whole = padded.reshape(rows, columns, height, width).swapaxes(1, 2)
    return whole.reshape(rows * height, columns * width)[:-_GAP, :-_GAP]
