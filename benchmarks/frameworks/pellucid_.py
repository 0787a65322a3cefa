"""Pellucid: its training loop's step, and a model as its engine runs it."""

import time

import numpy as np

from benchmarks.job import LEARNING_RATE, MOMENTUM, Array, Job
from pellucid import engine, execution, layers, ops
from pellucid.optim import SGD
from pellucid.runtime.workspace import Workspace
from pellucid.training import TrainingState
from pellucid.training.loop import take_step


def load(job: Job) -> None:
    """Import the engine: other frameworks come with theirs."""
    engine.use(job.options["engine"])
    engine.current()


class Contestant:
    """Options `engine`, compiled or reference, and `recompute`."""

    def __init__(self, job: Job, state: dict[str, Array]) -> None:
        model = layers.build(job.description)
        model.load_state_dict(state)
        sgd = SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
        self.state = TrainingState(model, sgd, batch_size=job.batch)
        self.model = execution.for_training(model, job.options.get("recompute", False))
        self.frozen: execution.Frozen | None = None
        self.workspace = Workspace()

    def batch(self, x: Array, targets: Array) -> tuple[Array, Array]:
        return ops.make_batch(x), targets

    def train(self, batch: tuple[Array, Array]) -> float:
        with self.workspace.used():
            step = take_step(self.state, self.model, batch, 1, time.perf_counter())
        return step.loss

    def infer(self, x: Array) -> Array:
        if self.frozen is None:
            self.frozen = execution.freeze(self.state.model)
        return np.ascontiguousarray(self.frozen(x))
