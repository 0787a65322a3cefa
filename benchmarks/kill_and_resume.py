"""Kill a training run again and again, resume it each time, and compare with one never interrupted.

    python benchmarks/kill_and_resume.py [KILLS]

A network with batch normalisation and dropout learns the handwritten digits, with augmentation,
AdamW, a schedule and an average of its weights, and saves a checkpoint every 0.05 seconds. It is
killed (SIGKILL) at random moments, 20 if nothing else is said, and resumed, and then runs to its
end. All its values and its history have to be those of the uninterrupted run, to the last bit.
"""

import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from pellucid import data, layers, losses, optim
from pellucid.data.augment import RandomCrop
from pellucid.optim import schedules
from pellucid.training import TrainingState, records, resume, save_checkpoints
from pellucid.training.checkpoint import checkpoint_path

EPOCHS = 20
TIMES = ("seconds", "images_per_second")


def network() -> layers.Layer:
    return layers.Sequential(
        layers.Conv2d(1, 16, 3, padding=1),
        layers.BatchNorm2d(16),
        layers.ReLU(),
        layers.Conv2d(16, 16, 3, padding=1),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Linear(256, 10),
    )


def new_state() -> TrainingState:
    model = network()
    return TrainingState(
        model,
        optim.AdamW(model.parameters(), lr=0.002),
        losses.CrossEntropy(label_smoothing=0.1),
        batch_size=16,
        epochs=EPOCHS,
        schedule=schedules.OneCycle(),
        augment=RandomCrop(1),
        seed=1,
        averages=optim.ExponentialMovingAverage(dict(model.named_state()), decay=0.99),
    )


def run(folder: Path) -> None:
    """Start or continue the run in `folder`, and print what it comes to."""
    train, validation = data.load("digits").train.split(0.2, seed=0)
    if checkpoint_path(folder).exists():
        state = resume(folder, train, validation, augment=RandomCrop(1))
    else:
        state = new_state()
    print(f"at epoch {state.epoch + 1}, step {state.step + 1}", flush=True)
    for _ in save_checkpoints(records(state, train, validation), state, folder, every=0.05):
        pass
    print(outcome(state))


def outcome(state: TrainingState) -> str:
    """Return a hash of all values and of the history without its times, and the last epoch."""
    assert state.averages is not None
    assert state.best is not None
    digest = hashlib.sha256()
    parts = (state.model, state.optimizer, state.averages)
    for values in (*(part.state_dict() for part in parts), state.best.values):
        for name, value in sorted(values.items()):
            digest.update(f"{name} {value.dtype} {value.shape}".encode() + value.tobytes())
    for epoch in state.history:
        told = {name: value for name, value in asdict(epoch).items() if name not in TIMES}
        digest.update(json.dumps(told).encode())
    return f"{digest.hexdigest()} {state.history[-1]}"


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start or continue the run in `folder`; return the process and where it began."""
    command = [sys.executable, __file__, "--run", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def finish(folder: Path) -> tuple[str, float]:
    """Run to the end; return the hash and the time that it took."""
    process, _ = start(folder)
    began = time.perf_counter()
    digest, epoch = process.communicate()[0].split(" ", 1)
    print(f"    {epoch.strip()}\n    SHA-256 of all values and the history: {digest}")
    return digest, time.perf_counter() - began


def main(kills: int) -> int:
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as broken:
        print("Never interrupted:")
        expected, seconds = finish(Path(whole))
        for kill in range(1, kills + 1):
            process, position = start(Path(broken))
            delay = random.uniform(0, seconds / kills)
            time.sleep(delay)
            process.kill()
            process.wait()
            print(f"{kill:3}. {position}, killed after {delay:.3f} s")
        print(f"Killed {kills} times and resumed:")
        same = finish(Path(broken))[0] == expected
    print("The same to the last bit." if same else "NOT the same.")
    return 0 if same else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(Path(sys.argv[2]))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
