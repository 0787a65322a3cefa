"""How shapes change through a network."""

from __future__ import annotations

from matplotlib.figure import Figure

from pellucid import models
from pellucid.view import style
from pellucid.view.draw.drawing import drawing
from pellucid.view.shapes import shapes as draw_shapes

IMAGES, CLASSES = (1, 28, 28), 10
_TITLE = 0.5
"""The height of the title, in inches."""


@drawing
def shapes(model: str = "lenet5") -> Figure:
    """Draw the shapes of the values in a named network for images of 1×28×28 and ten classes.

    `pellucid.view.shapes` does so for any network.
    """
    figure = draw_shapes(models.build(model, IMAGES, CLASSES), IMAGES)
    figure.set_facecolor(style.PAPER)
    wide, high = figure.get_size_inches()
    figure.set_size_inches(wide, high + _TITLE)
    figure.axes[0].set_position((0, 0, 1, high / (high + _TITLE)))
    figure.suptitle(
        "Images become smaller and channels more, until ten numbers are left",
        x=0.02,
        y=0.95,
        ha="left",
        weight="bold",
        size=13,
    )
    return figure
