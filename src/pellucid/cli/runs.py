"""``pellucid runs``: list the runs in a folder as a table."""

import csv
import dataclasses
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid.cli import common, folders, lock
from pellucid.cli.config import Config
from pellucid.errors import FileError, PellucidError, unknown

_NOT_CHOSEN = {"data", "model", "environment", "version", "engine", "threads", "reading"}
"""Fields of a configuration that are shown elsewhere or are not choices."""


@dataclass(frozen=True)
class Found:
    """A run as described by its files.

    Attributes
    ----------
    folder, config
        The folder, and the choices of the run.
    state
        "finished", "running" or "interrupted".
    epochs, best, seconds
        Number of completed epochs, best validation accuracy, and total time of the epochs.
    test
        Accuracy on the part on which the run was evaluated.
    when
        Time of the last change to its files.
    """

    folder: Path
    config: Config
    state: str
    epochs: int
    best: float | None
    seconds: float
    test: float | None
    when: datetime

    def described(self) -> dict[str, Any]:
        """Return the run as plain data."""
        config = dataclasses.asdict(self.config)
        facts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return facts | {"folder": str(self.folder), "config": config, "when": self.when.isoformat()}


_ORDERS = {
    "name": lambda run: run.folder.name,
    "accuracy": lambda run: -_known(run.test if run.test is not None else run.best),
    "time": lambda run: run.seconds,
    "when": lambda run: run.when,
}


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the runs are.", show_default="runs")
    ] = folders.RUNS,
    data: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only runs on this data.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only runs of this model.")
    ] = None,
    sort: Annotated[
        str, typer.Option(metavar="ORDER", help=f"One of {', '.join(_ORDERS)}.")
    ] = "name",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that is known of each run as JSON.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
) -> None:
    """List runs: data, model, the choices in which they differ, accuracy, time."""
    if sort not in _ORDERS:
        raise PellucidError(unknown("order", sort, _ORDERS))
    found = [run for run in all_in(folder) if data in (None, run.config.data, _name(run))]
    found = [run for run in found if model in (None, run.config.model)]
    found.sort(key=_ORDERS[sort])
    if as_json:
        print(json.dumps([run.described() for run in found], indent=1))
        return
    if not found:
        common.note(f"there are no runs in {folder}; `pellucid train` makes them")
        return
    head, rows = table(found)
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow([name.lstrip(">") for name in head])
        writer.writerows(rows)
        return
    common.print_table(head, rows)


def all_in(folder: Path) -> list[Found]:
    """Return the runs in `folder`, sorted by name; other folders are ignored."""
    if not folder.is_dir():
        raise FileError(f"there is no folder {folder}; `pellucid train` makes runs in it")
    return [found for path in sorted(folder.iterdir()) if (found := read(path)) is not None]


def read(folder: Path) -> Found | None:
    """Read a run from its folder; return None for a folder that is not a run."""
    from pellucid.training.consumers import read_history

    if not (folder / folders.CONFIG).is_file():
        return None
    try:
        config = Config.load(folder)
        history = list(read_history(folder / folders.HISTORY)) if _has_history(folder) else []
    except PellucidError as error:
        common.note(f"{folder}: {error}")
        return None
    accuracies = [e.validation_accuracy for e in history if e.validation_accuracy is not None]
    return Found(
        folder,
        config,
        _state(folder),
        len(history),
        max(accuracies, default=None),
        sum(epoch.seconds for epoch in history),
        _tested(folder),
        datetime.fromtimestamp(max(p.stat().st_mtime for p in folder.iterdir())).astimezone(),
    )


def differing(found: Iterable[Found]) -> list[str]:
    """Return the names of the choices in which these runs differ."""
    known = list(found)
    names = [f.name for f in dataclasses.fields(Config) if f.name not in _NOT_CHOSEN]
    return [name for name in names if len({str(getattr(r.config, name)) for r in known}) > 1]


def table(found: list[Found]) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows of the table."""
    choices = differing(found)
    head = ["run", "data", "model", *choices, ">epochs", ">validation", ">test", ">seconds"]
    head += ["when", "state"]
    rows = [
        [
            run.folder.name,
            _name(run),
            folders.short_name(run.config.model),
            *(_short(getattr(run.config, name)) for name in choices),
            f"{run.epochs}/{run.config.epochs}",
            _percent(run.best),
            _percent(run.test),
            f"{run.seconds:,.0f}",
            run.when.strftime("%Y-%m-%d %H:%M"),
            run.state,
        ]
        for run in found
    ]
    return head, rows


def _state(folder: Path) -> str:
    if lock.is_held(folder):
        return "running"
    return "finished" if (folder / folders.MODEL).exists() else "interrupted"


def _has_history(folder: Path) -> bool:
    return (folder / folders.HISTORY).is_file()


def _tested(folder: Path) -> float | None:
    try:
        described = json.loads((folder / folders.EVALUATION).read_text(encoding="utf-8"))
        return float(described["accuracy"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _name(run: Found) -> str:
    return Path(run.config.data).stem


def _short(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _percent(accuracy: float | None) -> str:
    return "–" if accuracy is None else f"{accuracy:.2%}"


def _known(accuracy: float | None) -> float:
    return -1.0 if accuracy is None else accuracy
