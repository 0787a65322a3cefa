"""One row of the benchmark: all contestants are started, then they take turns."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from safetensors.numpy import save_file

from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.job import Array, Job
from benchmarks.networks import EVERY, flattened_shapes, initial_state
from benchmarks.process import granted_processors, start
from benchmarks.results import Entry, Row, Start, Turn
from pellucid.interchange.compare.others import busy_seconds
from pellucid.interchange.compare.process import Worker, WorkerError

REST = 0.2
"""Seconds between two turns: threads that spin for a while before they sleep are asleep then."""
BEHIND = 1.3
"""Who is so many times slower than its family's best takes no further turns."""
STARTS = 3
"""How often a process is started to see how long that takes."""


class Settings(NamedTuple):
    """How it is measured: the processors of each contestant, its turns and their length."""

    threads: int
    turns: int
    seconds: float


def measure(
    task: str,
    network: str,
    batch: int,
    contestants: list[Contestant],
    settings: Settings,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Row:
    """Return the row of these contestants; who fails is in it with the reason.

    Their processes have `environment` beside what everybody has.
    """
    row = Row(task, network, batch, {contestant.name: Entry() for contestant in contestants})
    with TemporaryDirectory() as folder, ExitStack() as stack:
        workers: dict[str, Worker] = {}
        outputs: dict[str, Array] = {}
        started = {
            name: stack.enter_context(start(name, job, Path(folder), environment))
            for name, job in _jobs(task, network, batch, contestants, settings, Path(folder))
        }
        for name, worker in started.items():
            try:
                ready = worker.ready()
            except WorkerError as error:
                row.entries[name].problem = error.said
                continue
            workers[name], outputs[name] = worker, np.array(ready["outputs"])
            row.entries[name].start = Start(ready["first"] - worker.started)
            row.entries[name].losses = ready["losses"]
        row.compare(outputs)
        for turn in range(settings.turns):
            for name, worker in workers.items():
                if turn == 0 or not _is_behind(row, name):
                    _take_turn(worker, row.entries[name], settings.seconds)
    return row


def _is_behind(row: Row, name: str) -> bool:
    """Return whether another of the same family was much faster in the first turn."""
    best = row.best(CONTESTANTS[name].family)
    if best is None or not row.entries[name].turns:
        return False
    first, other = row.entries[best].turns[0], row.entries[name].turns[0]
    return other.seconds > BEHIND * first.seconds


def measure_starts(
    network: str, batch: int, contestants: list[Contestant], settings: Settings
) -> dict[str, list[Start]]:
    """Start each contestant several times, in turns, and let it train for a turn."""
    starts: dict[str, list[Start]] = {contestant.name: [] for contestant in contestants}
    for turn in range(STARTS + 1):
        for contestant in contestants:
            once = Settings(settings.threads, turns=1, seconds=settings.seconds)
            row = measure("training", network, batch, [contestant], once)
            found = row.entries[contestant.name].start
            if turn and found is not None:  # the first fills the caches on disk
                starts[contestant.name].append(found)
    return starts


def _jobs(
    task: str,
    network: str,
    batch: int,
    contestants: list[Contestant],
    settings: Settings,
    folder: Path,
) -> Iterator[tuple[str, Job]]:
    input_shape, build = EVERY[network]
    model = build()
    state = folder / "state.safetensors"
    save_file(initial_state(model), state)
    for contestant in contestants:
        yield (
            contestant.name,
            Job(
                framework=contestant.framework,
                options=contestant.options,
                training=task != "inference",
                network=network,
                description=model.describe(),
                input_shape=input_shape,
                flattened=flattened_shapes(model, input_shape),
                state=str(state),
                batch=batch,
                threads=settings.threads,
            ),
        )


def _take_turn(worker: Worker, entry: Entry, seconds: float) -> None:
    if entry.problem is not None:
        return
    time.sleep(REST)
    began, busy = time.perf_counter(), busy_seconds()
    try:
        done = worker.work(seconds)
    except WorkerError as error:
        entry.problem = error.said
        return
    elapsed = time.perf_counter() - began
    others = None
    if busy is not None:
        spent = (busy_seconds() or 0.0) - busy - done["processor_seconds"]
        others = max(0.0, round(spent / elapsed / granted_processors(), 3))
    times = done["seconds"]
    entry.turns.append(Turn(len(times), median(times), min(times), others))
    assert entry.start is not None
    entry.start.imported, entry.start.peak = done["memory"]["imported"], done["memory"]["peak"]
