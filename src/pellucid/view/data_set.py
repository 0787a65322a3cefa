"""Draw an overview of a data set: samples, means, balance, pixel values, outliers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from pellucid.types import Array
from pellucid.view import style
from pellucid.view.statistics import Statistics, statistics

_MOST_CLASSES = 100
_ROWS = 20  # classes in a column
_SAMPLES = (10, 6, 5, 4, 3)  # images of a class, by the number of columns
_BARS = 3.2  # widths of an image that the bars and their numbers take
_LETTER = 0.073  # inches, in the names of classes
_WIDEST_IMAGE = 0.75  # inches
_SIDE = 64  # larger images are shown with every n-th pixel
_TILES = 6  # outliers in a row


class Outlier(Protocol):
    """An image that deserves a look; see `pellucid.data.find_outliers`."""

    @property
    def index(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def similar_to(self) -> int | None: ...


@style.styled
def data_set(
    images: Array,
    labels: Array,
    classes: Sequence[str],
    *,
    outliers: Sequence[Outlier] = (),
    title: str = "",
) -> Figure:
    """Draw an overview of a data set.

    For each class: the mean of its images, some samples, spread evenly over the data, and their
    number. Below: the mean of all images, the standard deviation of each pixel, the distribution of
    pixel values, and outliers.

    Parameters
    ----------
    images
        Images (N, C, H, W). If all values are from 0 to 255 or 0 to 1, black is 0 and white 255 or
        1; otherwise they are the lowest and the highest value.
    labels
        Class number of each image, (N,).
    classes
        Names of the classes. If there are more than 100, the 100 largest are shown.
    outliers
        Result of `pellucid.data.find_outliers`.

    Raises
    ------
    ShapeError, DataError
        Images, labels and classes do not fit together.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), np.uint8)
    >>> drawn = data_set(images, np.arange(20) % 2, ("cat", "dog"))
    >>> [text.get_text() for text in drawn.axes[0].texts]
    ['cat', '10', 'dog', '10']
    """
    found = statistics(images, labels, tuple(classes))
    shown = np.sort(np.argsort(-found.counts, kind="stable")[:_MOST_CLASSES])
    columns = -(-len(shown) // _ROWS)
    blocks = np.array_split(shown, columns)
    width = 8.0 + 2.0 * columns
    grid = _Grid(found, images, labels, _SAMPLES[columns - 1], width / columns - 0.3)
    tiles = -(-len(outliers) // _TILES)
    heights = [0.5 + grid.height(len(blocks[0])), 2.2] + [0.3 + 1.9 * tiles] * bool(outliers)
    drawn = style.figure(width, sum(heights) + 0.4 * bool(title))
    if title:
        drawn.suptitle(title, x=0.01, ha="left", size=style.LARGE + 1)
    top, middle, *bottom = drawn.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    for ax, block in zip(top[0].subplots(1, columns, squeeze=False)[0], blocks, strict=True):
        grid.draw(ax, block)
    mean, spread, values = middle[0].subplots(1, 3, width_ratios=(1, 1, 3))
    _draw_mean(mean, found)
    _draw_spread(spread, found)
    _draw_values(values, found)
    for strip in bottom:
        strip[0].suptitle("To be looked at", x=0.01, ha="left", size=style.LARGE)
        panels = strip[0].subplots(tiles, _TILES, squeeze=False).ravel()
        for ax, outlier in zip(panels, outliers, strict=False):
            _draw_outlier(ax, found, images, labels, outlier)
        for ax in panels[len(outliers) :]:
            ax.remove()
    return drawn


class _Grid:
    """Rows of classes: the name, the mean, samples, a bar; lengths in pixels of an image."""

    def __init__(
        self, found: Statistics, images: Array, labels: Array, samples: int, inches: float
    ) -> None:
        self.found, self.images, self.labels, self.samples = found, images, labels, samples
        _, _, H, W = images.shape
        self.step = -(-max(H, W) // _SIDE)
        self.size = -(-H // self.step), -(-W // self.step)
        self.gap = 1 + self.size[1] // 16
        self.first_sample = self.size[1] + 4 * self.gap
        self.first_bar = self.first_sample + samples * (self.size[1] + self.gap) + 4 * self.gap
        self.end = self.first_bar + _BARS * self.size[1]
        self.names = [style.shortened(name) for name in found.classes]
        labels_inches = 0.1 + _LETTER * max(map(len, self.names))
        self.inch = max(self.end / (inches - labels_inches), self.size[1] / _WIDEST_IMAGE)
        self.begin = -labels_inches * self.inch

    def height(self, rows: int) -> float:
        """Return the height of so many rows, in inches."""
        return float(rows * (self.size[0] + self.gap) / self.inch)

    def draw(self, ax: Axes, numbers: Array) -> None:
        (h, w), row = self.size, self.size[0] + self.gap
        canvas = np.zeros((row * len(numbers), self.first_bar, 4))
        for top, number in zip(range(0, len(canvas), row), numbers, strict=True):
            for left, image in self._row(number):
                canvas[top : top + h, left : left + w, :3] = image
                canvas[top : top + h, left : left + w, 3] = 1
        style.bare(ax).imshow(canvas, extent=(0, self.first_bar, len(canvas), 0))
        centres = h / 2 + row * np.arange(len(numbers))
        counts = self.found.counts[numbers]
        lengths = counts / max(self.found.counts.max(), 1) * (_BARS - 1.3) * w
        ax.barh(centres, lengths, 0.4 * h, self.first_bar, color=style.BLUE)
        for number, centre, length in zip(numbers, centres, lengths, strict=True):
            text = {"y": centre, "va": "center", "size": style.SMALL}
            ax.text(-2 * self.gap, s=self.names[number], ha="right", **text)
            end = self.first_bar + length + 2 * self.gap
            ax.text(end, s=f"{self.found.counts[number]:,}", color=style.SOFT, **text)
        ax.xaxis.tick_top()
        ax.set_xticks(
            [w / 2, self.first_sample, self.first_bar], ["mean", "some of them", "how many"]
        )
        for label in ax.get_xticklabels()[1:]:
            label.set_horizontalalignment("left")
        ax.tick_params(length=0)
        ax.set(xlim=(self.begin, self.end), ylim=(len(canvas), 0), aspect="equal", anchor="NW")

    def _row(self, number: int) -> list[tuple[int, Array]]:
        """Return (left edge, image) for all images in the row of a class."""
        members = np.flatnonzero(self.labels == number)
        if not len(members):
            return []
        chosen = members[np.unique(np.linspace(0, len(members) - 1, self.samples).astype(int))]
        lefts = self.first_sample + (self.size[1] + self.gap) * np.arange(len(chosen))
        samples = [(int(left), self.images[i]) for left, i in zip(lefts, chosen, strict=True)]
        return [
            (left, style.to_rgb(self.found.scaled(image)[:, :: self.step, :: self.step]))
            for left, image in [(0, self.found.class_means[number]), *samples]
        ]


def _draw_mean(ax: Axes, found: Statistics) -> None:
    style.show_image(ax, found.scaled(found.mean))
    ax.set_title("Mean of all")


def _draw_spread(ax: Axes, found: Statistics) -> None:
    drawn = style.bare(ax).imshow(found.std.mean(axis=0), vmin=0)
    ax.set_title("Where they differ")
    figure = ax.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(drawn, ax=ax, fraction=0.05, label="standard deviation")
    bar.outline.set_visible(False)


def _draw_values(ax: Axes, found: Statistics) -> None:
    """Draw the share of each channel's pixels in each of the bins, on a logarithmic scale."""
    channels = len(found.shares)
    named = {1: [("pixels", style.BLUE)], 3: list(zip(_RGB, _RGB_COLOURS, strict=True))}
    default = [(f"channel {c}", style.PALETTE[c % len(style.PALETTE)]) for c in range(channels)]
    for shares, (name, colour) in zip(found.shares, named.get(channels, default), strict=True):
        ax.stairs(shares, found.edges, color=colour, label=name, lw=1.5)
    if 1 < channels <= len(style.PALETTE):
        ax.legend(ncols=min(channels, 4))
    ax.set_yscale("log")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    ax.set(title="Pixel values", xlabel="value", ylabel="share of pixels")
    ax.margins(x=0.01)


