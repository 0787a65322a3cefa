"""How much memory training takes, beside PyTorch; a table for the documentation.

    python -m benchmarks.training_memory [--networks lenet …]

Each figure is of a process of its own with one thread. What counts is the most that the process
holds during training beyond what it held with the model built: activations, gradients and the
optimiser's state. *First steps* are the first eight, in which Pellucid captures one; *later* is
what follows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from benchmarks import memory, pages
from benchmarks.job import Job
from benchmarks.machine import machine
from benchmarks.networks import EVERY, NETWORKS, OTHER_LAYERS, flattened_shapes, initial_state
from benchmarks.process import ROOT
from pellucid.interchange.compare import process

PAGE = ROOT / "docs" / "compiled-engine.md"
ROWS = {
    **dict.fromkeys(NETWORKS, 64),
    **dict.fromkeys(OTHER_LAYERS, 64),
    "resnet18-64": 32,
    "resnet18-224": 8,
    "resnet50-128": 8,
}
"""Networks, and the batch sizes with which they are trained."""
CONTESTANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "PyTorch, NCHW": ("torch_", {"channels_last": False, "compile": False, "bf16": None}),
    "PyTorch, channels last": ("torch_", {"channels_last": True, "compile": False, "bf16": None}),
    "Pellucid": ("pellucid_", {"engine": "compiled"}),
    "Pellucid, recomputed": ("pellucid_", {"engine": "compiled", "recompute": True}),
}
_MB = 1 << 20


def main(networks: list[str]) -> None:
    heads = ["network", "batch"]
    heads += [f"{name}, {when}" for name in CONTESTANTS for when in ("first steps", "later")]
    lines = []
    for network in networks:
        figures: list[str] = []
        for framework, options in CONTESTANTS.values():
            told = _measured(network, ROWS[network], framework, options)
            figures += [f"{told[key]:.0f}" for key in ("first", "later")]
        lines.append([network, str(ROWS[network]), *figures])
        print(*lines[-1], sep=" | ", flush=True)
    about = (
        "Megabytes that a process holds at most, beyond what it held with the model built. "
        f"{machine()['processor']}, one thread, {datetime.now(UTC).date().isoformat()}. Written by "
        "`python -m benchmarks.training_memory`."
    )
    pages.write(PAGE, "memory", f"{about}\n\n{pages.table(heads, lines)}")


def _measured(
    network: str, batch: int, framework: str, options: dict[str, Any]
) -> dict[str, float]:
    """Return the megabytes of one process."""
    with tempfile.TemporaryDirectory() as folder:
        job = _job(network, batch, framework, options, Path(folder))
        command = [sys.executable, "-m", "benchmarks.training_memory", "--job", job.to_json()]
        environment = os.environ | process.environment(1)
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _job(network: str, batch: int, framework: str, options: dict[str, Any], folder: Path) -> Job:
    input_shape, build = EVERY[network]
    model, state = build(), folder / "state.safetensors"
    save_file(initial_state(model), state)
    flattened = flattened_shapes(model, input_shape)
    return Job(
        framework, options, True, network, model.describe(), input_shape, flattened, str(state),
        batch, threads=1,
    )  # fmt: skip


def work(job: Job) -> None:
    """Train for some steps and print the memory in MB."""
    from benchmarks.worker import samples

    framework = import_module(f"benchmarks.frameworks.{job.framework}")
    contestant = framework.Contestant(job, load_file(job.state))
    images, targets = samples(job)
    batch = contestant.batch(images[0], targets[0])
    del images
    before, peaks = memory.resident() or 0, []
    for _ in range(2):
        memory.forget_peak()
        for _ in range(8):
            contestant.train(batch)
        peaks.append((memory.peak() - before) / _MB)
    print(json.dumps(dict(zip(("first", "later"), peaks, strict=True))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--job", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.job:
        work(Job.from_json(asked.job))
    else:
        main(asked.networks)
