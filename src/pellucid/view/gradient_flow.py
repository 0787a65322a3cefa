"""Draw the size of each layer's gradient during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from pellucid.errors import ShapeError
from pellucid.types import Array
from pellucid.view import style

_TICKS = 9


@style.styled
def gradient_flow(
    steps: Any, names: Sequence[str], norms: Any, ratios: Any = None, ax: Axes | None = None
) -> Figure:
    """Draw the norm of each layer's gradient during training, as a heat map.

    Rows are layers, with the first on top; columns are recorded steps. Where rows become dark
    towards the top, gradients vanish on their way back; where they become bright, they explode.
    Grey is a gradient that is zero or not finite.

    Parameters
    ----------
    steps, names
        Numbers of the steps, (T,), and names of L layers or weights.
    norms
        Norms ``‖∂L/∂w‖``, (T, L).
    ratios
        Relative updates ``‖Δw‖ / ‖w‖``, (T, L), drawn beside the norms. Far above 0.01, training
        tends to be unstable.
    ax
        Axes to draw on; a new figure by default.

    Examples
    --------
    >>> drawn = gradient_flow([1, 2], ["conv1", "fc"], [[0.1, 1.0], [0.2, 2.0]])
    >>> [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    ['conv1', 'fc']
    """
    steps = np.asarray(steps)
    tables = {"Norm of the gradient": _table(norms, steps, names, "norms")}
    if ratios is not None:
        tables["Change of a weight in a step, by its norm"] = _table(ratios, steps, names, "ratios")
    height = 1.3 + float(np.clip(0.2 * len(names), 0.6, 14.0))
    if ax is not None or ratios is None:
        drawn, only = style.axes(ax, 6.4, height)
        panels = [only]
    else:
        drawn = style.figure(11.0, height)
        panels = list(drawn.subplots(1, 2, sharey=True))
    for panel, (title, table) in zip(panels, tables.items(), strict=False):
        _draw(drawn, panel, steps, table)
        panel.set_title(title)
    _name(panels[0], names)
    return drawn


def _table(values: Any, steps: Array, names: Sequence[str], what: str) -> Array:
    table = np.asarray(values, float)
    if table.shape != (len(steps), len(names)) or not table.size:
        raise ShapeError(
            f"the {what} of {len(steps)} steps and {len(names)} layers must have the shape "
            f"({len(steps)}, {len(names)}), not {table.shape}"
        )
    return np.ma.masked_where(~np.isfinite(table) | (table <= 0), table)


def _draw(drawn: Figure, ax: Axes, steps: Array, table: Array) -> None:
    known = np.ma.compressed(table)
    low, high = (known.min(), known.max()) if known.size else (0.1, 1.0)
    norm = LogNorm(low, high if high > low else 1.01 * low)
    ax.set_facecolor(style.FAINT)
    image = ax.imshow(table.T, style.SEQUENTIAL, norm=norm, aspect="auto")
    places = np.unique(np.linspace(0, len(steps) - 1, min(_TICKS, len(steps))).round().astype(int))
    ax.set_xticks(places, [f"{steps[i]:,}" for i in places])
    ax.set_xlabel("step")
    ax.spines[:].set_visible(False)
    bar = drawn.colorbar(image, ax=ax, pad=0.02, format=lambda value, _: f"{value:,g}")
    bar.ax.yaxis.set_major_locator(_decades(low, high))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.outline.set_visible(False)


def _decades(low: float, high: float) -> LogLocator:
    return LogLocator(subs=(1.0,) if high > 100 * low else (1.0, 2.0, 5.0))


def _name(ax: Axes, names: Sequence[str]) -> None:
    size = float(np.clip(900 / len(names), 5.0, style.SMALL))
    step = -(-len(names) // 100)
    shown = range(0, len(names), step)
    ax.set_yticks(shown, [style.shortened(names[i], 32) for i in shown], size=size)
    ax.tick_params(axis="y", length=0)
