"""Records: how accurate a network becomes in how much time, from the start of a process.

    python -m benchmarks.records cifar10 [--seeds 5] [--recipe NAME]
    python -m benchmarks.records mnist
    python -m benchmarks.records write

Each seed is a process of its own, ``pellucid train DATA --recipe NAME``, whose wall and CPU time
count from its start to its end: imports, data, training and the test at the end. Kernels are
compiled before, in a run of one epoch on few images that does not count. Results are added to
``benchmarks/results/records.json``, one for each recipe and seed; the page ``docs/records.md`` and
its picture are written from them, with `write` alone from those that are there.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import machine, versions
from benchmarks.process import ROOT
from benchmarks.records_page import write
from pellucid import load
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
        Of the test images.
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
    """

    data: str
    recipe: str
    seed: int
    accuracy: float
    loss: float
    wall: float
    cpu: float
    parameters: int
    command: str
    epochs: list[dict[str, Any]]
    machine: dict[str, Any]
    versions: dict[str, str]
    date: str
    load: float


def main() -> None:
    """Run the seeds of the recipes for a data set, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.records")
    parser.add_argument("what", choices=[*SOURCES, "write"])
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 on")
    parser.add_argument("--recipe", help="one of the recipes for this data set; all by default")
    chosen = parser.parse_args()
    data = SOURCES.get(chosen.what)
    recipes = [name for name, known in NAMED.items() if data in known]
    if data is not None and (not recipes or chosen.recipe not in (None, *recipes)):
        raise SystemExit(f"the recipes for {data}: {', '.join(recipes) or 'none yet'}")
    for recipe in recipes if chosen.recipe is None else [chosen.recipe]:
        assert data is not None
        run(data, recipe, 0, "--fraction", "0.05", "--epochs", "1")  # compiles the kernels
        for seed in range(chosen.seeds):
            result = run(data, recipe, seed)
            save(result)
            print(
                f"{data} {recipe} seed {seed}: {result.accuracy:.2%} in {result.wall:.1f} s, "
                f"{result.cpu:.1f} CPU s",
                flush=True,
            )
    write(results())


def run(data: str, recipe: str, seed: int, *more: str) -> Result:
    """Train in a process of its own, and return what it took and what it reached."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        line = [sys.executable, "-P", "-m", "pellucid", "train", data, "--recipe", recipe]
        line += ["--seed", str(seed), *more, "--no-report", "--no-curves", "--out", str(out)]
        log = Path(folder) / "log"
        began = time.perf_counter()
        with log.open("w") as file:
            process = subprocess.Popen(line, stdout=file, stderr=file)
            _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(line)} failed:\n{log.read_text()}")
        evaluation = json.loads((out / "evaluation.json").read_text())
        with (out / "history.csv").open(newline="") as file:
            epochs = list(csv.DictReader(file))
        model = load(out)
        return Result(
            data, recipe, seed,
            accuracy=evaluation["accuracy"],
            loss=evaluation["loss"],
            wall=wall,
            cpu=used.ru_utime + used.ru_stime,
            parameters=sum(parameter.value.size for parameter in model.parameters()),
            command=" ".join(line[3:]).replace(str(out), "RUN"),
            epochs=epochs,
            machine=machine(),
            versions=versions(),
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            load=os.getloadavg()[0],
        )  # fmt: skip


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
