"""A short training run that uses every feature; as a program, it can kill itself.

    python small_run.py FOLDER [N]

starts the run in FOLDER, or continues it, with a checkpoint after every step. With N, the program
kills itself while writing the N-th checkpoint.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import layers as nn
from pellucid import optim
from pellucid.data import DataSet
from pellucid.data.augment import Compose, Mixup, RandomCrop
from pellucid.losses import CrossEntropy
from pellucid.optim import schedules
from pellucid.training import (
    Epoch,
    SelectiveBackprop,
    TrainingState,
    records,
    resume,
    save_checkpoints,
)
from pellucid.training.checkpoint_file import checkpoint_path

TIMES = ("seconds", "images_per_second", "compiling")
AUGMENT = Compose((RandomCrop(1), Mixup()))


def data_set(count: int = 60, seed: int = 0) -> DataSet:
    """Return noisy images with a bright row whose position is the class."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    images = generator.integers(0, 100, (count, 1, 6, 6))
    images[np.arange(count), 0, 2 * labels] += 100
    return DataSet(images.astype(np.uint8), labels, ("top", "middle", "bottom"), "rows")


def network(dropout: float = 0.2) -> nn.Sequential:
    return nn.Sequential(
        conv1=nn.Conv2d(1, 4, 3, padding=1),
        bn1=nn.BatchNorm2d(4),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(4, 5, 2),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(dropout),
        fc=nn.Linear(20, 3),
    )


def new_state(epochs: int = 3, seed: int = 5) -> TrainingState:
    model = network()
    nn.initialize(model, seed)
    selector = nn.initialize(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), seed)
    return TrainingState(
        model,
        optim.Adam(model.parameters(), lr=0.01),
        CrossEntropy(label_smoothing=0.1),
        batch_size=8,
        epochs=epochs,
        schedule=schedules.Warmup(3, schedules.Cosine()),
        augment=AUGMENT,
        seed=seed,
        averages=optim.ExponentialMovingAverage(dict(model.named_state()), decay=0.9),
        selection=SelectiveBackprop(selector, optim.SGD(selector.parameters(), lr=0.1), 0.75, 2),
    )


def simple_state(**changes: Any) -> TrainingState:
    model = network(dropout=0.0)
    settings = {"batch_size": 16, "epochs": 2} | changes
    return TrainingState(model, optim.SGD(model.parameters(), lr=0.05, momentum=0.9), **settings)


class Given:
    """Data with its own `batches` method."""

    def __init__(self, gives: int = 3) -> None:
        self.gives = gives
        self.asked: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return 3

    def batches(self, epoch: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        self.asked.append((epoch, seed))
        generator = np.random.default_rng([seed, epoch])
        for _ in range(self.gives):
            yield generator.normal(size=(4, 1, 6, 6)).astype("f4"), generator.integers(0, 3, 4)


DATA, VALIDATION = data_set(), data_set(20, seed=1)


def outcome(state: TrainingState) -> dict[str, np.ndarray]:
    """Return all results of a run, without timings."""
    assert state.best is not None
    assert state.averages is not None
    history = [list(untimed(epoch).values()) for epoch in state.history]
    return (
        {f"model/{k}": v for k, v in state.model.state_dict().items()}
        | {f"optimizer/{k}": v for k, v in state.optimizer.state_dict().items()}
        | {f"averages/{k}": v for k, v in state.averages.state_dict().items()}
        | {f"best/{k}": v for k, v in state.best.values.items()}
        | {"best": np.array(list(untimed(state.best.epoch).values())), "history": np.array(history)}
    )


def untimed(epoch: Epoch) -> dict[str, float]:
    return {name: value for name, value in epoch.row().items() if name not in TIMES}


def equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    """Return whether two outcomes are equal bit for bit."""
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes()
        for k in a
    )


def main(folder: Path, die_in_write: int = 0) -> None:
    if die_in_write:
        _kill_in_write(die_in_write)
    if checkpoint_path(folder).exists():
        state = resume(folder, DATA, VALIDATION, augment=AUGMENT)
    else:
        state = new_state()
    for record in save_checkpoints(records(state, DATA, VALIDATION), state, folder, every=0.0):
        print(json.dumps(asdict(record)), flush=True)
    np.savez(folder / "outcome.npz", allow_pickle=False, **outcome(state))


def _kill_in_write(turn: int) -> None:
    """Kill the process after it has written half of the `turn`-th file and before the renaming."""
    turns: Iterator[int] = iter(range(1, turn + 1))
    fsync = os.fsync

    def deadly(descriptor: Any) -> None:
        if not Path(f"/dev/fd/{descriptor}").is_dir() and next(turns) == turn:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)

    vars(os)["fsync"] = deadly


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
