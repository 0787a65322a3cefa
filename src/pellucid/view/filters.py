"""Draw the learned kernels of a convolution."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pellucid.errors import PellucidError, unknown
from pellucid.layers import Layer
from pellucid.parameter import Parameter
from pellucid.types import Array
from pellucid.view import style

_MOST = 64
"""Kernels that are shown, where each is one tile."""
_MOST_ROWS, _MOST_COLUMNS = 16, 24
"""Filters and channels that are shown, where each pair is one tile; four times as many of 1×1."""
_TILE, _GAP = 12, 2
"""Pixels to which a kernel is enlarged, at least, and between kernels."""


@style.styled
def filters(model: Layer, layer: str | None = None, ax: Axes | None = None) -> Figure:
    """Draw the kernels of a convolution, all with the same scale.

    Kernels on colour images are shown in colour, with grey for 0. Kernels on one channel are red
    where positive and blue where negative. For deeper convolutions, rows are filters and columns
    input channels. If not all fit, the title says how many are shown.

    Parameters
    ----------
    model
        The network.
    layer
        Path of a convolution, as in `pellucid.summary`; the first one by default.

    Raises
    ------
    PellucidError
        There is no convolution, or none of that name.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv1=nn.Conv2d(1, 6, 5), conv2=nn.Conv2d(6, 16, 3))
    >>> filters(model).axes[0].get_title()
    'conv1: 6 kernels of 5×5'
    >>> filters(model, "conv2").axes[0].get_title()
    'conv2: 16 filters of 6×3×3'
    """
    name, weight = _kernels(model, layer)
    count, channels, height, width = weight.shape
    side = 0.55
    if channels in (1, 3):
        shown = min(count, _MOST)
        tiles = _in_rows(weight[:shown])
        title = f"{name}: {count} kernel{'s' * (count > 1)} of {height}×{width}"
        text = f"the first {shown} are shown" if shown < count else ""
    else:
        times = 4 if height * width == 1 else 1
        tiles = weight[: times * _MOST_ROWS, : times * _MOST_COLUMNS, None]
        title = f"{name}: {count} filters of {channels}×{height}×{width}"
        text = f"rows: {_first(tiles.shape[0], count)} filters; "
        text += f"columns: {_first(tiles.shape[1], channels)} channels"
        side = 0.3 / times
    rows, columns = tiles.shape[:2]
    drawn, ax = style.axes(ax, max(columns * side, 4.2) + 0.3, rows * side + 1.2)
    _draw(drawn, style.bare(ax), tiles, float(abs(weight).max()) or 1.0)
    ax.set_title(title, size=style.MEDIUM)
    ax.set_xlabel(text, size=style.SMALL)
    return drawn


def _kernels(model: Layer, wanted: str | None) -> tuple[str, Array]:
    """Return the name and the weights (F, C, KH, KW) of a convolution."""
    found = {
        path: weight.value
        for path, layer in model.walk()
        if isinstance(weight := getattr(layer, "weight", None), Parameter)
        and len(weight.shape) == 4
    }
    if not found:
        raise PellucidError("this model has no convolution, so there are no kernels to draw")
    name = next(iter(found)) if wanted is None else wanted
    if name not in found:
        raise PellucidError(unknown("convolution", name, found))
    return style.shortened(name or type(model).__name__, 32), found[name]


def _first(shown: int, of: int) -> str:
    return f"the first {shown} of {of}" if shown < of else str(of)


def _in_rows(kernels: Array) -> Array:
    """Return kernels (F, C, KH, KW) in rows and columns, (R, K, C, KH, KW), filled up with NaN."""
    columns = min(len(kernels), max(8, math.ceil(math.sqrt(2 * len(kernels)))))
    rows = -(-len(kernels) // columns)
    filled = np.full((rows * columns, *kernels.shape[1:]), np.nan)
    filled[: len(kernels)] = kernels
    return filled.reshape(rows, columns, *kernels.shape[1:])


def _draw(drawn: Figure, ax: Axes, tiles: Array, scale: float) -> None:
    """Draw tiles (R, K, C, KH, KW) as one image."""
    whole = _joined(tiles)
    if len(whole) == 3:
        colour = np.nan_to_num(0.5 + whole / (2 * scale)).transpose(1, 2, 0)
        ax.imshow(np.dstack([colour, ~np.isnan(whole[0])]))
        return
    image = ax.imshow(whole[0], style.DIVERGING, vmin=-scale, vmax=scale)
    bar = drawn.colorbar(image, ax=ax, location="bottom", shrink=0.6, aspect=25)
    bar.set_ticks([-scale, 0, scale], labels=[f"{x:.2g}" for x in (-scale, 0, scale)])
    bar.outline.set_visible(False)


def _joined(tiles: Array) -> Array:
    """Return tiles as one image (C, H, W), enlarged, with gaps of NaN between them."""
    large = -(-_TILE // max(tiles.shape[-2:]))
    enlarged = tiles.astype(float).repeat(large, axis=-2).repeat(large, axis=-1)
    gaps = [(0, 0)] * 3 + [(0, _GAP)] * 2
    padded = np.pad(enlarged, gaps, constant_values=np.nan)
    rows, columns, channels, height, width = padded.shape
    whole = padded.transpose(2, 0, 3, 1, 4).reshape(channels, rows * height, columns * width)
    return whole[:, :-_GAP, :-_GAP]
