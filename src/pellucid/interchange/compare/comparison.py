"""Compare the frameworks: start a process for each, examine its network, then time its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from pellucid import layers as nn
from pellucid.errors import PellucidError, installing
from pellucid.interchange.compare.agreement import TYPES, Row, decisions, rows_of
from pellucid.interchange.compare.frameworks import FRAMEWORKS, PELLUCID, Framework
from pellucid.interchange.compare.inspection import Inspection
from pellucid.interchange.compare.job import Job
from pellucid.interchange.compare.others import busy_seconds
from pellucid.interchange.compare.process import Worker, WorkerError, environment
from pellucid.interchange.compare.source import Explained, explained
from pellucid.interchange.safetensors import save
from pellucid.layers import Layer
from pellucid.types import Array

_REST = 0.3
"""Pause in seconds between two turns, in which idle threads stop spinning and go to sleep."""


_MEASURABLE = 0.2
"""Seconds from which the system's count of processor time, in hundredths, is precise enough."""


@dataclass(frozen=True)
class Settings:
    """Settings of a comparison.

    Attributes
    ----------
    batch_size
        Images in a batch.
    steps
        Training steps whose losses are recorded.
    threads
        Threads of each framework.
    rate, momentum
        Learning rate and momentum of SGD.
    turns
        How often each framework is timed.
    seconds
        Length of one turn.
    """

    batch_size: int = 64
    steps: int = 20
    threads: int = 2
    rate: float = 0.002
    momentum: float = 0.9
    turns: int = 5
    seconds: float = 0.5


@dataclass(frozen=True)
class Entry:
    """The measurements of one framework.

    Attributes
    ----------
    title, version
        Name and version of the framework.
    losses
        Loss of each training step, before its update.
    memory
        Largest growth of the process in bytes, from before the network is built to the end of
        training.
    calls
        Source text of the framework's layers, by the path of the layer in Pellucid.
    sources
        The framework's own code for each layer's forward pass, by path, and of a training step "".
    seconds
        Seconds per step: the median of each turn.
    others
        How many processors other programs used on average in each turn, where that is known.
    """

    title: str
    version: str
    losses: list[float]
    memory: int
    calls: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    @property
    def milliseconds(self) -> tuple[float, float, float]:
        """Median, shortest and longest time of a step over the turns."""
        times = [1000 * value for value in self.seconds]
        return median(times), min(times), max(times)


