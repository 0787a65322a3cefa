"""Kill training runs again and again, resume them, and compare with runs never interrupted.

    python benchmarks/kill_and_resume.py [KILLS]

A network with batch normalisation and dropout learns the handwritten digits, with augmentation,
AdamW, a schedule and an average of its weights, and saves a checkpoint every 0.05 seconds. It is
killed (SIGKILL) at random moments, 60 if nothing else is said, and resumed, and then runs to its
end. All its values and its history have to be those of the uninterrupted run, to the last bit.

======  ============================================================================================
half    with compiled kernels that are there already
sixth   begun with an empty cache folder: most kills hit the compiler
third   with algorithms chosen by timing, begun with an empty cache folder; after each kill the
        choices beside the kernels are turned round, as if another machine had measured them.
        The uninterrupted run is given the choices that the killed one has made
======  ============================================================================================
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from pellucid import data, engine, layers, losses, optim
from pellucid.data.augment import RandomCrop
from pellucid.optim import schedules
from pellucid.training import TrainingState, records, resume, save_checkpoints
from pellucid.training.checkpoint_file import checkpoint_path

EPOCHS = 20
OTHER = {"direct": "winograd4", "winograd4": "direct"}
TIMES = ("seconds", "images_per_second", "compiling")


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


def run(folder: Path, tune: bool, choices: dict[str, str]) -> None:
    """Start or continue the run in `folder`, and print what it comes to."""
    train, validation = data.load("digits").train.split(0.2, seed=0)
    if checkpoint_path(folder).exists():
        state = resume(folder, train, validation, augment=RandomCrop(1))
    else:
        state = new_state()
        state.choices = choices
    print(f"at epoch {state.epoch + 1}, step {state.step + 1}", flush=True)
    with engine.tuned(tune):
        for _ in save_checkpoints(records(state, train, validation), state, folder, every=0.05):
            pass
    print(json.dumps([outcome(state), state.choices, str(state.history[-1])]))


def outcome(state: TrainingState) -> str:
    """Return a hash of all values and of the history without its times."""
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
    return digest.hexdigest()


@dataclass
class Run:
    """A run in a folder of its own, as a process that can be killed."""

    folder: Path
    home: Path | None = None
    """Its cache folder; the user's, if None."""
    tune: bool = False
    choices: dict[str, str] = field(default_factory=dict)

    def start(self) -> tuple[subprocess.Popen[str], str]:
        """Start or continue it; return the process and where it began."""
        asked = json.dumps([str(self.folder), self.tune, self.choices])
        home = {} if self.home is None else {"PELLUCID_HOME": str(self.home)}
        process = subprocess.Popen(
            [sys.executable, __file__, "--run", asked],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | home,
        )  # fmt: skip
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    def kill(self, number: int, longest: float) -> None:
        """Start or continue it, and kill it some time after it has begun."""
        process, position = self.start()
        delay = random.uniform(0, longest)
        time.sleep(delay)
        process.kill()
        process.wait()
        print(f"{number:4}. {position}, killed after {delay:.3f} s", flush=True)
        self._turn_choices_round()

    def finish(self) -> tuple[str, float]:
        """Run to the end; return the hash and the time that it took."""
        process, _ = self.start()
        began = time.perf_counter()
        digest, self.choices, epoch = json.loads(process.communicate()[0])
        print(f"      {epoch}\n      SHA-256 of all values and the history: {digest}")
        return digest, time.perf_counter() - began

    def _turn_choices_round(self) -> None:
        for file in [] if self.home is None else self.home.rglob("fastest.json"):
            kept = json.loads(file.read_text())
            file.write_text(json.dumps({shape: OTHER[name] for shape, name in kept.items()}))


def is_same(kind: str, kills: int, longest: float, cold: bool, tune: bool) -> bool:
    """Kill one run so often; return whether it comes to the same as one that is not killed."""
    with (
        TemporaryDirectory() as broken,
        TemporaryDirectory() as whole,
        TemporaryDirectory() as home,
    ):
        killed = Run(Path(broken), Path(home) if cold else None, tune)
        print(f"{kind}:")
        for number in range(1, kills + 1):
            killed.kill(number, longest)
        digest, _ = killed.finish()
        print(f"    never killed{', choices ' + str(killed.choices) if tune else ''}:")
        same = Run(Path(whole), None, tune, killed.choices).finish()[0] == digest
    print(f"    {'The same to the last bit.' if same else 'NOT the same.'}")
    return same


def main(kills: int) -> int:
    with TemporaryDirectory() as folder:
        print("Once, so that the kernels are compiled:")
        warm = Run(Path(folder))
        warm.finish()
    with TemporaryDirectory() as folder:
        _, seconds = Run(Path(folder)).finish()
    parts = [kills - kills // 6 - kills // 3, kills // 6, kills // 3]
    same = [
        is_same("Kernels there", parts[0], 2 * seconds / parts[0], cold=False, tune=False),
        is_same("Empty cache", parts[1], 60 / parts[1], cold=True, tune=False),
        is_same("Chosen by timing", parts[2], 60 / parts[2], cold=True, tune=True),
    ]
    total = sum(count for count, equal in zip(parts, same, strict=True) if equal)
    print(f"{total} of {kills} kills left no trace.")
    return 0 if all(same) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        folder, tune, choices = json.loads(sys.argv[2])
        run(Path(folder), tune, choices)
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
