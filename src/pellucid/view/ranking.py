"""ROC and precision–recall curves of the classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pellucid.types import Array
from pellucid.view import style
from pellucid.view.evaluated import Evaluated, Ranked

_NAMED = 5
"""Classes that have a colour and a name, the weakest first; the others are grey."""
_POINTS = 300
"""Of a curve, as many points as one can see at most."""


@style.styled
def roc(evaluation: Evaluated, ax: Axes | None = None) -> Figure:
    """Draw the ROC curve of each class against all others: what part is found at what price.

    Of many classes the five with the smallest area have a colour and a name.

    Parameters
    ----------
    evaluation
        What `pellucid.evaluate` returns.

    Examples
    --------
    >>> from pellucid.evaluation import Evaluation
    >>> said = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]])
    >>> drawn = roc(Evaluation(np.array([0, 1, 1]), said, ("cat", "dog"), loss=0.9))
    >>> [line.get_label() for line in drawn.axes[0].lines][:2]
    ['by chance', 'cat: 1.000']
    """
    drawn, ax = style.axes(ax, 4.4, 4.2)
    ax.plot([0, 1], [0, 1], color=style.FAINT, ls="--", label="by chance")
    _curves(
        ax,
        evaluation,
        lambda found: found.roc_auc,
        lambda found: (np.r_[0, found.false_positive_rate], np.r_[0, found.recall]),
    )
    ax.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate (recall)")
    _legend(ax, "lower right", "area")
    return drawn


@style.styled
def precision_recall(evaluation: Evaluated, ax: Axes | None = None) -> Figure:
    """Draw precision over recall of each class against all others.

    Of many classes the five with the smallest average precision have a colour and a name.

    Parameters
    ----------
    evaluation
        What `pellucid.evaluate` returns.
    """
    drawn, ax = style.axes(ax, 4.4, 4.2)
    _curves(
        ax,
        evaluation,
        lambda found: found.average_precision,
        lambda found: (np.r_[0, found.recall], np.r_[1, found.precision]),
        steps="post",
    )
    ax.set(title="Precision–recall", xlabel="recall", ylabel="precision")
    _legend(ax, "lower left", "average precision")
    return drawn


def _curves(
    ax: Axes,
    evaluation: Evaluated,
    measure: Callable[[Ranked], float],
    points: Callable[[Ranked], tuple[Array, Array]],
    steps: str = "default",
) -> None:
    found = evaluation.rankings
    values = np.array([measure(one) for one in found])
    order = [int(i) for i in np.argsort(values, kind="stable") if not np.isnan(values[i])]
    how = "default" if steps == "default" else f"steps-{steps}"
    for i in reversed(order[_NAMED:]):
        x, y = _thinned(*points(found[i]))
        ax.plot(x, y, color=style.FAINT, lw=1, label="_", drawstyle=how)
    for turn, i in enumerate(order[:_NAMED]):
        x, y = _thinned(*points(found[i]))
        name = f"{style.shortened(evaluation.classes[i], 16)}: {values[i]:.3f}"
        ax.plot(x, y, color=style.PALETTE[turn], lw=1.5, label=name, drawstyle=how)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set_aspect("equal")
    ax.grid()


def _thinned(x: Array, y: Array) -> tuple[Array, Array]:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).round().astype(int))
    return x[kept], y[kept]


def _legend(ax: Axes, where: Literal["lower left", "lower right"], measure: str) -> None:
    legend = ax.legend(loc=where, title=f"{measure} (weakest first)", title_fontsize=style.SMALL)
    legend.get_title().set_color(style.SOFT)