@dataclass(frozen=True)
class Comparison:
    """The result of comparing one network in several frameworks.

    Attributes
    ----------
    model, data
        Names of the model and of the data.
    settings
        Settings of the comparison.
    entries
        Measurements of each framework by its name, Pellucid first.
    missing
        For each framework left out: how to install it, or why it cannot build this network.
    rows
        Differences of outputs, activations and gradients.
    decided
        By framework, the number of activations that rounding put on the other side of 0.
    explained
        The source code that computes each layer.
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
        """The frameworks other than Pellucid."""
        return [name for name in self.entries if name != PELLUCID.name]

    @property
    def equal(self) -> bool:
        """Whether all quantities agree up to rounding."""
        return all(row.equal(name) for row in self.rows for name in row.differences)

    @property
    def busy(self) -> float | None:
        """How many processors other programs used while the steps were timed, or None."""
        seen = [used for entry in self.entries.values() for used in entry.others]
        return median(seen) if seen else None

    def largest(self, kind: str, framework: str, dtype: str) -> float:
        """Return the largest relative difference of one kind of quantity."""
        found = [row.differences[framework] for row in self.rows if row.kind == kind]
        return max((by_type[dtype].relative for by_type in found), default=0.0)

    def describe(self) -> dict[str, Any]:
        """Return the comparison as a dictionary of plain values."""
        described = asdict(self)
        for row, plain in zip(self.rows, described["rows"], strict=True):
            plain["equal"] = {name: row.equal(name) for name in row.differences}
        for entry in described["entries"].values():
            del entry["sources"]  # code of the frameworks, which is long
        return described | {"equal": self.equal, "busy": self.busy}


def compare(
    model: Layer,
    images: Array,
    labels: Array,
    *,
    model_name: str = "model",
    data_name: str = "data",
    settings: Settings | None = None,
    frameworks: Sequence[Framework] = FRAMEWORKS,
    progress: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Run a model in several frameworks with the same weights and batches, and compare the results.

    Each framework runs in its own process. It first takes ``settings.steps`` steps of SGD with
    momentum. Then it records, in float32 and in float64, the outputs, the activations of every
    layer and the gradient of every parameter for the first batch. Last, the frameworks take turns
    at timed steps. Dropout is switched off, because frameworks draw different random numbers.

    Parameters
    ----------
    model
        Classifier that returns scores (logits). It is not changed.
    images
        Preprocessed float32 images of shape (N, C, H, W), at least one batch.
    labels
        Class indices of shape (N,).
    model_name, data_name
        Names shown in the report.
    settings
        Batch size, number of steps, threads, learning rate and so on; defaults of `Settings` if
        not given.
    frameworks
        Frameworks to compare. Those not installed are skipped and listed in `Comparison.missing`.
    progress
        Function called with a line of text whenever a new stage begins; silent by default.

    Returns
    -------
    Comparison
        Measurements and differences; `html` and `markdown` make a page of them.
    """
    chosen = settings or Settings()
    missing = {f.name: _how_to_get(f) for f in frameworks if not f.installed}
    if len(images) < chosen.batch_size:
        raise PellucidError(
            f"the batch size is {chosen.batch_size}, but there are only {len(images)} images"
        )
    same = _without_dropout(model)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        save(same, Path(folder) / "model.safetensors")
        _save_batches(Path(folder), images, labels, chosen)
        workers: dict[str, tuple[Worker, Entry]] = {}
        for framework in frameworks:
            if framework.name in missing:
                continue
            progress(f"{framework.title}: building, training and examining the network")
            worker = stack.enter_context(_start(framework, folder, chosen))
            try:
                ready = worker.ready()
            except WorkerError as error:
                if framework is PELLUCID:
                    raise
                missing[framework.name] = str(error)
                continue
            entry = Entry(framework.title, ready["version"], ready["losses"], ready["memory"])
            entry.calls.update(ready["calls"])
            entry.sources.update(ready["sources"])
            workers[framework.name] = worker, entry
        inspections = {dtype: _inspections(Path(folder), workers, dtype) for dtype in TYPES}
        for turn in range(chosen.turns):
            progress(f"timing the steps: turn {turn + 1} of {chosen.turns}")
            for worker, entry in workers.values():
                sleep(_REST)
                _time(worker, entry, chosen.seconds)
    return Comparison(
        model_name,
        data_name,
        chosen,
        {name: entry for name, (_, entry) in workers.items()},
        missing,
        rows_of(inspections, PELLUCID.name),
        decisions(inspections, PELLUCID.name),
        explained(same, images[:2].astype(np.float64)),
    )


def _time(worker: Worker, entry: Entry, seconds: float) -> None:
    """Let a worker take steps for some seconds, and note what other programs do meanwhile."""
    began, before = perf_counter(), busy_seconds()
    answer = worker.work(seconds)
    entry.seconds.append(median(answer["seconds"]))
    wall = perf_counter() - began
    if wall > _MEASURABLE and before is not None and (after := busy_seconds()) is not None:
        used = after - before - answer["processor_seconds"]
        entry.others.append(max(used / wall, 0.0))


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
    command = installing(framework.extra or "app")
    return f"{framework.title} is not installed; install it with: {command}"


def _without_dropout(model: Layer) -> Layer:
    """Return a float32 copy of the model in which every dropout has p = 0."""
    copy = nn.build(model.describe())
    copy.load_state_dict(model.state_dict())
    for _, layer in copy.walk():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return copy.astype("float32")


def _save_batches(folder: Path, images: Array, labels: Array, settings: Settings) -> None:
    """Write one batch per step, starting again from the first image when all are used."""
    shape = settings.steps, settings.batch_size
    chosen = np.arange(shape[0] * shape[1]) % (len(images) - len(images) % settings.batch_size)
    arrays: dict[str, Array] = {
        "images": images[chosen].reshape(*shape, *images.shape[1:]).astype(np.float32),
        "targets": labels[chosen].reshape(shape).astype(np.int64),
    }
    save_file(arrays, folder / "batches.safetensors")


def _inspections(folder: Path, names: Mapping[str, Any], dtype: str) -> dict[str, Inspection]:
    return {name: Inspection.load(folder / f"{name}-{dtype}.safetensors") for name in names}
