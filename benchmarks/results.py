"""What was measured, and the figures that follow from it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.contestants import BF16, CONTESTANTS
from benchmarks.job import Array

TOLERANCE = {
    "training": {"losses": 1e-4, "outputs": 2e-3},
    "few images": {"losses": 1e-4, "outputs": 5e-3},
    "other layers": {"losses": 1e-4, "outputs": 5e-3},
    "inference": {"outputs": 1e-4},
}
"""How far contestants may differ, relative to the largest value or 1. Each sums in another order,
and each step of training enlarges the difference."""


@dataclass
class Turn:
    """One contestant's turn: how often it worked, and its median and shortest time."""

    calls: int
    seconds: float
    shortest: float
    others: float | None
    """The share of the processors that was taken by anything else meanwhile."""


@dataclass
class Start:
    """A process from its start: the seconds to its first result, and the bytes that it held.

    `imported` is what it held with its framework imported, engine and all, `peak` the most while it
    was timed.
    """

    seconds: float
    imported: int | None = None
    peak: int | None = None

    @property
    def growth(self) -> int | None:
        """The memory that came after the import."""
        if self.imported is None or self.peak is None:
            return None
        return self.peak - self.imported


@dataclass
class Entry:
    """One contestant in one row: what it computed first, and how long it took then."""

    losses: list[float] = field(default_factory=list)
    differences: list[float] = field(default_factory=list)
    """How far its first losses, and its outputs, are from what most contestants have."""
    start: Start | None = None
    turns: list[Turn] = field(default_factory=list)
    problem: str | None = None
    """Why it does not count."""

    @property
    def seconds(self) -> float:
        """The median of its turns."""
        return median(turn.seconds for turn in self.turns)

    @property
    def span(self) -> tuple[float, float]:
        """The shortest and the longest of its turns."""
        return min(t.seconds for t in self.turns), max(t.seconds for t in self.turns)


@dataclass
class Row:
    """All contestants on one network and batch size, of one of `run.TASKS`."""

    task: str
    network: str
    batch: int
    entries: dict[str, Entry]

    def family(self, family: str) -> dict[str, Entry]:
        """Return the entries of a family that count."""
        return {
            name: entry
            for name, entry in self.entries.items()
            if CONTESTANTS[name].family == family and entry.turns and entry.problem is None
        }

    def best(self, family: str) -> str | None:
        """Return the family's fastest contestant, by the median of its turns.

        Who was far behind at first took fewer turns, and is not the fastest.
        """
        entries = self.family(family)
        most = max((len(entry.turns) for entry in entries.values()), default=0)
        remaining = [name for name, entry in entries.items() if len(entry.turns) == most]
        return min(remaining, key=lambda name: entries[name].seconds, default=None)

    def ratios(self, family: str, against: str) -> list[float]:
        """Return for each turn how many times as fast a family's best was as another family's."""
        first, second = self.best(family), self.best(against)
        if first is None or second is None:
            return []
        # where a run was repeated without some, those have the first run's turns alone
        pairs = zip(self.entries[first].turns, self.entries[second].turns, strict=False)
        return [theirs.seconds / ours.seconds for ours, theirs in pairs]

    def compare(self, outputs: dict[str, Array]) -> None:
        """Note how far losses and outputs differ; who differs too much does not count."""
        self._compare("losses", {name: self.entries[name].losses for name in outputs})
        self._compare("outputs", outputs)

    def _compare(self, what: str, found: Mapping[str, Any]) -> None:
        values = np.array(list(found.values()), np.float64)
        if not values.size:
            return
        precise = [CONTESTANTS[name].family != BF16 for name in found]
        # what is no number has no vote, nor has what rounds to bf16
        middle = np.nanmedian(values[precise] if any(precise) else values, axis=0)
        scale = max(1.0, float(np.abs(middle).max()))
        for name, own in zip(found, values, strict=True):
            entry, difference = self.entries[name], float(np.abs(own - middle).max()) / scale
            entry.differences.append(difference)
            most = np.inf if CONTESTANTS[name].family == BF16 else TOLERANCE[self.task][what]
            if not (difference <= most and np.isfinite(difference)) and entry.problem is None:
                entry.problem = f"its {what} differ by {difference:.1e}"


@dataclass
class Results:
    """A whole run of the benchmark."""

    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    left_out: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    imports: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of ``python -c "import …"``."""
    starts: dict[str, list[Start]] = field(default_factory=dict)
    """Processes that train one network, caches warm."""
    installed: dict[str, int] = field(default_factory=dict)
    """Bytes on disk, with all that it needs."""

    def of(self, task: str, batch: int) -> list[Row]:
        """Return the rows of a task with this batch size."""
        return [row for row in self.rows if (row.task, row.batch) == (task, batch)]

    def batches(self, task: str) -> list[int]:
        """Return the batch sizes that were measured."""
        return sorted({row.batch for row in self.rows if row.task == task})

    def start(self, name: str) -> Start | None:
        """Return a contestant's start, each of its figures the median."""
        starts = self.starts.get(name)
        if not starts:
            return None
        middle: dict[str, Any] = {}
        for field_ in fields(Start):
            values = [getattr(start, field_.name) for start in starts]
            middle[field_.name] = None if None in values else median(values)
        return Start(**middle)

    def turns(self) -> Iterator[Turn]:
        """Yield all turns."""
        for row in self.rows:
            for entry in row.entries.values():
                yield from entry.turns

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Results":
        data = json.loads(path.read_text(encoding="utf-8"))
        data["rows"] = [_row(row) for row in data["rows"]]
        data["starts"] = {
            name: [Start(**start) for start in starts] for name, starts in data["starts"].items()
        }
        return cls(**data)


def geometric_mean(values: Iterable[float]) -> float:
    logarithms = [log(value) for value in values]
    return exp(sum(logarithms) / len(logarithms))


def _row(data: dict[str, Any]) -> Row:
    return Row(**{**data, "entries": {n: _entry(e) for n, e in data["entries"].items()}})


def _entry(data: dict[str, Any]) -> Entry:
    start = None if data["start"] is None else Start(**data["start"])
    return Entry(**{**data, "start": start, "turns": [Turn(**turn) for turn in data["turns"]]})
