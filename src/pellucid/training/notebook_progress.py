"""Show a training run in a notebook: a bar, curves, and a table of the epochs.

It needs neither widgets nor Matplotlib.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from importlib import import_module
from time import monotonic
from typing import Any, TypeVar

from pellucid.training.live_curves import LiveCurves
from pellucid.training.records import Epoch, Record, Step

R = TypeVar("R", bound=Record)
Points = list[tuple[float, float]]

_BETWEEN_UPDATES = 0.25  # seconds
_SHOWN_EPOCHS = 10
_WIDTH, _HEIGHT = 260, 90
_COLOURS = ("#0072b2", "#d55e00")  # training, validation


def show_in_notebook(records: Iterable[R]) -> Iterator[R]:
    """Show `records` in the output of the cell as they pass."""
    output: Any = import_module("IPython.display")
    run, handle, shown = _Run(), None, 0.0
    try:
        for record in records:
            run.add(record)
            if handle is None:
                handle = output.display(output.HTML(run.html()), display_id=True)
            elif isinstance(record, Epoch) or monotonic() - shown > _BETWEEN_UPDATES:
                shown = monotonic()
                handle.update(output.HTML(run.html()))
            yield record
    finally:
        if handle is not None:
            handle.update(output.HTML(run.html()))


class _Run:
    """The records of a run so far."""

    def __init__(self) -> None:
        self._curves, self._epochs = LiveCurves(), list[Epoch]()
        self._last: Record | None = None
        self._began = monotonic()
        self._skipped = 0  # steps before a resumed run

    def add(self, record: Record) -> None:
        self._curves.add(record)
        if self._last is None and isinstance(record, Step):
            self._skipped = (record.epoch - 1) * record.steps + record.step - 1
        self._last = record
        if isinstance(record, Epoch):
            self._epochs.append(record)

    def html(self) -> str:
        curves = self._curves
        pictures = _picture("loss", curves.loss) + _picture("accuracy", curves.accuracy)
        return f"<div>{self._bar()}<div>{pictures}</div>{self._table()}</div>"

    def _bar(self) -> str:
        last = self._last
        if last is None:
            return ""
        done, total = last.epoch * last.steps, last.epochs * last.steps
        text = f"epoch {last.epoch} of {last.epochs}"
        if isinstance(last, Step):
            done += last.step - last.steps
            text += f", step {last.step} of {last.steps}, loss {last.loss:.4f}"
        elapsed = monotonic() - self._began
        text += f", {elapsed:.0f} s"
        if done < total and done > self._skipped:
            left = elapsed * (total - done) / (done - self._skipped)
            text += f", about {_duration(left)} left"
        if isinstance(last, Step) and last.seconds:
            text += f", {last.samples / last.seconds:,.0f} images/s"
        return f'<progress value="{done}" max="{total}" style="width: 20em"></progress> {text}'

    def _table(self) -> str:
        if not self._epochs:
            return ""
        heads = ["epoch", "loss", "accuracy", "validation loss", "accuracy", "images/s"]
        heads += [name.replace("_", " ") for name in self._epochs[0].metrics] + [""]
        rows = "".join(_row(epoch) for epoch in self._epochs[-_SHOWN_EPOCHS:])
        left_out = len(self._epochs) - _SHOWN_EPOCHS
        note = f"<p>and {left_out} epochs before</p>" if left_out > 0 else ""
        compiled = sum(epoch.compiling for epoch in self._epochs)
        if compiled >= 1:
            note += f"<p>Compiling for this machine took {compiled:.1f} s more.</p>"
        head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
        return f"<table><tr>{head}</tr>{rows}</table>{note}"


def _row(epoch: Epoch) -> str:
    cells = (
        f"{epoch.epoch}/{epoch.epochs}",
        *(_told(epoch.loss, ".4f"), _told(epoch.accuracy, ".2%")),
        *(_told(epoch.validation_loss, ".4f"), _told(epoch.validation_accuracy, ".2%")),
        f"{epoch.images_per_second:,.0f}",
        *(f"{value:.4f}" for value in epoch.metrics.values()),
        "best" if epoch.best else "",
    )
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def _duration(seconds: float) -> str:
    """Format a time roughly.

    >>> [_duration(seconds) for seconds in (4.2, 95, 7300)]
    ['4 s', '1:35 min', '2:01 h']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"


def _told(number: float | None, form: str) -> str:
    return "–" if number is None else format(number, form)


def _picture(name: str, curves: tuple[Points, ...]) -> str:
    """Return the curves of training and validation as SVG."""
    if len(curves[0]) < 2:
        return ""
    values = [y for points in curves for _, y in points]
    low, high, end = min(values), max(values), curves[0][-1][0]
    scale = (_HEIGHT - 26) / ((high - low) or 1.0)

    def line(points: Points, colour: str) -> str:
        places = " ".join(
            f"{x / end * (_WIDTH - 10) + 5:.1f},{(high - y) * scale + 18:.1f}" for x, y in points
        )
        return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>'

    lines = "".join(map(line, curves, _COLOURS))
    text = f"{name} {values[len(curves[0]) - 1]:.4g}"
    if curves[1]:
        text += f", validation {curves[1][-1][1]:.4g}"
    label = f'<text x="5" y="12" font-size="11" fill="currentColor">{text}</text>'
    size = f'width="{_WIDTH}" height="{_HEIGHT}"'
    return f'<svg {size} role="img" aria-label="{text}">{label}{lines}</svg>'
