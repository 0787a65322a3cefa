"""The style of pictures, and how they are saved.

Every picture is drawn in a function with the decorator `styled` on the result of `figure`. It has a
transparent background and few colours, and as SVG two sets of them: dark ink for light pages, light
ink for dark ones. Categorical colours are Okabe and Ito's, which people with any kind of colour
vision can distinguish; colour maps are perceptually uniform.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib import font_manager, rcsetup
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pellucid.errors import FileError, ShapeError
from pellucid.files import atomic_write
from pellucid.preprocessing import Preprocessing
from pellucid.types import Array

P = ParamSpec("P")
R = TypeVar("R")

INK, SOFT, FAINT, PAPER = "#1d2126", "#5b636d", "#d3d8de", "#fdfdfe"
"""Text and lines that matter; what is said in passing; grids and borders; behind everything."""

ON_DARK = {INK: "#e9ecef", SOFT: "#a4adb8", FAINT: "#444c56", PAPER: "#16191d"}
"""What takes their place on a dark page."""

BLUE, ORANGE, GREEN, VERMILLION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, YELLOW = "#cc79a7", "#56b4e9", "#f0e442"

PALETTE = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW)
"""Colours of categories, in this order. Source: Okabe, Ito, "Color universal design", 2008."""

SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
"""Colour maps of quantities that begin at 0, and of those with a sign, centred at 0."""

FONT = "DejaVu Sans"
"""Comes with Matplotlib, so that pictures are the same everywhere."""

FONTS_OF_THE_WORLD = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Arial Unicode MS",
)
"""From which letters are taken that it lacks, where they are installed: classes have any name."""

SMALL, MEDIUM, LARGE = 8.0, 9.0, 11.0
"""Sizes of text, in points."""

_RC: dict[str, Any] = {
    "font.size": MEDIUM,
    "text.color": INK,
    "axes.prop_cycle": rcsetup.cycler(color=PALETTE),
    "axes.facecolor": "none",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": SOFT,
    "axes.titlecolor": INK,
    "axes.titlesize": LARGE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.facecolor": PAPER,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.8,
    "legend.fancybox": False,
    "legend.fontsize": SMALL,
    "lines.linewidth": 1.8,
    "image.cmap": SEQUENTIAL,
    "image.interpolation": "nearest",
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.facecolor": "none",
    "figure.edgecolor": "none",
    "savefig.facecolor": "auto",
    "svg.fonttype": "path",
    "svg.hashsalt": "pellucid",
    "text.parse_math": False,
}


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Apply the library's style inside `draw`, without changing the user's settings."""

    @wraps(draw)
    def drawing(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(_settings()):
            return draw(*args, **kwargs)

    return drawing


class ShownFigure(Figure):
    """A figure that notebooks show as the last line of a cell, without ``%matplotlib``.

    It does not use pyplot, whose figures and settings are not affected.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return it at twice the resolution, with the size at which it is to be shown."""
        width, height = self.get_size_inches()
        shown = {"width": round(_SHOWN_DPI * width), "height": round(_SHOWN_DPI * height)}
        return png(self, dpi=2 * _SHOWN_DPI), shown


_SHOWN_DPI = 96


def figure(width: float = 6.4, height: float = 4.0) -> Figure:
    """Return an empty figure of this size in inches, with a layout without overlap."""
    return ShownFigure(figsize=(width, height), layout="constrained")


def axes(ax: Axes | None, width: float = 6.4, height: float = 4.0) -> tuple[Figure, Axes]:
    """Return `ax` and its figure if given, otherwise a new figure with axes."""
    if ax is None:
        made = figure(width, height)
        return made, made.add_subplot()
    found = ax.get_figure(root=True)
    assert found is not None
    return found, ax


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure with axes that fill it, with inches as units and y pointing down."""
    drawn = ShownFigure(figsize=(width, height))
    ax = drawn.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    return drawn, ax


def bare(ax: Axes) -> Axes:
    """Remove ticks and borders, for images."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def show_image(ax: Axes, image: Array, preprocessing: Preprocessing | None = None) -> None:
    """Show an image (C, H, W) without ticks; see `to_rgb`."""
    bare(ax).imshow(to_rgb(image, preprocessing))


def caption(figure: Figure, text: str) -> Figure:
    """Write a caption below a figure, wrapped to its width, and return the figure.

    Examples
    --------
    >>> drawn = caption(figure(2.0), "What the network looks for in this image")
    >>> print(drawn.get_supxlabel())
    What the network looks for in
    this image
    """
    width = figure.get_size_inches()[0]
    lines = textwrap.wrap(text, max(int(width * _CHARACTERS_PER_INCH), 16))
    wide, high = figure.get_size_inches()
    figure.set_size_inches(wide, high + (len(lines) + 0.5) * _LINE)
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", size=SMALL, color=SOFT)
    return figure


_CHARACTERS_PER_INCH, _LINE = 15.0, 0.14


def scale_bar(
    drawn: Figure, panels: Any, colours: str, low: float, high: float, inside: Axes | None = None
) -> None:
    """Add a colour bar to the right of some panels, or inside given axes, with numbers."""
    shown = ScalarMappable(Normalize(low, high), colours)
    ticks = [low, 0.0, high] if low < 0 else [low, high]
    if inside is None:
        bar = drawn.colorbar(shown, ax=panels, ticks=ticks, aspect=14, pad=0.02)
    else:
        bar = drawn.colorbar(shown, cax=inside, ticks=ticks, orientation="horizontal")
    numbers = ["0" if tick == 0 else f"{tick:.2g}".replace("-", "−") for tick in ticks]
    bar.set_ticklabels(numbers, size=_TINY)
    bar.ax.tick_params(length=0, pad=1.5)
    bar.outline.set_visible(False)


_TINY = 6.5


def save(figure: Figure, path: str | Path, dpi: int = 160) -> Path:
    """Save a figure in the format of the suffix: ``.svg``, or ``.png`` on a light background.

    Examples
    --------
    >>> drawn = figure()
    >>> _ = drawn.add_subplot().plot([1, 2])
    >>> save(drawn, "line.svg").name
    'line.svg'
    """
    path = Path(path)
    if path.suffix == ".svg":
        atomic_write(path, svg(figure).encode())
    elif path.suffix == ".png":
        atomic_write(path, png(figure, dpi))
    else:
        raise FileError(f"a picture is saved as .svg or .png, not as '{path.name}'")
    return path


@styled
def png(figure: Figure, dpi: int = 160) -> bytes:
    """Return a figure as a PNG image on a light background."""
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=dpi, facecolor=PAPER, metadata={"Software": None})
    return written.getvalue()


