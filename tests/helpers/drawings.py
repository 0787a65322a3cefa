"""The drawings, with the numbers that they show and the positions of their texts."""

from functools import cache

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh

from pellucid.view import draw


@cache
def made(name):
    return draw.find(name).figure()


@cache
def moving(name):
    animation = draw.find(name).animation
    assert animation is not None
    return animation()


def meshes(figure):
    return [c for axes in figure.axes for c in axes.collections if isinstance(c, QuadMesh)]


def matrices(figure, label):
    """Return the numbers in all grids with this label, in drawing order."""
    return [mesh.get_array() for mesh in meshes(figure) if mesh.get_label() == label]


def matrix(figure, label):
    (found,) = matrices(figure, label)
    return np.asarray(found)


def texts(figure):
    own = [text for axes in figure.axes for text in axes.texts]
    for axes in figure.axes:
        if axes.axison:
            own += [axes.title, axes._left_title, *axes.get_xticklabels(), *axes.get_yticklabels()]
    own += figure.texts
    for legend in figure.legends:
        own += legend.get_texts()
    return [text for text in own if text.get_text() and text.get_visible()]


@cache
def extents(figure):
    """Return all texts, and their boxes (texts, 4) in pixels: left, bottom, right, top."""
    canvas = FigureCanvasAgg(figure)
    if figure.get_layout_engine() is not None:
        canvas.draw()
    renderer = canvas.get_renderer()
    found = texts(figure)
    places = np.array([text.get_window_extent(renderer).extents for text in found])
    return [text.get_text() for text in found], places


def collisions(figure):
    words, places = extents(figure)
    low, high = places[:, None, :2], places[:, None, 2:]
    overlap = np.minimum(high, high.swapaxes(0, 1)) - np.maximum(low, low.swapaxes(0, 1))
    pairs = np.argwhere((overlap > 0.5).all(axis=2))
    return [(words[a], words[b]) for a, b in pairs if a < b]


def cut_off(figure):
    words, places = extents(figure)
    size = figure.get_size_inches() * figure.dpi
    outside = (places[:, :2] < 0).any(axis=1) | (places[:, 2:] > size).any(axis=1)
    return [word for word, out in zip(words, outside, strict=True) if out]
