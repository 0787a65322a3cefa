"""Draw the reliability diagram: is a model that is 80 % confident right in 80 % of the cases?"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from pellucid.view import style
from pellucid.view.evaluated import Bins, Evaluated


@style.styled
def calibration(evaluation: Evaluated | Bins) -> Figure:
    """Draw accuracy against confidence, and below it the number of predictions in each bin.

    On the dashed line, accuracy equals confidence. Bars that end below it show an overconfident
    model; the red part is the gap. The expected calibration error is the mean gap, weighted by the
    number of predictions.
    Source: Guo et al., "On calibration of modern neural networks", 2017, figure 1.

    Parameters
    ----------
    evaluation
        Result of `pellucid.evaluate`, or its `calibration`.

    Examples
    --------
    >>> from pellucid.evaluation import calibration as measure
    >>> sure = np.array([[0.75, 0.25]] * 4)
    >>> drawn = calibration(measure(sure, np.array([0, 0, 1, 1]), bins=2))
    >>> drawn.axes[0].get_title()
    'Expected calibration error 25.0 %'
    """
    bins = evaluation.calibration if hasattr(evaluation, "calibration") else evaluation
    drawn = style.figure(4.8, 5.2)
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    left, width = bins.edges[:-1], np.diff(bins.edges)
    held = bins.count > 0
    right, sure = bins.accuracy[held], bins.confidence[held]
    place = {"x": left[held], "width": width[held], "align": "edge"}
    above.bar(height=right, color=style.BLUE, label="right", **place)
    gap = {"fc": "none", "ec": style.VERMILLION, "hatch": "/////", "lw": 1.0}
    above.bar(height=sure - right, bottom=right, label="gap to the confidence", **gap, **place)
    above.plot([0, 1], [0, 1], color=style.SOFT, ls="--", lw=1.2)
    above.set(ylim=(0, 1.02), ylabel="share that is right")
    above.set_title(f"Expected calibration error {100 * bins.error:.1f} %")
    drawn.legend(loc="outside lower center", ncols=2)
    below.bar(height=bins.count[held], color=style.SOFT, **place)
    below.set_yscale("log")
    below.set_ylim(0.7, 3 * bins.count.max())
    below.yaxis.set_major_formatter("{x:,.0f}")
    below.yaxis.set_minor_locator(NullLocator())
    below.set(xlim=(0, 1), xlabel="confidence: probability of the prediction", ylabel="images")
    for ax in (above, below):
        ax.grid(axis="y")
        ax.set_axisbelow(True)
    return drawn
