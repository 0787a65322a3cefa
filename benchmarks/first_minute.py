"""The first minute: how long a new user waits, with an empty cache folder each time.

    python -m benchmarks.first_minute [--runs 5] [--wheel dist/pellucid_kernels-….whl] [LINE …]

Pellucid is installed into an environment of its own, as ``pip install ".[app]"`` does it, and what
is measured runs in processes of its own. Medians of wall time and of processor time (of the process
and all that it started) are printed, and the best wall time. On a busy machine only the processor
time counts. PyTorch must be installed where this program runs.

==================  ===============================================================================
``digits``          ``pellucid train digits``: from process start to the first finished epoch
``vgg-small``       from process start to the first training step done
``…-wheel``         the same with the wheel installed (`--wheel`)
``…-again``         the same with the kernels of a run before
``torch``           vgg-small in PyTorch, eager
``torch-compile``   the same with `torch.compile` and an empty cache of its own
``make-train``      `make train` in a copy of the tree: install, compile and train
==================  ===============================================================================

With ``--write`` the table is written into the documentation.
"""

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from benchmarks import pages
from benchmarks.process import ROOT

PAGE = ROOT / "docs" / "how-to" / "shorten-the-first-run.md"
LINES = (
    *("digits", "digits-wheel", "digits-again"),
    *("vgg-small", "vgg-small-wheel", "vgg-small-again", "torch", "torch-compile", "make-train"),
)
PELLUCID_STEP = """
import numpy as np
import pellucid as pl
from benchmarks.networks import CLASSES, NETWORKS
from pellucid import optim
network = NETWORKS["vgg-small"]
model = pl.initialize(network.build(), seed=0)
x = np.random.default_rng(0).normal(size=(64, *network.input_shape)).astype(np.float32)
t = np.arange(64) % CLASSES
optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
for _ in pl.train(model, (x, t), optimizer=optimizer, batch_size=64):
    break
"""
TORCH_STEP = """
import torch
from torch import nn
def block(c, f):
    return [nn.Conv2d(c, f, 3, padding=1, bias=False), nn.BatchNorm2d(f), nn.ReLU()]
layers = [*block(3, 32), *block(32, 32), nn.MaxPool2d(2), *block(32, 64), *block(64, 64)]
layers += [nn.MaxPool2d(2), *block(64, 128), *block(128, 128), nn.MaxPool2d(2), nn.Flatten()]
model = nn.Sequential(*layers, nn.Linear(128 * 16, 10))
run = torch.compile(model) if COMPILE else model
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
x, t = torch.randn(64, 3, 32, 32), torch.arange(64) % 10
nn.functional.cross_entropy(run(x), t).backward()
optimizer.step()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--write", action="store_true", help="write the table into docs")
    parser.add_argument("lines", nargs="*", choices=[*LINES, []], metavar="LINE")
    asked = parser.parse_args()
    table = ["| | median s | best s | processor s |", "| --- | ---: | ---: | ---: |"]
    print("\n".join(table))
    with tempfile.TemporaryDirectory() as folder:
        for line in asked.lines or LINES:
            if line.endswith("-wheel") and asked.wheel is None:
                continue
            measured = Line(line, Path(folder), asked.wheel)
            found = [measured.timed() for _ in range(asked.runs)]
            walls, cpus = zip(*found, strict=True)
            middle, best, cpu = statistics.median(walls), min(walls), statistics.median(cpus)
            table.append(f"| {line} | {middle:.2f} | {best:.2f} | {cpu:.2f} |")
            print(table[-1], flush=True)
            print(*measured.shares, sep="\n", file=sys.stderr, flush=True)
    if asked.write:
        pages.write(PAGE, "first-minute", "\n".join(table))


class Line:
    """One line of the table, and the Python that runs it."""

    def __init__(self, name: str, folder: Path, wheel: Path | None) -> None:
        self.name, self.shares = name, list[str]()
        if name.startswith(("torch", "make")):
            self.python = sys.executable
        else:
            self.python = _installed(folder, wheel if name.endswith("-wheel") else None)
        self.home = folder / "again" if name.endswith("-again") else None
        if self.home is not None:
            self.timed()

    def timed(self) -> tuple[float, float]:
        """Return wall and processor seconds of one run."""
        with tempfile.TemporaryDirectory() as new:
            home = Path(new)
            env = _environment(home if self.home is None else self.home, home)
            before, began = _children(), time.perf_counter()
            if self.name.startswith("digits"):
                command = [self.python, "-m", "pellucid", "train", "digits", "--out"]
                took = _until_first_epoch([*command, str(home / "run")], env, home)
            elif self.name == "make-train":
                self.shares.append(_make_train(home, env))
                took = time.perf_counter() - began
            else:
                code = PELLUCID_STEP
                if self.name.startswith("torch"):
                    code = TORCH_STEP.replace("COMPILE", str(self.name == "torch-compile"))
                command = [self.python, "-c", code]
                subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True)
                took = time.perf_counter() - began
            return took, _children() - before


def _installed(folder: Path, wheel: Path | None) -> str:
    """Return a Python with Pellucid installed, and with the wheel; it is made once."""
    home = folder / ("plain" if wheel is None else "with-wheel")
    python = home / ("Scripts" if platform.system() == "Windows" else "bin") / "python"
    if not home.exists():
        venv.create(home, with_pip=True)
        install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*install, f"{ROOT}[app]", *filter(None, [wheel])], check=True)
    return str(python)


_CHOSEN = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _environment(kernels: Path, new: Path) -> dict[str, str]:
    """Return the environment of somebody who has set nothing."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if name not in _CHOSEN and not name.startswith(("PYTHON", "PELLUCID"))
    }
    return plain | {"PELLUCID_HOME": str(kernels), "TORCHINDUCTOR_CACHE_DIR": str(new)}


def _until_first_epoch(command: list[str], env: dict[str, str], home: Path) -> float:
    """Return how long it took until the run's history had its first epoch; then end it."""
    began, history = time.perf_counter(), home / "run" / "history.csv"
    process = subprocess.Popen(command, env=env, cwd=home, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    while process.poll() is None and not _rows(history):
        time.sleep(0.005)
    took = time.perf_counter() - began
    process.terminate()
    process.wait()
    if not _rows(history):
        raise RuntimeError(f"{' '.join(command)} ended before its first epoch")
    return took


def _rows(history: Path) -> int:
    return history.read_text().count("\n") - 1 if history.exists() else 0


def _make_train(home: Path, env: dict[str, str]) -> str:
    """Do as who has just cloned the repository, and return how long each part took."""
    tree = home / "tree"
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, files):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    times = [time.time()]
    for target in (".venv/.installed-app", "train"):
        subprocess.run(["make", target], cwd=tree, env=env, check=True, capture_output=True)
        times.append(time.time())
    began, installed, done = times
    compiled = max(file.stat().st_mtime for file in home.rglob("*.kernel"))
    return (
        f"make train: install {installed - began:.1f} s, compile {compiled - installed:.1f} s, "
        f"train and report {done - compiled:.1f} s"
    )


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
