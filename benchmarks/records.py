"""Records: how accurate a network becomes in how much time, from the start of a process.

    python -m benchmarks.records cifar10 [--seeds 5] [--first-seed 0] [--recipe NAME] [--threads 1]
    python -m benchmarks.records mnist
    python -m benchmarks.records mnist --recipe fast --pytorch [--epochs 1]
    python -m benchmarks.records write

Each seed is a process of its own, ``pellucid train DATA --recipe NAME``, whose wall and CPU time
count from its start to its end: imports, data, training and the test at the end. Kernels are
compiled before, in a run of one epoch on few images that does not count. With ``--pytorch``, the
script airbench_in_pytorch.py does the same in PyTorch; it can be stopped after some epochs, whose
time then stands for those that are missing. Results are added to
``benchmarks/results/records.json``, one for each recipe and seed; the page ``docs/records.md`` and
its picture are written from them, with `write` alone from those that are there.
"""

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine, versions
from benchmarks.process import ROOT
from benchmarks.records_page import write
from pellucid import data as data_sets
from pellucid import load, models
from pellucid.cli.recipes import NAMED

RESULTS = ROOT / "benchmarks" / "results" / "records.json"
SOURCES = {"cifar10": "cifar-10", "mnist": "mnist", "fashion-mnist": "fashion-mnist"}


@dataclass(frozen=True)
class Result:
    """One seed of a recipe.

    Attributes
    ----------
    data, recipe, seed
        What was trained: ``pellucid train DATA --recipe RECIPE --seed SEED``.
    accuracy, loss
        Of the test images; None if not all epochs were trained, or not known.
    wall, cpu
        Seconds of the process, from its start to its end.
    parameters
        Numbers in the network that are learned or could be.
    command
        The run with all its choices spelled out.
    epochs
        Training loss, accuracy and seconds of each epoch, as in the run's history.
    machine, versions, date
        Where, with what, and when it ran.
    load
        Mean number of running programs in the minute before the end: about 2 on two processors if
        nothing else ran.
    threads
        How many threads it used, beside others; None for one on each processor.
    """

    data: str
    recipe: str
    seed: int
    accuracy: float | None
    loss: float | None
    wall: float
    cpu: float
    parameters: int
    command: str
    epochs: list[dict[str, Any]]
    machine: dict[str, Any]
    versions: dict[str, str]
    date: str
    load: float
    threads: int | None = None


def main() -> None:
    """Run the seeds of the recipes for a data set, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.records")
    parser.add_argument("what", choices=[*SOURCES, "write"])
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them; default 0")
    parser.add_argument(
        "--threads", type=int, help="threads of a run, so that others can run beside it"
    )
    parser.add_argument("--recipe", help="one of the recipes for this data set; all by default")
    parser.add_argument("--pytorch", action="store_true", help="the recipes in PyTorch")
    parser.add_argument("--epochs", type=int, help="with --pytorch: train only so many epochs")
    chosen = parser.parse_args()
    data = SOURCES.get(chosen.what)
    recipes = [name for name, known in NAMED.items() if data in known]
    if chosen.pytorch:
        from benchmarks.airbench_in_pytorch import RECIPES as IN_PYTORCH

        recipes = [name for name in recipes if f"{data} {name}" in IN_PYTORCH]
    if data is not None and (not recipes or chosen.recipe not in (None, *recipes)):
        raise SystemExit(f"the recipes for {data}: {', '.join(recipes) or 'none yet'}")
    for recipe in recipes if chosen.recipe is None else [chosen.recipe]:
        assert data is not None
        if not chosen.pytorch:
            run(data, recipe, 0, "--fraction", "0.05", "--epochs", "1")  # compiles the kernels
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
            if chosen.pytorch:
                result = run_pytorch(data, recipe, seed, chosen.epochs)
            else:
                result = run(data, recipe, seed, threads=chosen.threads)
            save(result)
            print(
                f"{data} {result.recipe} seed {seed}: accuracy {result.accuracy} in "
                f"{result.wall:.1f} s, {result.cpu:.1f} CPU s",
                flush=True,
            )
    write(results())


def run(data: str, recipe: str, seed: int, *more: str, threads: int | None = None) -> Result:
    """Train in a process of its own, and return what it took and what it reached."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        line = [sys.executable, "-P", "-m", "pellucid", "train", data, "--recipe", recipe]
        line += ["--seed", str(seed), *more, "--no-report", "--no-curves", "--out", str(out)]
        line += [] if threads is None else ["--threads", str(threads)]
        wall, cpu, _ = timed(line)
        evaluation = json.loads((out / "evaluation.json").read_text())
        with (out / "history.csv").open(newline="") as file:
            epochs = list(csv.DictReader(file))
        model = load(out)
        return Result(
            data, recipe, seed,
            accuracy=evaluation["accuracy"],
            loss=evaluation["loss"],
            wall=wall,
            cpu=cpu,
            parameters=sum(parameter.value.size for parameter in model.parameters()),
            command=" ".join(line[3:]).replace(str(out), "RUN"),
            epochs=epochs,
            machine=machine(),
            versions=versions(),
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            load=os.getloadavg()[0],
            threads=threads,
        )  # fmt: skip


def run_pytorch(data: str, recipe: str, seed: int, epochs: int | None) -> Result:
    """Run a recipe in PyTorch, of which `epochs` if that is given."""
    parts = data_sets.load(data)
    assert parts.test is not None
    chosen = NAMED[recipe][data]
    model = models.build(chosen.model, parts.train.image_shape, 10)
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "arrays.npz"
        np.savez(
            arrays, x=parts.train.images, t=parts.train.labels,
            test_x=parts.test.images, test_t=parts.test.labels,
        )  # fmt: skip
        script = str(Path(__file__).with_name("airbench_in_pytorch.py"))
        line = [sys.executable, script, str(arrays), data, recipe, str(seed), str(os.cpu_count())]
        wall, cpu, printed = timed([*line, *([str(epochs)] if epochs else [])])
    seconds = [float(found) for found in re.findall(r"epoch \d+: ([\d.]+) s", printed)]
    (accuracy,) = re.findall(r"Test accuracy ([\d.]+)%", printed)
    missing = chosen.epochs - len(seconds)
    whole = (wall + missing * sum(seconds) / len(seconds)) / wall
    return Result(
        data, f"{recipe}, in PyTorch", seed,
        accuracy=None if missing else float(accuracy) / 100,
        loss=None,
        wall=wall * whole,
        cpu=cpu * whole,
        parameters=sum(p.value.size for p in model.parameters()),
        command=" ".join(["benchmarks/airbench_in_pytorch.py", "ARRAYS", *line[3:]]),
        epochs=[{"epoch": str(i), "seconds": str(s)} for i, s in enumerate(seconds, start=1)],
        machine=machine(),
        versions=versions(),
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        load=os.getloadavg()[0],
    )  # fmt: skip


def timed(line: Sequence[str]) -> tuple[float, float, str]:
    """Run a command; return its wall and CPU seconds, and what it printed."""
    with tempfile.TemporaryFile("w+") as log:
        began = time.perf_counter()
        process = subprocess.Popen(line, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        printed = log.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(line)} failed:\n{printed}")
    return wall, used.ru_utime + used.ru_stime, printed


def results() -> list[dict[str, Any]]:
    """Return all results that were kept."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def save(result: Result) -> None:
    """Keep a result in place of an earlier one of the same recipe and seed."""
    new = asdict(result)
    key = ("data", "recipe", "seed")
    others = [old for old in results() if any(old[name] != new[name] for name in key)]
    kept = sorted([*others, new], key=lambda each: [each[name] for name in key])
    RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
