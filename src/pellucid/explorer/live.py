"""Interactive training: step by step, with snapshots to which the run can be rewound."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from pellucid.errors import PellucidError, unknown
from pellucid.layers import Layer, initialize
from pellucid.training import Epoch, Record, TrainingState, records

if TYPE_CHECKING:
    from pellucid.data import DataSet

Words = dict[str, Any]
_MOST_SNAPSHOTS = 40
_INTERVAL = 0.15
"""Minimum time between two messages about the run, in seconds."""


@dataclass(frozen=True)
class Choices:
    """The settings of a run.

    Attributes
    ----------
    model
        Name of a model, see `models.build`.
    network
        Network in TOML; replaces `model`.
    optimizer, lr, batch_size, epochs, augment, seed
        As in ``pellucid train``.
    """

    model: str = ""
    network: str = ""
    optimizer: str = "adam"
    lr: float = 0.002
    batch_size: int = 64
    epochs: int = 3
    augment: str = ""
    seed: int = 0

    @classmethod
    def of(cls, words: Words) -> Choices:
        """Return the choices in a message from the page."""
        usual = asdict(cls())
        return cls(**{name: type(usual[name])(words[name]) for name in usual if name in words})


def begin(choices: Choices, data: DataSet) -> TrainingState:
    """Return the initial state of a run, which depends only on the choices and the data."""
    from pellucid import losses, models, optim
    from pellucid.data import augment

    shape, classes = data.image_shape, len(data.classes)
    if choices.network:
        model = models.toml.loads(choices.network, shape, classes)
    else:
        model = models.build(choices.model, shape, classes)
    kinds = {name.lower(): name for name in optim.OPTIMIZERS}
    if choices.optimizer not in kinds:
        raise PellucidError(unknown("optimizer", choices.optimizer, list(kinds)))
    initialize(model, choices.seed)
    return TrainingState(
        model,
        optim.build({"type": kinds[choices.optimizer], "lr": choices.lr}, model.parameters()),
        losses.CrossEntropy(),
        choices.batch_size,
        choices.epochs,
        augment=augment.parse(choices.augment) if choices.augment else None,
        seed=choices.seed,
    )


@dataclass
class _Snapshot:
    step: int
    state: TrainingState


class Live:
    """A training run that can be started, paused and rewound.

    A separate thread makes the steps, one at a time, each while holding `lock`.

    Parameters
    ----------
    state
        Initial state of the run.
    data, validation
        Training data, and data on which the model is evaluated after each epoch.
    lock
        Lock held during each step, so that its holder sees consistent weights.
    notify
        Function called with the status of the run, several times a second while it is running.
    """

    def __init__(
        self,
        state: TrainingState,
        data: DataSet,
        validation: DataSet | None,
        lock: AbstractContextManager[Any],
        notify: Callable[[Words], None],
    ) -> None:
        self.state = state
        self.chosen: Choices | None = None
        self._data, self._validation, self._lock, self._notify = data, validation, lock, notify
        self._records = self._remaining_records()
        self._snapshots = [_Snapshot(0, copy.deepcopy(state))]
        self._spacing = 1
        self._points: list[Words] = []
        self._epochs: list[Words] = []
        self._wanted = 0
        self._stepping = False
        self._ended = False
        self._problem = ""
        self._changed = threading.Condition()
        self._notified = 0.0
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def model(self) -> Layer:
        """The model with its current weights."""
        return self.state.model

    @property
    def step(self) -> int:
        """The number of completed steps."""
        return self.state.optimizer.steps

    def go(self, steps: int) -> None:
        """Make `steps` steps, or fewer if paused."""
        with self._changed:
            self._wanted, self._problem = steps, ""
            self._changed.notify()

    def go_to_the_end_of_the_epoch(self) -> None:
        """Make the remaining steps of this epoch."""
        steps = -(-len(self._data) // self.state.batch_size)
        self.go(steps - self.state.step)

    def pause(self) -> None:
        """Stop after the current step."""
        self.go(0)

    def set_rate(self, rate: float) -> None:
        """Change the learning rate."""
        with self._lock:
            self.state.optimizer.base_lr = rate

    def rewind(self, step: int) -> None:
        """Return to the last snapshot at or before `step`, and discard everything after it."""
        self.pause()
        with self._lock:
            snapshot = [m for m in self._snapshots if m.step <= step][-1]
            self._snapshots = [m for m in self._snapshots if m.step <= snapshot.step]
            self.state = copy.deepcopy(snapshot.state)
            self._records = self._remaining_records()
            self._points = [p for p in self._points if p["step"] <= snapshot.step]
            self._epochs = [e for e in self._epochs if e["step"] <= snapshot.step]
        self._notify(self.status())

    def end(self) -> None:
        """Stop the run and its thread."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def status(self) -> Words:
        """Return the state of the run as shown on the page."""
        return {
            "step": self.step,
            "epoch": self.state.epoch,
            "epochs": self.state.epochs,
            "rate": self.state.optimizer.base_lr,
            "running": self._stepping or (self._wanted > 0 and not self.state.finished),
            "finished": self.state.finished,
            "problem": self._problem,
            "points": self._points[-400:],
            "validation": self._epochs,
            "snapshots": [snapshot.step for snapshot in self._snapshots],
        }

    def _remaining_records(self) -> Iterator[Record]:
        return records(self.state, self._data, self._validation)

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._wanted <= 0 and not self._ended:
                    self._changed.wait()
                if self._ended:
                    return
                self._wanted -= 1
                self._stepping = True
            try:
                with self._lock:
                    self._make_a_step()
            except PellucidError as error:  # for example, the loss is not finite
                self._problem, self._wanted = str(error), 0
            self._stepping = False
            if self._wanted <= 0 or monotonic() - self._notified > _INTERVAL:
                self._notified = monotonic()
                self._notify(self.status())

    def _make_a_step(self) -> None:
        record = next(self._records, None)
        if record is None:
            self._wanted = 0
            return
        if isinstance(record, Epoch):  # the run was rewound to just before it
            self._note_epoch(record)
            return
        self._points.append({"step": self.step, "loss": record.loss, "accuracy": record.accuracy})
        if self.state.step == record.steps:  # the epoch is complete: its validation follows
            self._note_epoch(next(self._records, None))
        if self.step % self._spacing == 0:
            self._snapshots.append(_Snapshot(self.step, copy.deepcopy(self.state)))
            if len(self._snapshots) > _MOST_SNAPSHOTS:  # drop every second snapshot
                self._snapshots = self._snapshots[:1] + self._snapshots[2::2]
                self._spacing *= 2

    def _note_epoch(self, epoch: Record | None) -> None:
        if not isinstance(epoch, Epoch):
            return
        self._epochs.append(
            {
                "step": self.step,
                "loss": epoch.validation_loss,
                "accuracy": epoch.validation_accuracy,
            }
        )