@styled
def svg(figure: Figure, for_dark_pages: bool = True) -> str:
    """Return a figure as SVG text, which is always the same for the same figure.

    It begins with ``<svg``, so that it can be embedded in HTML.

    Parameters
    ----------
    for_dark_pages
        Whether the ink becomes light if the reader prefers dark pages (``prefers-color-scheme``).
    """
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    head, inside, rest = text[text.index("<svg") :].partition(">")
    rules = f"\n <style>{_dark_rules()}</style>" if for_dark_pages else ""
    return head + inside + rules + rest


def to_rgb(image: Array, preprocessing: Preprocessing | None = None) -> Array:
    """Convert an image to (H, W, 3), with values from 0 to 1.

    Integers are assumed to range from 0 to 255, and so are other values unless they fit into 0 to
    1. Values that fit neither are stretched to the range from 0 to 1.

    Parameters
    ----------
    image
        Image (H, W) or (C, H, W): one channel is grey, three are red, green and blue; for any other
        number, the mean is shown in grey.
    preprocessing
        Preprocessing to undo (`model.preprocessing`), if the image is preprocessed.

    Raises
    ------
    ShapeError
        The array is not an image.

    Examples
    --------
    >>> to_rgb(np.array([[0, 255]], np.uint8))[0]
    array([[0., 0., 0.],
           [1., 1., 1.]])
    """
    given = np.asarray(image)
    x = np.nan_to_num(given.astype(np.float64))
    if x.ndim == 2:
        x = x[None]
    if x.ndim != 3 or not x.size:
        raise ShapeError(f"an image is (C, H, W) or (H, W), not {given.shape}")
    stored_to_255 = given.dtype.kind in "iu"
    if preprocessing is not None:
        mean, scale = np.array([preprocessing.mean, preprocessing.scale])[:, :, None, None]
        x, stored_to_255 = x * scale + mean, bool((mean + 2 * scale).max() > 2)
    x = _between_0_and_1(x, stored_to_255)
    if len(x) != 3:
        x = np.repeat(x.mean(axis=0, keepdims=True), 3, axis=0)
    return np.ascontiguousarray(x.transpose(1, 2, 0))


def _between_0_and_1(x: Array, to_255: bool) -> Array:
    low, high = x.min(), x.max()
    slack = 0.01  # what rounding in an augmentation or in undoing the preprocessing may leave
    if not to_255 and low >= -slack and high <= 1 + slack:
        return np.asarray(x.clip(0, 1))
    if low >= -255 * slack and high <= 255 * (1 + slack):
        return np.asarray((x / 255).clip(0, 1))
    return np.asarray((x - low) / ((high - low) or 1.0))


def shortened(text: str, longest: int = 18) -> str:
    """Return `text`, shortened in the middle if it is too long.

    >>> shortened("great white pelican", 11)
    'great…lican'
    """
    keep = longest - 1
    if len(text) <= longest:
        return text
    return f"{text[: keep - keep // 2]}…{text[len(text) - keep // 2 :]}"


def _settings() -> Any:
    """Return all settings but those of the backend in which the user shows pictures."""
    defaults = {k: v for k, v in matplotlib.rcParamsDefault.items() if "backend" not in k}
    return defaults | _RC | {"font.family": _families()}


@cache
def _families() -> list[str]:
    installed = set(font_manager.get_font_names())
    return [FONT, *(name for name in FONTS_OF_THE_WORLD if name in installed)]


def _dark_rules() -> str:
    rules = "".join(
        f'[style*="{kind}: {light}"]{{{kind}:{dark}!important}}'
        for light, dark in ON_DARK.items()
        for kind in ("fill", "stroke")
    )
    return f"@media(prefers-color-scheme:dark){{{rules}}}"
