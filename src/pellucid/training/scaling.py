"""Record where training processes spend their time."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pellucid.errors import FileError
from pellucid.files import atomic_write
from pellucid.parallel import Spent, Team
from pellucid.training.records import Epoch, Record

R = TypeVar("R", bound=Record)

_COLUMNS = ("epoch", "process", *(field.name for field in dataclasses.fields(Spent)))


def log_scaling(records: Iterable[R], team: Team, path: str | Path) -> Iterator[R]:
    """Write where the time was spent to a CSV file, one row per epoch and process.

    When a run is resumed, rows of repeated epochs are replaced.
    """
    path = Path(path)
    rows = list(_rows(path)) if path.exists() else []
    for record in records:
        if isinstance(record, Epoch):
            rows = [row for row in rows if int(row[0]) < record.epoch]
            for process, spent in enumerate(team.spent):
                row = dataclasses.astuple(spent)
                values = [f"{v:.4f}" if isinstance(v, float) else f"{v}" for v in row]
                rows.append([f"{record.epoch}", f"{process}", *values])
            lines = [",".join(row) for row in ([*_COLUMNS], *rows)]
            atomic_write(path, ("\n".join(lines) + "\n").encode())
        yield record


def read_scaling(path: str | Path) -> list[Spent]:
    """Return the time that each process spent in the last epoch that `log_scaling` wrote.

    Raises
    ------
    FileError
        The file does not exist or was not written by `log_scaling`.
    """
    try:
        rows = list(_rows(Path(path)))
        last = max((int(row[0]) for row in rows), default=0)
        return [
            Spent(row[2], int(row[3]), *map(float, row[4:7])) for row in rows if int(row[0]) == last
        ]
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, IndexError, TypeError, csv.Error) as error:
        raise FileError(f"{path} is not a record of processes: {error!s:.300}") from error


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from list(csv.reader(file))[1:]
