"""Print how much memory training takes, beside PyTorch, for small batches of photographs.

Run ``python -m benchmarks.training_memory`` from the project's folder. Each row is a process of its
own with one thread. What counts is the most that the process holds during training beyond what it
held with the model built: activations, gradients and the optimiser's state. *Begins* includes the
first eight steps, in which Pellucid captures one; *goes on* is all later steps.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

from safetensors.numpy import load_file, save_file

from benchmarks import memory
from benchmarks.job import Job
from benchmarks.networks import PHOTOGRAPHS, flattened_shapes, initial_state

ROWS = (("resnet18-224", 8), ("resnet50-128", 8))
CONTESTANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "PyTorch": ("torch_", {"channels_last": False, "compile": False, "bf16": None}),
    "PyTorch, channels last": ("torch_", {"channels_last": True, "compile": False, "bf16": None}),
    "Pellucid": ("pellucid_", {"engine": "compiled"}),
    "Pellucid, recomputed": ("pellucid_", {"engine": "compiled", "recompute": True}),
}
_MB = 1 << 20


def main() -> None:
    print("| network, batch | | all | begins | goes on | CPU ms a step |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for network, batch in ROWS:
        for name, (framework, options) in CONTESTANTS.items():
            with tempfile.TemporaryDirectory() as folder:
                job = _job(network, batch, framework, options, Path(folder))
                command = [sys.executable, "-m", "benchmarks.training_memory", job.to_json()]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
            told = json.loads(done.stdout.splitlines()[-1])
            numbers = " | ".join(f"{told[key]:.0f}" for key in ("all", "begins", "goes on", "ms"))
            print(f"| {network}, {batch} | {name} | {numbers} |", flush=True)


def _job(network: str, batch: int, framework: str, options: dict[str, Any], folder: Path) -> Job:
    input_shape, build = PHOTOGRAPHS[network]
    model, state = build(), folder / "state.safetensors"
    save_file(initial_state(model), state)
    flattened = flattened_shapes(model, input_shape)
    return Job(
        framework, options, True, network, model.describe(), input_shape, flattened, str(state),
        batch, threads=1,
    )  # fmt: skip


def work(job: Job) -> None:
    """Train for some steps and print the memory in MB."""
    from importlib import import_module

    from benchmarks.worker import samples

    framework = import_module(f"benchmarks.frameworks.{job.framework}")
    contestant = framework.Contestant(job, load_file(job.state))
    images, targets = samples(job)
    batch = contestant.batch(images[0], targets[0])
    del images
    before, peaks, times = memory.resident() or 0, [], []
    for steps in (8, 8):
        memory.forget_peak()
        for _ in range(steps):
            began = process_time()
            contestant.train(batch)
            times.append(process_time() - began)
        peaks.append(memory.peak())
    begins, goes_on = ((peak - before) / _MB for peak in peaks)
    told = {"all": max(peaks) / _MB, "begins": begins, "goes on": goes_on}
    print(json.dumps(told | {"ms": 1000 * min(times)}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(Job.from_json(sys.argv[1]))
    else:
        main()
