"""Check that the texts in a picture are readable."""

import numpy as np
from matplotlib.axis import Axis
from matplotlib.text import Text

SLACK = 0.5
"""Tolerance in pixels, since the boxes of texts are slightly larger than the ink."""


def materialize(figure):
    """Return (text, box in pixels) for all visible texts in a figure, as rendered."""
    figure.draw_without_rendering()
    unseen = {id(label) for axis in figure.findobj(Axis) for label in _outside(axis)}
    found = []
    for text in figure.findobj(Text):
        shown = text.get_visible() and text.get_text().strip() and id(text) not in unseen
        if shown and all(parent.get_visible() for parent in _parents(text)):
            found.append((text, text.get_window_extent()))
    return found


def _outside(axis):
    """Yield the labels of ticks outside the axis, which are not drawn."""
    low, high = sorted(axis.get_view_interval())
    for tick in axis.get_major_ticks() + axis.get_minor_ticks():
        if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
            yield from (tick.label1, tick.label2)


def _parents(artist):
    return [artist.axes] if artist.axes is not None else []


def assert_readable(figure):
    """Assert that no texts overlap and that none extends beyond the figure."""
    texts = materialize(figure)
    assert texts, "nothing is written in this figure"
    width, height = figure.bbox.size
    for text, box in texts:
        inside = (
            box.x0 >= -SLACK
            and box.y0 >= -SLACK
            and box.x1 <= width + SLACK
            and box.y1 <= height + SLACK
        )
        assert inside, f"'{text.get_text()}' is cut off: {box} in {width:.0f}×{height:.0f}"
    x0, y0, x1, y1 = np.array([box.extents for _, box in texts]).T
    across = np.minimum.outer(x1, x1) - np.maximum.outer(x0, x0)
    down = np.minimum.outer(y1, y1) - np.maximum.outer(y0, y0)
    pairs = np.argwhere(np.triu((across > SLACK) & (down > SLACK), k=1))
    words = [text.get_text() for text, _ in texts]
    said = [f"'{words[i]}' lies over '{words[j]}'" for i, j in pairs]
    assert not said, "; ".join(said)
