"""Draw the comparison of a network in several frameworks: differences, losses, and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pellucid.view import style

Numbers = Mapping[str, Sequence[float]]

_ZERO = 1e-18
"""Where a difference of 0 is drawn, which has no logarithm."""
_TICKS = {_ZERO: "0"} | {10.0**n: f"1e{n}" for n in (-16, -13, -10, -7, -4, -1)}


@style.styled
def comparison(
    differences: Mapping[str, Numbers],
    bounds: Mapping[str, float],
    losses: Numbers,
    seconds: Numbers,
    unjudged: Mapping[str, Mapping[str, Sequence[bool]]] | None = None,
) -> Figure:
    """Draw a comparison of frameworks.

    Parameters
    ----------
    differences
        Relative differences from Pellucid, by type and then by framework: of the outputs, of each
        layer's activations and of each parameter's gradient, in order.
    bounds
        Largest difference that counts as rounding, by type.
    losses, seconds
        Losses of the training steps, and seconds per step of each turn; by framework, Pellucid
        first.
    unjudged
        Which of `differences` are not judged, with the same structure; they are drawn hollow.

    Examples
    --------
    >>> drawn = comparison(
    ...     {"float32": {"PyTorch": [1e-7, 3e-7]}, "float64": {"PyTorch": [0.0, 2e-16]}},
    ...     {"float32": 1e-3, "float64": 1e-12},
    ...     {"Pellucid": [2.3, 1.9], "PyTorch": [2.3, 1.9]},
    ...     {"Pellucid": [0.001, 0.0012], "PyTorch": [0.002, 0.0021]},
    ... )
    >>> [ax.get_title() for ax in drawn.axes]
    ['Largest relative differences', 'Loss of each step', 'Milliseconds a step']
    """
    drawn = style.figure(11.0, 3.6)
    apart, learned, spent = drawn.subplots(1, 3, width_ratios=(1.5, 1.2, 1.0))
    colours = dict(zip(losses, style.PALETTE, strict=False))
    _differences(apart, differences, bounds, colours, unjudged or {})
    _losses(learned, losses, colours)
    _seconds(spent, seconds, colours)
    return drawn


def _differences(
    ax: Axes,
    differences: Mapping[str, Numbers],
    bounds: Mapping[str, float],
    colours: Mapping[str, str],
    unjudged: Mapping[str, Mapping[str, Sequence[bool]]],
) -> None:
    """Draw a dot for each quantity, hollow where it is not judged, and a line for each bound."""
    count = 0
    for dtype, by_framework in differences.items():
        for place, (name, values) in enumerate(by_framework.items()):
            count = max(count, len(values))
            heights = np.clip(np.asarray(values, float), _ZERO, 1.0)
            numbers = np.arange(1, len(values) + 1)
            hollow = np.array(unjudged.get(dtype, {}).get(name, [False] * len(values)), bool)
            look: dict[str, Any] = {"marker": "os^"[place % 3], "ls": "", "mew": 0.8}
            look |= {"color": colours[name], "ms": max(5.0 - 2 * place, 2.5)}
            label = name if dtype == next(iter(differences)) else None
            ax.plot(numbers[~hollow], heights[~hollow], **look, label=label)
            ax.plot(numbers[hollow], heights[hollow], **look, mfc="none")
        ax.axhline(bounds[dtype], color=style.SOFT, lw=1, ls="--")
        ax.annotate(
            f"{dtype}: rounding below",
            (1, bounds[dtype]),
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=style.SMALL,
            color=style.SOFT,
        )
    ax.set_yscale("log")
    ax.set(title="Largest relative differences", xlabel="outputs, then activations, then gradients")
    ax.set_xlim(0, count + 1)
    ax.set_ylim(_ZERO / 10, 10.0)
    ax.set_yticks(list(_TICKS), list(_TICKS.values()), minor=False)
    ax.minorticks_off()
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if count:
        ax.legend(loc="upper right", ncols=2)


def _losses(ax: Axes, losses: Numbers, colours: Mapping[str, str]) -> None:
    """Draw curves that lie on one another: each thinner than the one before."""
    widths = np.linspace(5.0, 1.2, len(losses)) if len(losses) > 1 else [1.8]
    for (name, values), width in zip(losses.items(), widths, strict=True):
        steps = range(1, len(values) + 1)
        ax.plot(steps, values, color=colours[name], lw=width, label=name, solid_capstyle="round")
    ax.set(title="Loss of each step", xlabel="step")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y")
    ax.legend()


def _seconds(ax: Axes, seconds: Numbers, colours: Mapping[str, str]) -> None:
    """Draw a bar of the median, and a line over the range of the turns."""
    for place, (name, values) in enumerate(seconds.items()):
        times = 1000 * np.asarray(values, float)
        ax.barh(place, median(times), height=0.55, color=colours[name])
        ax.plot([times.min(), times.max()], [place, place], color=style.INK, lw=1.4)
        ax.annotate(
            f"{median(times):,.0f}" if median(times) >= 100 else f"{median(times):.3g}",
            (times.max(), place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
        )
    ax.set_yticks(range(len(seconds)), list(seconds))
    ax.invert_yaxis()
    ax.set(title="Milliseconds a step")
    ax.margins(x=0.18)
    ax.set_xlim(left=0)
