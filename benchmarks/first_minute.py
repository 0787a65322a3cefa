"""The first minute: how long a new user waits, with an empty cache folder each time.

    python -m benchmarks.first_minute [--runs 5] [--wheel dist/pellucid_kernels-….whl] [LINE …]

Each line is run in processes of its own; medians of wall time and of processor time (of the process
and all that it started) are printed, and the best wall time. On a busy machine only the processor
time counts.

======================  ===========================================================================
``digits``              ``pellucid train digits``: from process start to the first finished epoch
``digits-wheel``        the same with the wheel installed (`--wheel`)
``vgg-small``           from process start to the first training step done, and with the wheel
``torch``               the same network in PyTorch, eager
``torch-compile``       the same in PyTorch with `torch.compile` and an empty cache of its own
``make-train``          `make train` in a copy of the tree: install, compile and train (minutes)
======================  ===========================================================================
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent

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
    parser.add_argument("lines", nargs="*", help="all that can be run", default=[])
    asked = parser.parse_args()
    chosen = asked.lines or ["digits", "digits-wheel", "vgg-small", "vgg-small-wheel"]
    chosen = chosen if asked.lines else [*chosen, "torch", "torch-compile", "make-train"]
    print("| | median s | best s | processor s |\n| --- | ---: | ---: | ---: |")
    for line in chosen:
        if line.endswith("wheel") and asked.wheel is None:
            continue
        with _python(asked.wheel if line.endswith("wheel") else None) as python:
            found = [_timed(line, python) for _ in range(asked.runs)]
        walls, cpus = zip(*found, strict=True)
        middle, best, cpu = statistics.median(walls), min(walls), statistics.median(cpus)
        print(f"| {line} | {middle:.2f} | {best:.2f} | {cpu:.2f} |", flush=True)


@contextmanager
def _python(wheel: Path | None) -> Iterator[str]:
    """Yield this Python, or one that has the wheel besides what this one has."""
    if wheel is None:
        yield sys.executable
        return
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, symlinks=True)
        python = Path(folder, "bin", "python")
        places = [path for path in sys.path if path.endswith("site-packages")]
        (own,) = Path(folder).glob("lib/python*/site-packages")
        # site reads their .pth files too, and so finds Pellucid itself
        lines = [f"import site; site.addsitedir({place!r})" for place in places]
        (own / "others.pth").write_text("\n".join(lines) + "\n")
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(own)]
        subprocess.run([*pip, str(wheel)], check=True)
        yield str(python)


def _timed(line: str, python: str) -> tuple[float, float]:
    """Return wall and processor seconds of one run with an empty cache folder."""
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | {
            "PELLUCID_HOME": home, "TORCHINDUCTOR_CACHE_DIR": home, "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        before, began = _children(), time.perf_counter()
        if line.startswith("digits"):
            command = [python, "-m", "pellucid", "train", "digits", "--out", f"{home}/run"]
            took = _until_first_epoch(command, env, home)
        elif line == "make-train":
            _make_train(home, env)
            took = time.perf_counter() - began
        else:
            code = PELLUCID_STEP
            if line.startswith("torch"):
                code = TORCH_STEP.replace("COMPILE", str(line == "torch-compile"))
            subprocess.run([python, "-c", code], env=env, check=True, capture_output=True)
            took = time.perf_counter() - began
        return took, _children() - before


def _until_first_epoch(command: list[str], env: dict[str, str], home: str) -> float:
    """Return how long it took until the run's history had its first epoch; then end it."""
    began, history = time.perf_counter(), Path(home, "run", "history.csv")
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


def _make_train(home: str, env: dict[str, str]) -> None:
    tree = Path(home, "tree")
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, files):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    clean = {key: value for key, value in env.items() if key != "PYTHONPATH"}
    for target in (".venv/.installed-app", "train"):  # its shares
        began = time.perf_counter()
        subprocess.run(["make", target], cwd=tree, env=clean, check=True, capture_output=True)
        print(f"make {target}: {time.perf_counter() - began:.1f} s", file=sys.stderr)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
