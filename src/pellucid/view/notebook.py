"""HTML representations of models, summaries, histories, … for notebooks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pellucid.layers import Layer
from pellucid.models.summary import HEADS, Summary, cells, image_shape, layers_of, summary
from pellucid.training.diagnosis import diagnosis
from pellucid.training.records import Epoch, History
from pellucid.types import Array
from pellucid.view import style
from pellucid.view.confusion import confusion
from pellucid.view.curves import curves
from pellucid.view.diagram import diagram
from pellucid.view.evaluated import Evaluated
from pellucid.view.report.markup import Html, html, joined
from pellucid.view.report.pictures import uri
from pellucid.view.scores import scores

_SAMPLES = 16
_DPI = 80
_STEPS = 200

_PAGE = (
    '<div style="background:{paper};color:{ink};padding:0.8em;overflow-x:auto;'
    'font-family:sans-serif;line-height:1.4">{inside}</div>'
)
"""Paper and ink of its own: a notebook's theme and the system's need not be the same."""


def show(kind: str, thing: Any) -> str | None:
    """Return HTML for a value of that kind, or None if plain text is sufficient.

    >>> from pellucid import layers as nn
    >>> show("model", nn.ReLU())
    >>> show("model", nn.Sequential(relu=nn.ReLU()))[:4]
    '<div'
    """
    makers: dict[str, Callable[[Any], list[Html]]] = {
        "model": _model,
        "history": _history,
        "evaluation": _evaluation,
        "data set": _data_set,
        "summary": _summary,
        "splits": _splits,
        "optimizer": _optimizer,
        "schedule": _schedule,
        "epoch": _epoch,
    }
    parts = makers[kind](thing) if kind in makers else []
    if not parts:
        return None
    return str(html(_PAGE, paper=style.PAPER, ink=style.INK, inside=joined(parts)))


def draw(kind: str, thing: Any, **options: Any) -> Figure:
    """Return a picture of a value of that kind; currently only for data sets."""
    return _samples(thing, range(len(thing)), **options)


def _model(model: Layer) -> list[Html]:
    if model.wiring() is None:
        return []
    count = sum(math.prod(parameter.shape) for parameter in model.parameters())
    shape = image_shape(model)
    if shape is None:
        heads = ("Layer", "Type", "Parameters")
        return [
            _paragraph(f"{type(model).__name__}: {count:,} parameters"),
            _table(heads, layers_of(model)),
            _paragraph("Once it has learned from a data set, its diagram is shown here."),
        ]
    sizes, found = "×".join(map(str, shape)), summary(model, shape)
    return [
        _paragraph(f"{type(model).__name__}: {count:,} parameters, for images of {sizes}"),
        _picture(diagram(model, shape), "Diagram of the network"),
        _folded("Layers", joined(_summary(found)), is_open=len(found.rows) <= _SAMPLES),
    ]


def _summary(found: Summary) -> list[Html]:
    text = joined([html("{line}", line=line) for line in found.totals()], "<br>")
    return [_table(HEADS, map(cells, found.rows)), text]


def _history(history: History) -> list[Html]:
    if not history:
        return []
    names = ["epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "rate"]
    names += history[0].metrics
    rows = [[_number(row[name]) for name in names] for row in history.rows()]
    return [
        _picture(curves(history), "Loss and accuracy of each epoch"),
        _paragraph(diagnosis(history)),
        _folded("Epochs", _table([name.replace("_", " ") for name in names], rows)),
    ]


def _evaluation(evaluation: Evaluated) -> list[Html]:
    return [
        _paragraph(str(evaluation).partition("\n")[0]),
        _picture(confusion(evaluation), "Confusion matrix"),
        _folded("Classes", _picture(scores(evaluation), "Precision, recall and F1 by class")),
    ]


def _epoch(epoch: Epoch) -> list[Html]:
    cells = [(name.replace("_", " "), _number(value)) for name, value in epoch.row().items()]
    return [_table(("Epoch", str(epoch.epoch)), cells[1:])]


def _optimizer(optimizer: Any) -> list[Html]:
    described = {"lr": optimizer.base_lr} | optimizer.describe()
    numbers = sum(math.prod(parameter.shape) for parameter in optimizer.learned)
    rows = [
        *((name, str(value)) for name, value in described.items() if name != "type"),
        ("parameters", f"{len(optimizer.learned)}, {numbers:,} numbers"),
        ("steps taken", f"{optimizer.steps:,}"),
    ]
    return [_table((described["type"], ""), rows)]


@style.styled
def _schedule_curve(schedule: Any) -> Figure:
    drawn = style.figure(5, 2)
    ax = drawn.subplots()
    ax.plot([step / _STEPS for step in range(_STEPS)], [schedule(i, _STEPS) for i in range(_STEPS)])
    ax.set(xlabel="share of the training", ylabel="factor on the rate", ylim=(0, None))
    return drawn


def _schedule(schedule: Any) -> list[Html]:
    drawn = _schedule_curve(schedule)
    return [_paragraph(repr(schedule)), _picture(drawn, "The learning rate over the training")]


def _splits(splits: Any) -> list[Html]:
    parts = splits.parts
    train = splits.train
    rows = zip(
        train.classes, *([f"{n:,}" for n in data.counts] for data in parts.values()), strict=True
    )
    return [
        _paragraph(repr(splits)),
        _picture(_samples(train, _spread(len(train))), "Some of the training images"),
        _folded("Classes", _table(("Class", *parts), rows)),
    ]


def _spread(count: int) -> list[int]:
    return [round(place) for place in np.linspace(0, count - 1, min(_SAMPLES, count))]


def _data_set(data: Any) -> list[Html]:
    rows = zip(data.classes, (f"{n:,}" for n in data.counts), strict=True)
    return [
        _paragraph(repr(data)),
        _picture(_samples(data, _spread(len(data))), "Some of the images"),
        _folded("Classes", _table(("Class", "Images"), rows)),
    ]


@style.styled
def _samples(data: Any, chosen: Iterable[int], variants: Sequence[Array] | None = None) -> Figure:
    """Draw images with their classes and, below each, its variants if there are any."""
    numbers = list(chosen)
    columns = min(8, len(numbers))
    rows = -(-len(numbers) // columns)
    each = 1 + len(variants or ())
    drawn = style.figure(1.15 * columns, (1.15 * each + 0.25) * rows)
    panels = drawn.subplots(rows * each, columns, squeeze=False)
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        for turn, stored in enumerate((data.images, *(variants or ()))):
            ax = panels[row * each + turn, column]
            if place >= len(numbers):
                ax.remove()
                continue
            style.show_image(ax, stored[numbers[place]])
            if not turn:
                name = data.classes[data.labels[numbers[place]]]
                ax.set_title(style.shortened(name, 13), size=style.SMALL)
    return drawn


def _number(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.4g}"


def _paragraph(text: str) -> Html:
    return html("<p>{text}</p>", text=text)


def _folded(title: str, inside: Html, is_open: bool = False) -> Html:
    page = "<details{open}><summary>{title}</summary>{inside}</details>"
    return html(page, open=Html(" open") if is_open else "", title=title, inside=inside)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    def row(kind: str, texts: Sequence[str]) -> Html:
        cell = f'<{kind} style="text-align:left;white-space:pre">{{text}}</{kind}>'
        return html("<tr>{all}</tr>", all=joined([html(cell, text=text) for text in texts], ""))

    body = joined([row("th", heads), *(row("td", texts) for texts in rows)])
    return html('<table style="background:none;color:inherit">{body}</table>', body=body)


def _picture(drawn: Figure, alt: str) -> Html:
    source = uri("image/svg+xml", style.svg(drawn, for_dark_pages=False).encode())
    width = round(_DPI * drawn.get_size_inches()[0])
    image = '<img src="{source}" width="{width}" alt="{alt}" style="max-width:none">'
    return html(image, source=source, width=width, alt=alt)
