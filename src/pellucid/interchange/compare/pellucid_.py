"""Run the network in Pellucid."""

from __future__ import annotations

import inspect

import numpy as np

import pellucid
from pellucid import engine
from pellucid.execution import for_training
from pellucid.interchange.compare.inspection import Inspection, Names
from pellucid.layers import Layer, StepContext, observe
from pellucid.losses import cross_entropy
from pellucid.optim import SGD
from pellucid.optim.schedules import Constant
from pellucid.runtime.compiling import clock
from pellucid.runtime.workspace import Workspace
from pellucid.training import TrainingState
from pellucid.training.loop import take_step, update
from pellucid.types import Array, Shape

Batch = tuple[Array, Array]


class Contestant:
    """Take training steps exactly as `Trainer` does: with the fastest program and a workspace."""

    def __init__(
        self, model: Layer, input_shape: Shape, threads: int, rate: float, momentum: float
    ) -> None:
        self.version = f"Pellucid {pellucid.__version__}, engine {engine.name()}"
        self.model, self.trained = model, for_training(model)
        self.workspace = Workspace()
        optimizer = SGD(model.parameters(), lr=rate, momentum=momentum)
        self.state = TrainingState(model, optimizer, cross_entropy, 1, 1, Constant(), None, 0, None)

    def inspect(self, x: Array, targets: Array) -> Inspection:
        names, activations = Names(self.model), dict[str, Array]()

        def note(layer: Layer, _: Array, y: Array) -> None:
            if (name := names.next(layer)) is not None:
                activations[name] = np.array(y)

        with observe(forward=note):
            outputs, cache = self.model.forward(x, StepContext())
        loss, gradient = cross_entropy(outputs, targets)
        self.model.zero_grad()
        self.model.backward(gradient, cache, input_gradient=False)
        gradients = {n: p.grad.copy() for n, p in self.model.named_parameters().items()}
        return Inspection(self.model(x), loss, activations, gradients)

    def batch(self, x: Array, targets: Array) -> Batch:
        batch_last = np.ascontiguousarray(np.moveaxis(x, 0, -1))
        return np.moveaxis(batch_last, -1, 0), targets

    def step(self, batch: Batch) -> float:
        with self.workspace.used():
            step = take_step(self.state, self.trained, batch, self.state.step + 1, clock())
        return step.loss

    def calls(self) -> dict[str, str]:
        return {path: repr(layer) for path, layer in self.model.walk() if not layer.children()}

    def sources(self) -> dict[str, str]:
        parts = (inspect.getsource(part).strip() for part in (take_step, update))
        return {"": "\n\n\n".join(parts)}  # `source.explained` finds the layers' code
