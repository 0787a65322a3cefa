"""One picture of all results."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.contestants import CONTESTANTS, ON_NUMPY, PELLUCID, PYTORCH
from benchmarks.results import Results, Row, geometric_mean
from pellucid.view import style

COLOURS = {  # Okabe and Ito's, which nearly everybody can tell apart
    PELLUCID: "#D55E00",
    PYTORCH: style.INK,
    "JAX": "#0072B2",
    "TensorFlow": "#E69F00",
    "ONNX Runtime": "#009E73",
    ON_NUMPY: "#CC79A7",
}
TITLES = {"training": "Training, batches of {}", "inference": "Inference, batches of {}"}
STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


@style.styled
def draw(results: Results, path: Path) -> None:
    """Write the picture of `results` to `path` with the endings .svg and .png."""
    with mpl.rc_context(STYLE):
        figure = _figure(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    style.save(figure, path.with_suffix(".svg"))
    style.save(figure, path.with_suffix(".png"), dpi=150)


def _figure(results: Results) -> Figure:
    panels = [(task, batch) for task in TITLES for batch in results.batches(task)]
    rows = -(-len(panels) // 2)
    sizes_of = {title: sizes for title, sizes in _sizes(results).items() if sizes}
    last = 1 if sizes_of else 0
    figure = style.figure(9, 2.9 * rows + 2.6 * last)
    grid = figure.add_gridspec(rows + last, 6)
    for i, (task, batch) in enumerate(panels):
        axes = figure.add_subplot(grid[i // 2, 3 * (i % 2) : 3 * (i % 2) + 3])
        _draw_speeds(axes, results.of(task, batch))
        axes.set_title(TITLES[task].format(batch))
        if i % 2:
            axes.tick_params(labelleft=False)
    for i, (title, sizes) in enumerate(sizes_of.items()):
        axes = figure.add_subplot(grid[rows, 2 * i : 2 * i + 2])
        _draw_sizes(axes, sizes)
        axes.set_title(title)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=family)
        for family, colour in COLOURS.items()
        if any(row.ratios(family, PYTORCH) for row in results.rows) or family in str(sizes_of)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def _draw_speeds(axes: Axes, rows: list[Row]) -> None:
    """Draw for each network a dot a family, on a line of how many times PyTorch's best it runs."""
    names = [row.network for row in rows]
    for family, colour in reversed(COLOURS.items()):  # the first on top
        found = {i: row.ratios(family, PYTORCH) for i, row in enumerate(rows)}
        found = {i: ratios for i, ratios in found.items() if ratios}
        for i, ratios in found.items():
            axes.plot([min(ratios), max(ratios)], [i, i], color=colour, linewidth=2, alpha=0.5)
        middles = [median(ratios) for ratios in found.values()]
        axes.plot(middles, list(found), "o", color=colour, markersize=6)
        if len(found) == len(rows) > 1:
            axes.plot(geometric_mean(middles), len(rows), "D", color=colour, markersize=6)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: f"{x:g}×" if x >= 1 else f"1/{1 / x:g}×")
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(range(len(rows) + 1), [*names, "geometric mean"])
    axes.set_ylim(len(rows) + 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", linewidth=0.5, alpha=0.5)
    axes.axvline(1, color=COLOURS[PYTORCH], linewidth=1)
    axes.set_xlabel("speed relative to PyTorch's best →")


def _sizes(results: Results) -> dict[str, dict[str, float]]:
    """Return what each family costs, for the three panels below; of a family, the least."""
    seconds: dict[str, list[float]] = {}
    growth: dict[str, list[float]] = {}
    for name in results.starts:
        start, family = results.start(name), CONTESTANTS[name].family
        if start is not None:
            seconds.setdefault(family, []).append(start.seconds)
            if start.peak is not None:
                growth.setdefault(family, []).append(start.peak / 1e6)
    installed = {f: size / 1e6 for f, size in results.installed.items() if f in COLOURS}
    panels = {
        "Seconds to the first step": {f: min(values) for f, values in seconds.items()},
        "Memory in training, MB": {f: min(values) for f, values in growth.items()},
        "Installed, MB": installed,
    }
    return {title: values for title, values in panels.items() if values}


def _draw_sizes(axes: Axes, sizes: dict[str, float]) -> None:
    for place, (family, colour) in enumerate(COLOURS.items()):
        if value := sizes.get(family):
            axes.barh(place, value, color=colour, height=0.6)
            text = f" {value:.0f}" if value >= 10 else f" {value:.1f}"
            axes.text(value, place, text, va="center")
    axes.set_yticks([])
    axes.set_ylim(len(COLOURS) - 0.5, -0.5)
    axes.set_xlim(0, 1.2 * max(sizes.values()))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
