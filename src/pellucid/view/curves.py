"""Draw loss and accuracy over the epochs of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pellucid.errors import PellucidError
from pellucid.training.records import Epoch
from pellucid.view import style

_DECADES = 30
"""From this ratio of the largest to the smallest value on, an axis is logarithmic."""
_MANY = 25
"""Epochs up to which each has its dot."""


@style.styled
def curves(
    history: Sequence[Epoch],
    ax: Axes | None = None,
    of: Literal["loss", "accuracy"] | None = None,
) -> Figure:
    """Draw loss and accuracy of each epoch in training and validation, and mark the best epoch.

    The accuracy is drawn beside the loss, if there is one. With `ax`, only the loss is drawn.
    Where the loss spans decades, its axis is logarithmic.

    Parameters
    ----------
    history
        Epochs of a run: the result of `fit`, or ``list(train(…))``.
    ax
        Axes to draw on; a new figure by default.
    of
        Which of the two to draw; both by default.

    Examples
    --------
    >>> run = [Epoch(n, 3, 9, 1 / n, 1 - 0.3 / n, 1.2 / n, 1 - 0.4 / n, 0.1, 1.0, 1.0, n == 3)
    ...        for n in (1, 2, 3)]
    >>> [ax.get_title() for ax in curves(run).axes]
    ['Loss', 'Accuracy']
    """
    if not history:
        raise PellucidError("there are no curves of a history without epochs")
    measured = history[-1].accuracy is not None
    if ax is not None or of is not None or not measured:
        drawn, only = style.axes(ax, 4.6, 3.2)
        _draw(only, history, of or "loss")
        return drawn
    drawn = style.figure(9.0, 3.4)
    for name, part in zip(("loss", "accuracy"), drawn.subplots(1, 2), strict=True):
        _draw(part, history, name)
    return drawn


@style.styled
def curves_of_runs(
    histories: Mapping[str, Sequence[Epoch]], of: Literal["loss", "accuracy"] | None = None
) -> Figure:
    """Draw the loss and accuracy of several runs over each other: a colour for each run.

    Lines are solid for validation and dotted for training.

    Parameters
    ----------
    histories
        The epochs of each run, by its name.
    of
        Which of the two to draw; both by default.

    Examples
    --------
    >>> run = [Epoch(n, 3, 9, 1 / n, 1 - 0.3 / n, 1.2 / n, 1 - 0.4 / n, 0.1, 1.0, 1.0, n == 3)
    ...        for n in (1, 2, 3)]
    >>> drawn = curves_of_runs({"slow": run, "fast": run[:2]})
    >>> [text.get_text() for text in drawn.axes[0].get_legend().get_texts()]
    ['slow', 'fast']
    """
    names = ("loss", "accuracy") if of is None else (of,)
    drawn = style.figure(4.6 * len(names), 3.4)
    panels = drawn.subplots(1, len(names), squeeze=False)[0]
    for name, ax in zip(names, panels, strict=True):
        percent, values = 100 if name == "accuracy" else 1, list[float]()
        for i, (run, history) in enumerate(histories.items()):
            colour = style.PALETTE[i % len(style.PALETTE)]
            for field, look in ((f"validation_{name}", "-"), (name, ":")):
                known = [(e.epoch, y) for e in history if (y := getattr(e, field)) is not None]
                points = [(epoch, percent * y) for epoch, y in known]
                values += [y for _, y in points]
                dots = "o" if len(points) == 1 else ""
                if points:
                    ax.plot(*zip(*points, strict=True), ls=look, color=colour, marker=dots)
            ax.plot([], [], color=colour, label=style.shortened(run, 24))
        ax.set(title=name.capitalize(), xlabel="epoch")
        if name == "accuracy":
            ax.yaxis.set_major_formatter("{x:g} %")
        _axes(ax, values if name == "loss" else [])
    drawn.axes[0].legend()
    return drawn


@style.styled
def rates(history: Sequence[Epoch], ax: Axes | None = None) -> Figure:
    """Draw the learning rate at the end of each epoch, as the schedule set it.

    Parameters
    ----------
    history
        The epochs of a run.

    Examples
    --------
    >>> run = [Epoch(n, 3, 9, 1.0, None, None, None, 0.1**n, 1.0, 1.0, False) for n in (1, 2, 3)]
    >>> rates(run).axes[0].get_yscale()
    'log'
    """
    if not history:
        raise PellucidError("there are no learning rates of a history without epochs")
    drawn, ax = style.axes(ax, 4.6, 2.2)
    values = [epoch.rate for epoch in history]
    dots = "o" if len(history) <= _MANY else ""
    ax.plot([e.epoch for e in history], values, color=style.GREEN, marker=dots, ms=3.5)
    ax.set(title="Learning rate", xlabel="epoch")
    _axes(ax, values)
    return drawn


def _draw(ax: Axes, history: Sequence[Epoch], name: str) -> None:
    percent = 100 if name == "accuracy" else 1
    drawn: list[float] = []
    best = next((epoch for epoch in reversed(history) if epoch.best), None)
    for field, label, colour, marker in (
        (name, "training", style.BLUE, "o"),
        (f"validation_{name}", "validation", style.VERMILLION, "s"),
    ):
        points = [(e.epoch, percent * y) for e in history if (y := getattr(e, field)) is not None]
        drawn += [y for _, y in points]
        if points:
            dots = marker if len(points) <= _MANY else ""
            ax.plot(*zip(*points, strict=True), color=colour, marker=dots, ms=3.5, label=label)
    if best is not None and (value := getattr(best, f"validation_{name}")) is not None:
        (ring,) = ax.plot(best.epoch, percent * value, "o", ms=10, mfc="none", mec=style.INK)
        ring.set_label(f"best epoch: {best.epoch}")
    ax.set(title=name.capitalize(), xlabel="epoch")
    if name == "accuracy":
        ax.yaxis.set_major_formatter("{x:g} %")
    _axes(ax, drawn if name == "loss" else [])
    ax.legend()


def _axes(ax: Axes, values: Sequence[float]) -> None:
    """Set up the axes; the upright one is logarithmic where the values span decades."""
    if values and min(values) > 0 and max(values) > _DECADES * min(values):
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    ax.margins(x=0.06, y=0.12)
    ax.grid(axis="y")
