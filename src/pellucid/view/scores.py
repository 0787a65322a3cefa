"""Draw precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pellucid.errors import ShapeError
from pellucid.view import style
from pellucid.view.evaluated import Evaluated, Scores


@style.styled
def scores(
    evaluation: Evaluated | Scores, classes: Sequence[str] | None = None, ax: Axes | None = None
) -> Figure:
    """Draw F1 as a bar for each class, with precision and recall as marks, lowest F1 on top.

    The number of images is given beside the name.

    Parameters
    ----------
    evaluation
        Result of `pellucid.evaluate`, or its `by_class`.
    classes
        Names of the classes; by default those of the evaluation, or numbers.

    Examples
    --------
    >>> from pellucid.evaluation import ClassScores
    >>> drawn = scores(ClassScores(np.array([[9, 1], [3, 7]])), ("cat", "dog"))
    >>> [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    ['dog  (10)', 'cat  (10)']
    """
    by_class = evaluation.by_class if hasattr(evaluation, "by_class") else evaluation
    count = len(by_class.f1)
    names = list(classes or getattr(evaluation, "classes", None) or map(str, range(count)))
    if len(names) != count:
        raise ShapeError(f"{len(names)} names for the scores of {count} classes")
    order = np.argsort(by_class.f1, kind="stable")
    drawn, ax = style.axes(ax, 6.4, 1.3 + float(np.clip(0.26 * count, 0.6, 16.0)))
    places = np.arange(count)
    ax.barh(places, by_class.f1[order], color=style.SKY, height=0.7, label="F1")
    size = float(np.clip(600 / count, 2.0, 6.0))
    for name, marker, colour in (("precision", "o", style.BLUE), ("recall", "D", style.VERMILLION)):
        value = getattr(by_class, name)[order]
        ax.plot(value, places, ls="", marker=marker, ms=size, color=colour, label=name)
    labels = [f"{style.shortened(names[i], 24)}  ({by_class.support[i]:,})" for i in order]
    ax.set_yticks(places, labels, size=float(np.clip(700 / count, 5.0, style.SMALL)))
    ax.set(xlim=(0, 1.015), ylim=(count - 0.4, -0.6))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return drawn
