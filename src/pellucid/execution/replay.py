"""Run training steps and inference without the Python code between kernels.

The first steps with a new input shape are run normally, in *eager* mode. Then one is captured: its
calls of kernels are recorded (see `pellucid.runtime.recording`), and from then on these calls are
replayed. `capturable` lists the layers for which this is known to be correct, kernels that fall
back to NumPy report it to the recording, and `capture` verifies each capture.

The model stays eager if a step depends on more than its arrays: on a count of steps, on random
numbers other than dropout's, on users' own layers, or if an observer is set. If a value is replaced
by another array, or a layer's settings change, the step is captured again.

The inference of a model with constant values is replayed in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from pellucid import engine
from pellucid.execution.capturable import is_capturable
from pellucid.execution.capture import (
    AFTER,
    CapturedInference,
    CapturedStep,
    ReplayCache,
    capture_inference,
    capture_step,
)
from pellucid.execution.contract import fused_kernels
from pellucid.execution.part import Part
from pellucid.execution.program import Program
from pellucid.execution.thread_tuning import ThreadTuner
from pellucid.layers import Layer, StepContext
from pellucid.layers.observers import is_observed
from pellucid.runtime import threads
from pellucid.runtime.recording import is_rehearsed
from pellucid.runtime.workspace import Workspace
from pellucid.types import Array, Shape

_MOST_SHAPES = 4
"""Number of shapes that are captured; each needs memory."""


@dataclass(eq=False)
class EagerCache:
    """The cache of an eager forward pass."""

    part: Part
    cache: Any
    workspace: Workspace | None = None


C = TypeVar("C", CapturedStep, CapturedInference)


@dataclass(eq=False)
class _Known(Generic[C]):
    """The state of one input shape."""

    workspace: Workspace = field(default_factory=Workspace)
    times: int = 0
    captured: C | None = None
    tuner: ThreadTuner | None = None


class _Shapes(Generic[C]):
    """The input shapes that a part has been given, and whether they are captured."""

    def __init__(self, part: Part, capture: Callable[[Part, Array, Workspace], C | None]) -> None:
        self.part = part
        self._capture: Callable[[Part, Array, Workspace], C | None] = capture
        self._can = is_capturable(part)
        self._known: dict[Any, _Known[C]] = {}

    def next(self, x: Any) -> _Known[C] | None:
        """Return the state for such an input, captured when due; None if it never will be."""
        if not self._can or not isinstance(x, np.ndarray) or fused_kernels(x) is None:
            return None
        if is_rehearsed():
            return None
        key = x.shape, x.dtype, engine.setting()
        if key not in self._known and len(self._known) < _MOST_SHAPES:
            self._known[key] = _Known()
        known = self._known.get(key)
        if known is not None:
            if known.times == AFTER:
                known.captured = self._capture(self.part, x, known.workspace)
            known.times += 1
        return known

    def captured(self) -> list[Shape]:
        """Return the captured shapes."""
        return [shape for (shape, *_), known in self._known.items() if known.captured is not None]


class TrainingProgram(Program):
    """A program that replays training steps after the first few; see this module."""

    def __init__(self, model: Layer, recompute: bool = False, announces: bool = False) -> None:
        super().__init__(model, recompute, announces)
        self._shapes: _Shapes[CapturedStep] | None = None

    @property
    def captured(self) -> list[Shape]:
        """Input shapes whose steps are replayed."""
        return [] if self._shapes is None else self._shapes.captured()

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        part, known = self.part_for(x), None
        if training is not None and not training.pending_updates() and not is_observed():
            known = None if self._shapes is None else self._shapes.next(x)
        if known is None or training is None:
            y, cache = part.forward(x, training)
            return y, EagerCache(part, cache)
        if known.captured is not None and known.captured.is_free:
            return known.captured.forward(x, training)
        with known.workspace.used():
            y, cache = part.forward(x, training)
        return y, EagerCache(part, cache, known.workspace)

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        if isinstance(cache, ReplayCache):
            if not input_gradient and not is_observed():
                return cache.step.backward(dy, cache)
            cache.waits = False
            part = self.part_for(cache.step.x)
            cache = EagerCache(part, part.forward(cache.step.x, StepContext())[1])
        workspace = cache.workspace or Workspace()
        with workspace.used():
            return cache.part.backward(dy, cache.cache, input_gradient=input_gradient)

    def _refresh(self, x: Any, fuses: bool) -> None:
        super()._refresh(x, fuses)
        self._shapes = _Shapes(self._part, capture_step) if self._is_fused else None


class Inference:
    """Inference of a part with constant values, replayed after the first calls; for one thread.

    Few images are computed by all threads or by one, whichever is faster.
    """

    def __init__(self, part: Part) -> None:
        self._shapes, self._workspace = _Shapes(part, capture_inference), Workspace()

    @property
    def captured(self) -> list[Shape]:
        """Input shapes for which inference is replayed."""
        return self._shapes.captured()

    def __call__(self, x: Any) -> Any:
        """Return the output."""
        known, workspace = self._shapes.next(x), self._workspace
        if known is not None:
            workspace = known.workspace
            if known.captured is not None:
                if known.tuner is None:
                    known.tuner = _tuner(known.captured)
                return known.tuner.run(known.captured, x)
        with workspace.used():
            return self._shapes.part.forward(x)[0]


def _tuner(captured: CapturedInference) -> ThreadTuner:
    """Return what chooses the number of threads of inference, which is tried only if it is short.

    One call of compiled code is told the number; to set it for all others would take longer.
    """
    often: dict[str, Any] = {"tried": 16, "late": 2.0, "longest": 0.002}
    if not captured.is_one_call:
        return ThreadTuner(**often)

    def use(count: int) -> None:
        captured.alone = count == 1

    most = threads.used()
    return ThreadTuner(use=use, used=lambda: most, **often)


def for_training(model: Layer, recompute: bool = False, announces: bool = False) -> TrainingProgram:
    """Return the program that trains `model` fastest on the engine in use.

    With `recompute`, it keeps fewer activations; see `pellucid.execution.recompute`. With
    `announces`, it announces gradients that are final; see `pellucid.execution.announcing`.
    """
    return TrainingProgram(model, recompute, announces)
