"""Train with several processes, kill some, resume with other numbers, and compare all weights.

    python -m benchmarks.processes [KILLS]

A network with batch normalisation and dropout learns with augmentation (crop, flip, mixup), Adam,
one-cycle and an average of its weights. Printed is the SHA-256 of all values, the optimiser's state
and the history: with 1, 2, 3, 4 and 8 processes; with 3 of which one is killed (SIGKILL) at a
random step, 10 times if nothing else is said; and for runs that are killed as a whole and resumed
by another number of processes. All have to be equal.
"""

import dataclasses
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import pellucid as pl
from pellucid import layers as nn
from pellucid import optim, training
from pellucid.data import augment
from pellucid.data.dataset import DataSet

MPIEXEC = Path(sys.executable).with_name("mpiexec")
AUGMENT, EPOCHS, BATCH, SAMPLES = "crop,flip,mixup", 3, 64, 1000
STEPS = EPOCHS * -(-SAMPLES // BATCH)


def network() -> nn.Layer:
    body = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16))
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Residual(body, activation=nn.ReLU()), nn.Dropout(0.25), nn.Flatten()),
        *(nn.Linear(1024, 256), nn.ReLU(), nn.Linear(256, 10)),
    )


def data(count: int, seed: int) -> DataSet:
    drawn, labels = np.random.default_rng(seed), np.arange(count) % 10
    images = drawn.integers(0, 128, (count, 1, 16, 16)) + 12 * labels[:, None, None, None]
    return DataSet(images.astype(np.uint8), labels, tuple("abcdefghij"), "made")


def new_state() -> training.TrainingState:
    model = network()
    nn.initialize(model, 3)
    return training.TrainingState(
        model,
        optim.Adam(model.parameters(), lr=0.01, weight_decay=0.01, clip_norm=1.0),
        batch_size=BATCH,
        epochs=EPOCHS,
        schedule=optim.schedules.parse("onecycle"),
        augment=augment.parse(AUGMENT),
        averages=optim.ExponentialMovingAverage(dict(model.named_state()), 0.9),
        seed=5,
    )


def work(folder: Path, killed: int, at: int) -> None:
    """Train as one of the processes; process number `killed` kills itself after `at` steps."""
    team = pl.parallel.mpi(shards=8)
    team.bucket_bytes = 1 << 16  # several exchanges at once
    parts = data(SAMPLES, 0), data(200, 1)
    run, rank = folder / "run", team.rank
    if run.exists():
        state = training.resume(run, *parts, augment=augment.parse(AUGMENT))
    else:
        state = new_state()
    for record in training.records(state, *parts, parallel=team):
        step = state.optimizer.steps
        if isinstance(record, training.Step) and step == at and rank == killed:
            os.kill(os.getpid(), signal.SIGKILL)
        if team.leads and step % 4 == 0:
            training.save_checkpoint(state, run)
    if team.leads:
        (folder / "told.json").write_text(json.dumps([_digest(state), team.size]))


def _digest(state: training.TrainingState) -> str:
    digest = hashlib.sha256()
    assert state.averages is not None
    values = state.model.state_dict() | state.optimizer.state_dict() | state.averages.state_dict()
    for name, value in sorted(values.items()):
        digest.update(name.encode() + np.ascontiguousarray(value).tobytes())
    timing = ("seconds", "images_per_second", "compiling")
    for epoch in state.history:
        digest.update(repr([v for k, v in vars(epoch).items() if k not in timing]).encode())
    return digest.hexdigest()


@dataclasses.dataclass
class Run:
    """Processes started by mpiexec in a folder."""

    folder: Path

    def start(self, processes: int, killed: int = -1, at: int = 0) -> "subprocess.Popen[bytes]":
        command = [MPIEXEC, "--oversubscribe", "--with-ft", "ulfm", "-n", f"{processes}"]
        command += [sys.executable, "-m", "benchmarks.processes", "work", self.folder]
        return subprocess.Popen([*command, f"{killed}", f"{at}"], start_new_session=True)

    def told(self, process: "subprocess.Popen[bytes]") -> str:
        """Return the digest of the run, and how many processes were left."""
        if process.wait(timeout=300):
            return f"failed with exit status {process.returncode}"
        digest, left = json.loads((self.folder / "told.json").read_text())
        return f"{digest[:16]}  {left} at the end"


def main(kills: int = 10) -> None:
    drawn, found = random.Random(time.time_ns()), []

    def note(what: str, told: str) -> None:
        found.append(told.split()[0])
        print(f"{what:55} {told}", flush=True)

    for processes in (1, 2, 3, 4, 8):
        with TemporaryDirectory() as folder:
            run = Run(Path(folder))
            note(f"{processes} processes", run.told(run.start(processes)))
    for _ in range(kills):
        killed, at = drawn.randrange(3), drawn.randrange(1, STEPS)
        with TemporaryDirectory() as folder:
            run = Run(Path(folder))
            told = run.told(run.start(3, killed, at))
            note(f"3 processes, number {killed} killed after step {at} of {STEPS}", told)
    for first, second in ((2, 3), (4, 1), (1, 8)):
        with TemporaryDirectory() as folder:
            run = Run(Path(folder))
            process = run.start(first)
            while not list(run.folder.glob("run/*")):
                time.sleep(0.1)
            time.sleep(drawn.uniform(0, 1))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            told = run.told(run.start(second))
            note(f"{first} processes, all killed, resumed by {second}", told)
    results = len(set(found))
    print(f"{len(found)} runs: {'all equal' if results == 1 else f'{results} different results'}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(Path(sys.argv[2]), *map(int, sys.argv[3:]))
    else:
        main(*map(int, sys.argv[1:]))
