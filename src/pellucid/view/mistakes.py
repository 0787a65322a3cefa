"""Draw the most confident wrong predictions as a gallery."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pellucid.errors import ShapeError
from pellucid.preprocessing import Preprocessing
from pellucid.view import style
from pellucid.view.evaluated import Evaluated

_COLUMNS = 6
_TILE = 1.5, 2.0
"""Inches, the text included."""


@style.styled
def mistakes(
    evaluation: Evaluated, images: Any, k: int = 18, preprocessing: Preprocessing | None = None
) -> Figure:
    r"""Draw the k wrong predictions with the highest confidence.

    Above each image is its class, below it the prediction with its probability.

    Parameters
    ----------
    evaluation
        Result of `pellucid.evaluate`.
    images
        The data set or images (N, C, H, W) that were evaluated.
    preprocessing
        Preprocessing to undo, if the images are preprocessed.

    Raises
    ------
    ShapeError
        The numbers of images and predictions differ.

    Examples
    --------
    >>> from pellucid.evaluation import Evaluation
    >>> said = np.array([[0.9, 0.1], [0.8, 0.2]])
    >>> evaluation = Evaluation(np.array([0, 1]), said, ("cat", "dog"), loss=0.9)
    >>> drawn = mistakes(evaluation, np.zeros((2, 1, 4, 4)))
    >>> [(ax.get_title(), ax.get_xlabel()) for ax in drawn.axes]
    [('dog', 'taken for cat\n80.0 %')]
    """
    x = np.asarray(getattr(images, "images", images))
    if len(x) != len(evaluation.labels):
        raise ShapeError(
            f"{len(evaluation.labels):,} images were evaluated, {len(x):,} are given; "
            "give those that were evaluated"
        )
    found = evaluation.mistakes(k)
    count = len(found.index)
    if not count:
        return _none(len(x))
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    drawn = style.figure(_TILE[0] * columns, _TILE[1] * rows)
    drawn.set_layout_engine("constrained", hspace=0.1)
    panels = drawn.subplots(rows, columns, squeeze=False).ravel()
    names = [style.shortened(name, 14) for name in evaluation.classes]
    for i, ax in enumerate(panels[:count]):
        style.show_image(ax, x[found.index[i]], preprocessing)
        ax.set_title(names[found.truth[i]], size=style.MEDIUM)
        said = f"taken for {names[found.prediction[i]]}"
        ax.set_xlabel(f"{said}\n{percent(found.probability[i])}", size=style.SMALL)
    for ax in panels[count:]:
        ax.remove()
    return drawn


def percent(probability: float) -> str:
    """Return a probability in percent, never rounded to 100 unless it is 1.

    >>> percent(0.99996), percent(1.0), percent(0.5)
    ('>99.9 %', '100 %', '50.0 %')
    """
    if 0.9995 <= probability < 1:
        return ">99.9 %"
    return f"{100 * probability:.1f} %" if probability < 1 else "100 %"


def _none(count: int) -> Figure:
    drawn = style.figure(4.0, 1.0)
    ax: Axes = style.bare(drawn.add_subplot())
    ax.text(0.5, 0.5, f"No mistakes in {count:,} images", ha="center", va="center")
    return drawn
