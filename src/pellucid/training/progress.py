"""A progress bar on a terminal, a line an epoch elsewhere."""

import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from time import monotonic
from typing import TypeVar

from pellucid.training.records import Epoch, Record

R = TypeVar("R", bound=Record)
_BETWEEN_UPDATES = 0.1  # seconds


def show_progress(records: Iterable[R]) -> Iterator[R]:
    """Show `records` as they pass: a live bar on a terminal (if rich is installed), or lines."""
    if sys.stdout.isatty() and find_spec("rich") is not None:
        return _with_bar(records)
    return _with_lines(records)


def _with_lines(records: Iterable[R]) -> Iterator[R]:
    for record in records:
        if isinstance(record, Epoch):
            print(record, flush=True)
        yield record


def _with_bar(records: Iterable[R]) -> Iterator[R]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=True, refresh_per_second=4) as progress:
        task = progress.add_task("", total=1, epoch="", loss=float("nan"))
        shown = 0.0
        for record in records:
            if isinstance(record, Epoch):
                progress.console.print(str(record), highlight=False)
            elif monotonic() - shown > _BETWEEN_UPDATES or record.step == record.steps:
                shown = monotonic()
                progress.update(
                    task,
                    completed=record.step,
                    total=record.steps,
                    epoch=f"{record.epoch}/{record.epochs}",
                    loss=record.loss,
                )
            yield record
