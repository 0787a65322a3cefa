"""The page of records: a table and a picture of all results."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks import pages
from benchmarks.process import ROOT
from pellucid.view import style

PAGE = ROOT / "docs" / "records.md"
PICTURE = ROOT / "docs" / "images" / "records.svg"
GOALS = {"cifar-10": (0.94, 0.95), "mnist": (0.995,), "fashion-mnist": (0.954,)}
"""Accuracies to reach for each data set, dashed lines in its picture."""

CAPTION = (
    "Test accuracy against CPU minutes: seeds, means, the front that nothing beats, and the goals "
    "as dashed lines"
)

_QUIET = 1.0
"""Mean number of other running programs below which the time of a run counts."""

Results = list[dict[str, Any]]


def write(results: Results, page: Path = PAGE, picture: Path = PICTURE) -> None:
    """Write the table between the page's markers, and the picture."""
    if not results:
        raise SystemExit("there are no results yet; run some seeds first")
    pages.write(page, "records", f"![{CAPTION}](images/{picture.name})\n\n{table(results)}")
    style.save(draw(results), picture)
    style.save(draw(results), picture.with_suffix(".png"))


def table(results: Results) -> str:
    """Return a row for each recipe, with means over its seeds and their ranges."""
    lines = [
        "| recipe | parameters | seeds | test accuracy | time | CPU time | measured on |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for (data, recipe), found in _by_recipe(results):
        quiet = [each for each in found if _was_alone(each)]
        complete = [100 * each["accuracy"] for each in _complete(found)]
        cells = [
            _called(data, recipe),
            f"{found[0]['parameters']:,}",
            str(len(found)),
            _spread(complete, "{:.2f}", " %") if complete else "(not trained to the end)",
            _duration([each["wall"] for each in quiet]),
            _duration([each["cpu"] for each in found]),
            "; ".join(f"{where}, {date}" for where, date in _measured(found).items()),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _measured(results: Results) -> dict[str, str]:
    """Return the machines of the runs, each with the last date on which one ran there."""
    found: dict[str, str] = {}
    for each in results:
        processor, many = each["machine"]["processor"], each["machine"]["processors"]
        where = f"{processor.replace('(R)', '').replace(' Processor', '')}, {many} processors"
        found[where] = max(each["date"], found.get(where, ""))
    return found


def _was_alone(result: dict[str, Any]) -> bool:
    """Return whether a run had the whole machine to itself, so that its time counts."""
    if result.get("threads") is not None:
        return False
    return bool(result["load"] < result["machine"]["processors"] + _QUIET)


@style.styled
def draw(results: Results) -> Figure:
    """Draw accuracy against CPU minutes for each data set, with the Pareto front of the recipes."""
    names = list(dict.fromkeys(each["data"] for each in results))
    figure = style.figure(4.2 * len(names), 3.6)
    for number, (axes, name) in enumerate(
        zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True)
    ):
        found = _complete([each for each in results if each["data"] == name])
        _draw_data_set(axes, found)
        shown = [100 * each["accuracy"] for each in found]
        for goal in GOALS.get(name, ()):
            axes.axhline(100 * goal, color=style.INK, linewidth=0.8, linestyle="--")
            shown.append(100 * goal)
        margin = max(0.35 * (max(shown) - min(shown)), 0.2)
        axes.set_ylim(min(shown) - margin, min(max(shown) + margin, 100))
        axes.set_title(name)
        if not number:
            axes.set_ylabel("test accuracy, %")
    return figure


def _draw_data_set(axes: Axes, results: Results) -> None:
    """Draw each seed as a small dot, each recipe's mean as a large one, and the front as steps."""
    means = []
    for (_, recipe), found in _by_recipe(_complete(results)):
        minutes = [each["cpu"] / 60 for each in found]
        accuracies = [100 * each["accuracy"] for each in found]
        (dots,) = axes.plot(minutes, accuracies, "o", markersize=3, alpha=0.5)
        at = mean(minutes), mean(accuracies)
        axes.plot(*at, "o", markersize=8, color=dots.get_color())
        behind = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1}
        axes.annotate(recipe, at, xytext=(8, -12), textcoords="offset points", bbox=behind)
        means.append(at)
    front = pareto(means)
    axes.step([x for x, _ in front], [y for _, y in front], where="post", color=style.INK, lw=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    every = [each["cpu"] / 60 for each in results]
    axes.set_xlim(min(every) / 2, max(every) * 2.5)
    axes.set_xlabel("CPU minutes")


def pareto(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points (cost, value) that no other point beats in both, in order of cost."""
    front: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or value > front[-1][1]:
            front.append((cost, value))
    return front


def _by_recipe(results: Results) -> list[tuple[tuple[str, str], Results]]:
    def key(each: dict[str, Any]) -> tuple[str, str]:
        return each["data"], each["recipe"]

    return [(name, list(found)) for name, found in groupby(sorted(results, key=key), key)]


def _called(data: str, recipe: str) -> str:
    """Return the command of a recipe, and how else it was run."""
    name, *how = recipe.split(", ")
    return ", ".join([f"`{data} --recipe {name}`", *how])


def _complete(results: Results) -> Results:
    """Return the results whose training was not cut short."""
    return [each for each in results if each["accuracy"] is not None]


def _duration(seconds: list[float]) -> str:
    """Return the mean and range of times, in minutes if they are long."""
    if seconds and mean(seconds) >= 120:
        return _spread([each / 60 for each in seconds], "{:.1f}", " min")
    return _spread(seconds, "{:.1f}", " s")


def _spread(values: list[float], form: str, unit: str = "") -> str:
    """Return the mean and, of several values, the range."""
    if not values:
        return "–"
    text = form.format(mean(values)) + unit
    if len(values) == 1:
        return text
    return f"{text} ({form.format(min(values))}–{form.format(max(values))})"
