"""HTML with which models, their summaries, histories, … show themselves in a notebook."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pellucid.layers import Layer
from pellucid.models.summary import HEADS, Summary, cells, summary
from pellucid.training.diagnosis import diagnosis
from pellucid.training.records import History
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

_PAGE = (
    '<div style="background:{paper};color:{ink};padding:0.8em;overflow-x:auto;'
    'font-family:sans-serif;line-height:1.4">{inside}</div>'
)
"""Paper and ink of its own: a notebook's theme and the system's need not be the same."""


def show(kind: str, thing: Any) -> str | None:
    """Return HTML for something of that kind, or None where plain text says as much.

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
    }
    parts = makers[kind](thing) if kind in makers else []
    if not parts:
        return None
    return str(html(_PAGE, paper=style.PAPER, ink=style.INK, inside=joined(parts)))


def _model(model: Layer) -> list[Html]:
    if model.wiring() is None:
        return []
    count = sum(math.prod(parameter.shape) for parameter in model.parameters())
    head = _paragraph(f"{type(model).__name__}: {count:,} parameters")
    if model.input_shape is None:
        rows = [
            (name, "×".join(map(str, parameter.shape)), f"{math.prod(parameter.shape):,}")
            for name, parameter in model.named_parameters().items()
        ]
        return [head, _folded("Parameters", _table(("Name", "Shape", "Parameters"), rows))]
    found = summary(model, model.input_shape)
    return [
        head,
        _picture(diagram(model, model.input_shape), "Diagram of the network"),
        _folded("Layers", joined(_summary(found))),
    ]


def _summary(found: Summary) -> list[Html]:
    said = joined([html("{line}", line=line) for line in found.totals()], "<br>")
    return [_table(HEADS, map(cells, found.rows)), said]


def _history(history: History) -> list[Html]:
    if not history:
        return []
    names = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "rate")
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


def _data_set(data: Any) -> list[Html]:
    chosen = np.linspace(0, len(data) - 1, min(_SAMPLES, len(data))).round().astype(int)
    rows = zip(data.classes, (f"{n:,}" for n in data.counts), strict=True)
    return [
        _paragraph(repr(data)),
        _picture(_samples(data, chosen), "Some of the images"),
        _folded("Classes", _table(("Class", "Images"), rows)),
    ]


@style.styled
def _samples(data: Any, chosen: Iterable[int]) -> Figure:
    numbers = list(chosen)
    columns = min(8, len(numbers))
    rows = -(-len(numbers) // columns)
    drawn = style.figure(1.15 * columns, 1.4 * rows)
    panels = drawn.subplots(rows, columns, squeeze=False).ravel()
    for ax in panels[len(numbers) :]:
        ax.remove()
    for ax, i in zip(panels, numbers, strict=False):
        style.show_image(ax, data.images[i])
        name = style.shortened(data.classes[data.labels[i]], 13)
        ax.set_title(name, size=style.SMALL)
    return drawn


def _number(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.4g}"


def _paragraph(text: str) -> Html:
    return html("<p>{text}</p>", text=text)


def _folded(title: str, inside: Html) -> Html:
    return html("<details><summary>{title}</summary>{inside}</details>", title=title, inside=inside)


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
