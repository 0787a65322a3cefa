"""Show the progress of a training run: a table of epochs, a bar and curves."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from pellucid.notebook import in_notebook
from pellucid.training import live_curves
from pellucid.training.notebook_progress import show_in_notebook
from pellucid.training.records import Epoch, Record, Step, split_metrics

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress

R = TypeVar("R", bound=Record)
_BETWEEN_UPDATES = 0.1  # seconds
_WIDTHS = (7, 9, 10, 17, 10, 9, 10)
_HEADS = ("epoch", "loss", "accuracy", "validation loss", "accuracy", "seconds", "images/s")


def show_progress(records: Iterable[R], *, curves: bool = True) -> Iterator[R]:
    """Show `records` as they pass, with a row per epoch.

    On a terminal with rich installed, and in a notebook, it also shows a bar and, if there is room
    and `curves` is True, growing curves of loss and accuracy, which remain after the run.
    """
    if in_notebook():
        return show_in_notebook(records)
    if sys.stdout.isatty() and find_spec("rich") is not None:
        return _with_bar(records, curves)
    return _with_rows(records)


def table_row(epoch: Epoch) -> str:
    """Return the row of one epoch, which fits into 80 columns.

    >>> table_row(Epoch(3, 20, 9, 0.5, 0.9, 0.25, 0.95, 0.01, 2.0, 320.0, True))
    '   3/20   0.5000    90.00%           0.2500    95.00%      2.0       320  best'
    """
    cells = (
        f"{epoch.epoch}/{epoch.epochs}",
        *(_shown(epoch.loss, ".4f"), _shown(epoch.accuracy, ".2%")),
        *(_shown(epoch.validation_loss, ".4f"), _shown(epoch.validation_accuracy, ".2%")),
        *(f"{epoch.seconds:.1f}", f"{epoch.images_per_second:,.0f}"),
    )
    metrics = "".join(
        f"{value:>{_width(name)}.4f}" for name, value in _newest(epoch.metrics).items()
    )
    return _aligned(cells) + metrics + ("  best" if epoch.best else "")


def table_head(metrics: Mapping[str, float]) -> str:
    """Return the heads of the table, with those of metrics.

    >>> table_head({"top_5": 0.5})[-19:]
    '  images/s    top_5'
    """
    names = "".join(f"{name:>{_width(name)}}" for name in _newest(metrics))
    return _aligned(_HEADS) + names


def compiling_note(epoch: Epoch) -> str | None:
    """Return a line about the time that compiling took, or None if that was short.

    >>> print(compiling_note(Epoch(1, 9, 9, 0.5, 0.9, None, None, 0.1, 2.0, 9.0, False, {}, 18.2)))
    Compiling for this machine took 18.2 s more; kernels are kept for later runs.
    """
    if epoch.compiling < _WORTH_A_LINE:
        return None
    took = f"{epoch.compiling:.1f} s"
    return f"Compiling for this machine took {took} more; kernels are kept for later runs."


_WORTH_A_LINE = 1.0  # seconds


def _newest(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the values of validation where there are some, else those of training."""
    trained, validated = split_metrics(metrics)
    return validated or trained


def _width(name: str) -> int:
    return max(len(name) + 2, 9)


def _shown(number: float | None, form: str) -> str:
    return "-" if number is None else format(number, form)


def _aligned(cells: tuple[str, ...]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))


def _with_rows(records: Iterable[R]) -> Iterator[R]:
    begun = False
    for record in records:
        if isinstance(record, Epoch):
            if not begun:
                print(table_head(record.metrics))
                begun = True
            print(table_row(record), flush=True)
            if (note := compiling_note(record)) is not None:
                print(note, flush=True)
        yield record


def _with_bar(records: Iterable[R], wanted: bool) -> Iterator[R]:
    progress, curves = _bar()
    drawn = wanted and live_curves.fits(progress.console)
    shown = 0.0
    with progress:
        for record in records:
            if drawn:
                curves.add(record)
            if isinstance(record, Epoch):
                progress.console.print(table_row(record), highlight=False)
                if (note := compiling_note(record)) is not None:
                    progress.console.print(note, style="dim", highlight=False)
            else:
                done = (record.epoch - 1) * record.steps + record.step
                if not progress.tasks:
                    progress.console.print(table_head(record.metrics), style="bold")
                    planned = record.epochs * record.steps
                    progress.add_task("", total=planned, completed=done, **_fields(record))
                if monotonic() - shown > _BETWEEN_UPDATES or record.step == record.steps:
                    shown = monotonic()
                    progress.update(progress.task_ids[0], completed=done, **_fields(record))
            yield record
    if drawn:
        progress.console.print(curves)


def _bar() -> tuple[Progress, live_curves.LiveCurves]:
    """Return a progress bar, and the curves that it shows below itself."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    curves = live_curves.LiveCurves()

    class Bar(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            yield from super().get_renderables()
            yield curves

    bar = Bar(
        TextColumn("{task.fields[epoch]:>7}"),
        TextColumn("{task.fields[loss]:8.4f}"),
        BarColumn(bar_width=20),
        TextColumn("step {task.fields[step]}"),
        TextColumn("{task.fields[speed]:>7,.0f} images/s,"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        transient=True,
        refresh_per_second=4,
        console=Console(),
    )
    return bar, curves


def _fields(step: Step) -> dict[str, Any]:
    return {
        "epoch": f"{step.epoch}/{step.epochs}",
        "loss": step.loss,
        "step": f"{step.step}/{step.steps}",
        "speed": step.samples / step.seconds if step.seconds else 0.0,
    }
