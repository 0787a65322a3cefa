"""Pellucid beside PyTorch, JAX, TensorFlow and ONNX Runtime, on the processors of this machine.

    make bench                                   # on a quiet machine: about 40 minutes on two cores
    python -m benchmarks.run --tasks training --networks lenet --contestants pellucid torch
    python -m benchmarks.run --turns 0 --output none.json    # before it: fills the caches

Everybody begins with the same values and is given the same batches, in float32, with the same
number of threads, each in a process of its own. The processes of a row are all started first; then
they work in turn, A B C A B C …, while the others sleep, so that whatever the machine does in
those minutes it does to all of them. A turn counts by the median of its calls. Losses of the first
training steps and outputs after them have to agree; who differs is marked and does not count.

Without `--contestants`, a task has the variants of PyTorch that are likely to be its best: in
training on 64 and 128 images NCHW never was. Who is far behind another of its family after the
first turn takes no further turns.
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from benchmarks import footprint, machine
from benchmarks.contestants import CONTESTANTS, TASKS, Contestant, invited, present
from benchmarks.measure import Settings, measure, measure_starts
from benchmarks.networks import EVERY, FEW_IMAGES, NETWORKS, OTHER_LAYERS
from benchmarks.process import ROOT, granted_processors
from benchmarks.results import Results, Row

STARTED = ("vgg-small", 64)
"""The network and batch size with which starting time and memory are measured."""
RESULTS = ROOT / "benchmarks" / "results" / "benchmark.json"


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    settings = Settings(options.threads, options.turns, options.seconds)
    results = Results(
        date=datetime.now(UTC).date().isoformat(),
        machine=machine.machine(),
        versions=machine.versions(),
        settings=settings._asdict(),
    )
    for task in (task for task in TASKS if task in options.tasks):
        contestants = _present(options.contestants, task, results)
        if task == "footprint":
            results.imports = footprint.import_seconds()
            results.installed = footprint.installed_bytes()
            results.starts = measure_starts(*STARTED, contestants, settings)
            continue
        for batch, network in rows(task, options):
            kind = "training" if task == "batches" else task
            results.rows.append(measure(kind, network, batch, contestants, settings))
            _tell(results.rows[-1])
            results.save(options.output)  # what was measured is kept if it is interrupted
    results.save(options.output)
    print(f"\nAll figures are in {options.output}")


def rows(task: str, options: argparse.Namespace) -> list[tuple[int, str]]:
    """Return the batch sizes and networks of a task, of the networks asked for."""
    first, *others = options.batch
    found = {
        "training": product([first], NETWORKS),
        "batches": product(others, NETWORKS),
        "few images": [(batch, network) for network, batch in FEW_IMAGES],
        "other layers": product([first], OTHER_LAYERS),
        "inference": product(options.inference_batch, NETWORKS),
    }
    return [row for row in found[task] if row[1] in options.networks]


def _present(names: Sequence[str] | None, task: str, results: Results) -> list[Contestant]:
    """Return who takes part in a task, and note who of them cannot, and why."""
    found, left_out = present(invited(task, names))
    for name in left_out.keys() - results.left_out.keys():
        print(f"{CONTESTANTS[name].label} is left out: {left_out[name]}")
    results.left_out |= left_out
    return found


def _tell(row: Row) -> None:
    print(f"\n{row.task} {row.network}, batch {row.batch}")
    best = row.best("PyTorch")
    for name, entry in row.entries.items():
        line = f"  {CONTESTANTS[name].label:32}"
        if entry.turns:
            low, high = entry.span
            line += f"{1e3 * entry.seconds:9.2f} ms  ({1e3 * low:.2f} to {1e3 * high:.2f})"
        if best is not None and entry.turns:
            line += f"  {row.entries[best].seconds / entry.seconds:6.2f} × PyTorch's best"
        print(line + (f"  {entry.problem}" if entry.problem else ""), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    add = parser.add_argument
    add("--tasks", nargs="+", choices=TASKS, default=TASKS)
    add("--networks", nargs="+", choices=EVERY, default=list(EVERY))
    add("--contestants", nargs="+", choices=CONTESTANTS, help="default: the usual of each task")
    add("--batch", nargs="+", type=int, default=[64, 128, 512], help="batch sizes of training")
    add("--inference-batch", nargs="+", type=int, default=[1, 256])
    add("--threads", type=int, default=granted_processors(), help="of each contestant")
    add("--turns", type=int, default=5, help="of each contestant in each row")
    add("--seconds", type=float, default=0.3, help="how long a turn is, at least")
    add("--output", type=Path, default=RESULTS, help="the file for all figures")
    return parser


if __name__ == "__main__":
    main()
