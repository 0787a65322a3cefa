"""The page that ``pellucid compare RUN RUN`` writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pellucid.cli import folders, runs

if TYPE_CHECKING:
    from pellucid.data import DataSet
    from pellucid.evaluation import Evaluation
    from pellucid.layers import Layer
    from pellucid.view.report import Report
    from pellucid.view.report.markup import Html
    from pellucid.view.report.section import Section

_SHOWN = 12
"""Largest number of images, won and lost, that are shown."""


class Judged(NamedTuple):
    """A run, its model, the images by which it is judged, and the result."""

    run: runs.Found
    model: "Layer"
    part: "DataSet"
    evaluation: "Evaluation"

    @property
    def name(self) -> str:
        return self.run.folder.name


def page(
    judged: Sequence[Judged], pairs: Sequence[dict[str, Any]], said: Sequence[str]
) -> "Report":
    """Return the page; `pairs` and `said` compare each run with the first one."""
    from pellucid.view.report.frame import framed, numbers
    from pellucid.view.report.markup import html

    facts = [(f"{one.name}: accuracy", f"{one.evaluation.accuracy:.2%}") for one in judged]
    head = html(
        '<p class="lede">{lede}</p>\n{numbers}', lede=" ".join(said), numbers=numbers(facts)
    )
    title = " beside ".join(one.name for one in judged)
    return framed("Runs compared", title, head, list(_sections(judged, pairs, said)))


def _sections(
    judged: Sequence[Judged], pairs: Sequence[dict[str, Any]], said: Sequence[str]
) -> "Iterator[Section]":
    from pellucid.view.report.section import Section, paragraph, table

    head, rows = runs.table([one.run for one in judged])
    heads = [name.removeprefix(">") for name in head]
    text = "The choices in which the runs differ, and their results"
    yield Section("choices", "Choices", (table(text, heads, rows),))
    if (learning := _curves(judged)) is not None:
        yield learning
    yield Section("accuracy", "Accuracy", (_accuracies(judged),))
    for i, (other, pair, sentence) in enumerate(zip(judged[1:], pairs, said, strict=True), start=1):
        title = f"{other.name} instead of {judged[0].name}"
        yield Section(
            f"pair-{i}",
            title,
            (paragraph(sentence), _classes(pair), *_images(judged[0], other, pair)),
        )
    yield Section("cost", "Speed and size", (_costs(judged), paragraph(_SPEED)))


_SPEED = (
    "Training speed is the median of the epochs, on the machine and with what else ran on it then, "
    "so it compares runs only if they ran under the same conditions."
)


def _curves(judged: Sequence[Judged]) -> "Section | None":
    from pellucid.training import read_history
    from pellucid.view.curves import curves_of_runs
    from pellucid.view.report.pictures import Picture
    from pellucid.view.report.section import Pair, Section

    paths = {one.name: one.run.folder / folders.HISTORY for one in judged}
    found = {name: read_history(path) for name, path in paths.items() if path.is_file()}
    found = {name: history for name, history in found.items() if len(history)}
    if not found:
        return None
    pictures = tuple(
        (
            Picture(name, curves_of_runs(found, name), f"{name} of {', '.join(found)}", 320),
            "Solid: validation; dotted: training.",
        )
        for name in ("loss", "accuracy")
    )
    return Section("curves", "Curves", (Pair(pictures),))


def _accuracies(judged: Sequence[Judged]) -> "Html":
    from pellucid.view.report.section import table

    rows = []
    for one in judged:
        evaluation, (low, high) = one.evaluation, one.evaluation.accuracy_interval
        right, total = int(evaluation.confusion.trace()), len(evaluation.labels)
        rows.append(
            [
                one.name,
                f"{evaluation.accuracy:.2%}",
                f"{low:.2%} to {high:.2%}",
                f"{evaluation.loss:.4f}",
                f"{evaluation.calibration.error:.4f}",
                f"{right:,} of {total:,}",
            ]
        )
    heads = ["run", "accuracy", "95 % interval", "loss", "calibration error", "right"]
    best = max(range(len(judged)), key=lambda i: judged[i].evaluation.accuracy)
    return table("On the same images; the most accurate run is bold", heads, rows, best)


def _classes(pair: dict[str, Any]) -> "Html":
    from pellucid.view.report.section import table

    changed = sorted(pair["classes"], key=lambda row: -abs(row["difference"]))
    rows = [
        [row["name"], f"{row['before']:.2%}", f"{row['now']:.2%}", f"{row['difference']:+.2%}"]
        for row in changed
    ]
    heads = ["class", "recall before", "recall now", "difference"]
    return table("Classes won and lost, the largest change first", heads, rows)


def _images(first: Judged, other: Judged, pair: dict[str, Any]) -> "Iterator[Html]":
    """Yield galleries of the images that only one of two runs classifies correctly."""
    from pellucid.view.report.markup import html, joined

    for title, numbers, wrong in (
        (f"Only {other.name} is right", pair["won"], first),
        (f"Only {first.name} is right", pair["lost"], other),
    ):
        yield html("<h3>{title}: {n:,}</h3>", title=title, n=len(numbers))
        if numbers:
            sure = wrong.evaluation.probabilities[numbers].max(axis=1)
            chosen = np.array(numbers)[np.argsort(-sure, kind="stable")[:_SHOWN]]
            items = joined(_image(wrong, int(i)) for i in chosen)
            yield html('<ol class="gallery">{items}</ol>', items=items)


def _image(wrong: Judged, index: int) -> "Html":
    from pellucid.view.report.markup import html
    from pellucid.view.report.pictures import pixels

    evaluation = wrong.evaluation
    truth = evaluation.classes[evaluation.labels[index]]
    answer = evaluation.classes[evaluation.predictions[index]]
    alt = f"Image {index}: it is “{truth}”; {wrong.name} predicted “{answer}”"
    return html(
        '<li>{image}<span class="soft">is <b>{truth}</b></span><span>{name}: {answer} {sure:.1%}'
        "</span></li>",
        image=pixels(wrong.part.images[index], alt),
        truth=truth,
        name=wrong.name,
        answer=answer,
        sure=float(evaluation.probabilities[index].max()),
    )


def _costs(judged: Sequence[Judged]) -> "Html":
    from pellucid.models import summary
    from pellucid.view.report.section import table

    rows = []
    for one in judged:
        cost = summary(one.model, one.part.image_shape)
        size = (one.run.folder / folders.MODEL).stat().st_size
        rows.append(
            [
                one.name,
                f"{cost.parameters:,}",
                f"{cost.multiply_adds:,}",
                f"{size / 1e6:.2f} MB",
                _speed(one.run.folder),
                f"{one.run.seconds:,.1f}",
            ]
        )
    heads = ["run", "parameters", "multiply-adds an image", "file"]
    return table("What each costs", [*heads, "training images/s", "training seconds"], rows)


def _speed(folder: Path) -> str:
    from pellucid.training import read_history

    if not (folder / folders.HISTORY).is_file():
        return "–"
    speeds = [epoch.images_per_second for epoch in read_history(folder / folders.HISTORY)]
    return f"{np.median(speeds):,.0f}" if speeds else "–"