_RGB = "red", "green", "blue"
_RGB_COLOURS = style.VERMILLION, style.GREEN, style.BLUE


def _draw_outlier(
    ax: Axes, found: Statistics, images: Array, labels: Array, outlier: Outlier
) -> None:
    """Draw an outlier, to the right of the earlier image that it resembles if there is one."""
    alone = outlier.similar_to is None
    numbers = [outlier.index] if outlier.similar_to is None else [outlier.similar_to, outlier.index]
    panels = [style.to_rgb(found.scaled(images[n])) for n in numbers]
    white = np.ones((len(panels[0]), max(panels[0].shape[1] // 8, 1), 3))
    style.bare(ax).imshow(np.hstack(panels if alone else [panels[0], white, panels[1]]))
    name = style.shortened(found.classes[labels[outlier.index]], 14)
    who = " and ".join(f"{n:,}" for n in numbers)
    ax.set_title(f"image {who}\n{name}", loc="center", size=style.SMALL)
    ax.set_xlabel(_in_two_lines(outlier.reason), size=style.SMALL)


def _in_two_lines(text: str, wide: int = 24) -> str:
    if len(text) <= wide:
        return text
    cut = text.rfind(" ", 0, wide)
    return f"{text[:cut]}\n{text[cut + 1 :]}"
