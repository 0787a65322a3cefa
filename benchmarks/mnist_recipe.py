"""From the start of a process to a trained and tested network: MNIST, here and in PyTorch.

    python -m benchmarks.mnist_recipe [TURNS]

Turn and turn about, each in a process of its own: ``pellucid train mnist --no-report`` as a user
calls it (it also keeps checkpoints), and the same recipe as a plain PyTorch script: the same
network, batches of 64, AdamW, one cycle, 3 epochs, batches cut from one tensor in memory, and a
test at the end. PyTorch runs eagerly, once in NCHW and once with channels last. Caches are warm:
the first turn does not count.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from pellucid import data
from pellucid.runtime import threads

WAYS = ("pellucid", "PyTorch, NCHW", "PyTorch, channels last")


def main(turns: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        parts = data.load("mnist")
        assert parts.test is not None
        arrays = Path(folder) / "mnist.npz"
        np.savez(
            arrays, x=parts.train.images, t=parts.train.labels,
            test_x=parts.test.images, test_t=parts.test.labels,
        )  # fmt: skip
        for turn in range(turns + 1):
            for way in WAYS:
                seconds, accuracy = run(command(way, arrays, Path(folder) / f"run{turn}"))
                if turn:
                    found[way].append((seconds, accuracy))
                    print(f"{way:24} {seconds:6.1f} s   {accuracy:.2%}", flush=True)
    ours = median(seconds for seconds, _ in found["pellucid"])
    for way in WAYS[1:]:
        theirs = median(seconds for seconds, _ in found[way])
        print(f"{way}: {theirs:.1f} s, {theirs / ours:.2f} times as long as {ours:.1f} s")


def command(way: str, arrays: Path, run_folder: Path) -> list[str]:
    if way == "pellucid":
        train = [sys.executable, "-P", "-m", "pellucid", "train", "mnist", "--no-report"]
        return [*train, "--out", str(run_folder)]
    script = Path(__file__).with_name("mnist_in_pytorch.py")
    return [
        sys.executable,
        str(script),
        str(arrays),
        way.rpartition(" ")[2],
        str(threads.granted()),
    ]


def run(line: list[str]) -> tuple[float, float]:
    """Return the seconds of a process and the test accuracy that it printed."""
    began = time.perf_counter()
    done = subprocess.run(line, check=True, capture_output=True, text=True, env=dict(os.environ))
    seconds = time.perf_counter() - began
    (accuracy,) = re.findall(r"Test accuracy (\d+\.\d+) ?%", done.stdout)
    return seconds, float(accuracy) / 100


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 3)
