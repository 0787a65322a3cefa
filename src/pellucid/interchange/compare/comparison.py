"""The comparison: everybody is started, looks and learns, then they take steps in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.compare.agreement import TYPES, Row, decisions, rows_of
from pellucid.interchange.compare.frameworks import FRAMEWORKS, OURS, Framework
from pellucid.interchange.compare.job import Job
from pellucid.interchange.compare.look import Look
from pellucid.interchange.compare.process import Worker, WorkerError, environment
from pellucid.interchange.compare.source import Explained, explained
from pellucid.interchange.safetensors import save
from pellucid.layers import Layer
from pellucid.types import Array

_REST = 0.3
"""Seconds between two turns: threads that spin for a while before they sleep are asleep then."""


@dataclass(frozen=True)
class Settings:
    """How it is compared: see `compare`."""

    batch_size: int = 64
    steps: int = 20
    threads: int = 2
    rate: float = 0.002
    momentum: float = 0.9
    turns: int = 5
    seconds: float = 0.5


@dataclass(frozen=True)
class Entry:
    """What was measured of one framework.

    Attributes
    ----------
    title, version
        Its name, and which it was.
    losses
        Of each training step, before its update.
    seconds
        Of a step: the median of each turn.
    memory
        By how many bytes the process grew at most, from before the network was built to the end of
        training.
    calls
        Its layers, as one would write them, by our paths.
    """

    title: str
    version: str
    losses: list[float]
    memory: int
    calls: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    @property
    def milliseconds(self) -> tuple[float, float, float]:
        """Median, least and most over the turns."""
        times = [1000 * value for value in self.seconds]
        return median(times), min(times), max(times)


@dataclass(frozen=True)
class Comparison:
    """One network in several frameworks.

    Attributes
    ----------
    model, data, settings
        What was compared.
    entries
        By the framework's name, ours first.
    missing
        What to do to get a framework that is not installed, or why it cannot build this network.
    rows
        How far outputs, activations and gradients are apart.
    decided
        How many values rounding put on the other side of a kink than ours, by framework.
    explained
        The lines of code that compute each layer.
    """

    model: str
    data: str
    settings: Settings
    entries: dict[str, Entry]
    missing: dict[str, str]
    rows: list[Row]
    decided: dict[str, int]
    explained: list[Explained]

    @property
    def others(self) -> list[str]:
        """The frameworks besides ours."""
        return [name for name in self.entries if name != OURS.name]

    @property
    def equal(self) -> bool:
        """Whether all that was compared is equal to rounding."""
        return all(row.equal(name) for row in self.rows for name in row.differences)

    def largest(self, kind: str, framework: str, dtype: str) -> float:
        """Return the largest relative difference of one kind."""
        found = [row.differences[framework] for row in self.rows if row.kind == kind]
        return max((by_type[dtype].relative for by_type in found), default=0.0)

    def describe(self) -> dict[str, Any]:
        """Return it as plain data."""
        described = asdict(self)
        for row, plain in zip(self.rows, described["rows"], strict=True):
            plain["equal"] = {name: row.equal(name) for name in row.differences}
        return described | {"equal": self.equal}


def compare(
    model: Layer,
    images: Array,
    labels: Array,
    *,
    model_name: str = "model",
    data_name: str = "data",
    settings: Settings | None = None,
    frameworks: Sequence[Framework] = FRAMEWORKS,
    say: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Give the same weights and the same batches to each framework, and return what came of it.

    Each framework runs in a process of its own. It takes `steps` steps of SGD with momentum; looks,
    in float32 and in float64, at the outputs, every layer's activations and every parameter's
    gradient of the first batch; then takes steps turn and turn about with the others, which are
    timed. Dropout is left out, as everybody draws other numbers.

    Parameters
    ----------
    model
        A classifier whose outputs are scores; it is not changed.
    images, labels
        What it is given, float32 and preprocessed, (N, C, H, W), and (N,).
    settings
        Batch size, steps, threads, rate and momentum of SGD, turns and the seconds of a turn.
    frameworks
        Which; those that are not installed are left out, and `Comparison.missing` says so.
    say
        Is told what is being done.
    """
    chosen = settings or Settings()
    missing = {f.name: _how_to_get(f) for f in frameworks if not f.installed}
    if len(images) < chosen.batch_size:
        raise PellucidError(f"a batch of {chosen.batch_size} needs as many images: {len(images)}")
    same = _without_dropout(model)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        save(same, Path(folder) / "model.safetensors")
        _save_batches(Path(folder), images, labels, chosen)
        workers: dict[str, tuple[Worker, Entry]] = {}
        for framework in frameworks:
            if framework.name in missing:
                continue
            say(f"{framework.title}: builds the network, trains it, and is examined")
            worker = stack.enter_context(_start(framework, folder, chosen))
            try:
                ready = worker.ready()
            except WorkerError as error:
                if framework is OURS:
                    raise
                missing[framework.name] = str(error)
                continue
            entry = Entry(framework.title, ready["version"], ready["losses"], ready["memory"])
            entry.calls.update(ready["calls"])
            workers[framework.name] = worker, entry
        looks = {dtype: _looks(Path(folder), workers, dtype) for dtype in TYPES}
        for turn in range(chosen.turns):
            say(f"steps are timed: turn {turn + 1} of {chosen.turns}")
            for worker, entry in workers.values():
                sleep(_REST)
                entry.seconds.append(median(worker.work(chosen.seconds)))
    return Comparison(
        model_name,
        data_name,
        chosen,
        {name: entry for name, (_, entry) in workers.items()},
        missing,
        rows_of(looks, OURS.name),
        decisions(looks, OURS.name),
        explained(same, images[:2].astype(np.float64)),
    )


def _start(framework: Framework, folder: str, chosen: Settings) -> Worker:
    job = Job(framework.name, folder, chosen.threads, chosen.rate, chosen.momentum)
    return Worker(
        framework.name,
        "pellucid.interchange.compare.worker",
        job.to_json(),
        Path(folder),
        environment(chosen.threads),
    )


def _how_to_get(framework: Framework) -> str:
    return (
        f"{framework.title} is not installed; get it with: "
        f'pip install "pellucid[{framework.extra}]"'
    )


def _without_dropout(model: Layer) -> Layer:
    """Return a copy in float32 whose dropouts leave nothing out."""
    copy = nn.build(model.describe())
    copy.load_state_dict(model.state_dict())
    for _, layer in copy.walk():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return copy.astype("float32")


def _save_batches(folder: Path, images: Array, labels: Array, settings: Settings) -> None:
    """Write one batch for each step; where there are too few images, they come again."""
    shape = settings.steps, settings.batch_size
    chosen = np.arange(shape[0] * shape[1]) % (len(images) - len(images) % settings.batch_size)
    arrays: dict[str, Array] = {
        "images": images[chosen].reshape(*shape, *images.shape[1:]).astype(np.float32),
        "targets": labels[chosen].reshape(shape).astype(np.int64),
    }
    save_file(arrays, folder / "batches.safetensors")


def _looks(folder: Path, names: Mapping[str, Any], dtype: str) -> dict[str, Look]:
    return {name: Look.load(folder / f"{name}-{dtype}.safetensors") for name in names}
