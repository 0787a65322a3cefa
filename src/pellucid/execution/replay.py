"""Run training steps and inference without the Python code between kernels.

The first steps with a new input shape are run normally, in *eager* mode. Then one is captured: its
calls of kernels are recorded (see `pellucid.runtime.recording`), and from then on these calls are
replayed. That is correct only if everything that depends on the input goes through recorded calls.
So `capturable` lists the layers for which this is known, kernels that fall back to NumPy report it
to the recording, and a copy of the model with random weights is tried first: if a replay differs
from the eager step in a single bit, the model stays eager.

It also stays eager if a step depends on more than its arrays: on a count of steps, on random
numbers other than dropout's, on users' own layers, or if an observer is set. If a value is replaced
by another array, or a layer's settings change, the step is captured again.

The inference of a model with constant values is replayed in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import ref

import numpy as np

from pellucid import engine
from pellucid.execution.capturable import is_capturable
from pellucid.execution.contract import fused_kernels
from pellucid.execution.part import Part
from pellucid.execution.program import Program
from pellucid.layers import Layer, StepContext
from pellucid.layers.observers import is_observed
from pellucid.parameter import Buffer, Parameter
from pellucid.runtime.recording import Recording, is_rehearsed
from pellucid.runtime.workspace import Workspace, empty
from pellucid.types import Array, Generator, Shape

AFTER = 3
"""Number of eager steps of a shape before it is captured, which takes as long as five steps."""

_MOST_SHAPES = 4
"""Number of shapes that are captured; each needs memory."""


class RecordingContext(StepContext):
    """The context of a captured step, which records what each replay has to repeat."""

    def __init__(self) -> None:
        super().__init__()
        self._drawn: list[tuple[str, Array]] = []
        self.varies = False
        """Whether a layer used random numbers that cannot be redrawn in place."""

    def generator(self, purpose: str) -> Generator:
        self.varies = True
        return super().generator(purpose)

    def draw(self, purpose: str, shape: Shape) -> Array:
        drawn = super().generator(purpose).random(shape, dtype=np.float32)
        self._drawn.append((purpose, drawn))
        return drawn

    def repeated(self) -> StepContext:
        return _RepeatingContext(self._drawn, len(self._drawn))

    def draw_again(self, step: StepContext) -> None:
        """Replace the random numbers by those of another step."""
        for purpose, drawn in self._drawn:
            step.generator(purpose).random(out=drawn, dtype=np.float32)

    def note_updates(self, step: StepContext) -> None:
        """Record the buffer updates, which the replay has renewed, in another step's context."""
        for buffer, value in self._updates.items():
            step.update(buffer, value)
        for buffer, count in self._counts.items():
            for _ in range(count):
                step.count(buffer)


class _RepeatingContext(StepContext):
    """The context in which part of a captured step is computed again: it has the same arrays."""

    def __init__(self, drawn: list[tuple[str, Array]], start: int) -> None:
        super().__init__()
        self._repeated, self._start = drawn, start

    def draw(self, purpose: str, shape: Shape) -> Array:
        self._start += 1
        return self._repeated[self._start - 1][1]


class CapturedStep:
    """One training step of a part for one input shape, captured.

    Its `forward` and `backward` do what the part's do in training. It owns its memory once it has
    been replayed.
    """

    def __init__(self, part: Part, x: Array, workspace: Workspace) -> None:
        self.x, self._context = np.zeros_like(x), RecordingContext()
        self._workspace = workspace
        self._forward, self._backward = Recording(workspace), Recording(workspace)
        with self._forward.capturing():
            y, cache = part.forward(self.x, self._context)
        self._y, self._dy = workspace.place(y), np.zeros_like(y)  # dy = 0 adds 0 to all gradients
        with self._backward.capturing():
            part.backward(self._dy, cache, input_gradient=False)
        self.is_exact = not self._context.varies and (
            self._forward.is_complete and self._backward.is_complete
        )
        """Whether the capture contains everything that a replay has to do."""
        self._last: ref[ReplayCache] | None = None

    @property
    def is_free(self) -> bool:
        """Whether the results of the last replay are no longer needed."""
        last = None if self._last is None else self._last()
        return last is None or not (last.waits or last.context.pending_updates())

    def forward(self, x: Array, training: StepContext) -> tuple[Array, ReplayCache]:
        if self._last is None:
            memory = self._workspace.hand_over()
            self._forward.bind(memory)
            self._backward.bind(memory)
            self._y = memory.at(self._y)
        np.copyto(self.x, x)
        self._context.draw_again(training)
        self._forward.replay()
        self._context.note_updates(training)
        cache = ReplayCache(self, training)
        self._last = ref(cache)
        return self._y.copy(order="K"), cache

    def backward(self, dy: Array, cache: ReplayCache, *, input_gradient: bool = False) -> Array:
        np.copyto(self._dy, dy)
        self._backward.replay()
        cache.waits = False
        return dy


@dataclass(eq=False)
class ReplayCache:
    """The cache of a replayed forward pass."""

    step: CapturedStep
    context: StepContext
    waits: bool = True
    """Whether the backward pass is still to come."""


@dataclass(eq=False)
class EagerCache:
    """The cache of an eager forward pass."""

    part: Part
    cache: Any
    workspace: Workspace | None = None


class CapturedInference:
    """The inference of a part for one input shape, captured."""

    def __init__(self, part: Part, x: Array, workspace: Workspace) -> None:
        self._x, self._recording = np.zeros_like(x), Recording(workspace)
        with self._recording.capturing():
            y, _ = part.forward(self._x)
        self.is_exact = self._recording.is_complete
        place, memory = workspace.place(y), workspace.hand_over()
        self._recording.bind(memory)
        self._y: Array = memory.at(place)

    def __call__(self, x: Array) -> Array:
        np.copyto(self._x, x)
        self._recording.replay()
        return self._y.copy(order="K")


C = TypeVar("C", CapturedStep, CapturedInference)


@dataclass(eq=False)
class _Known(Generic[C]):
    """The state of one input shape."""

    workspace: Workspace = field(default_factory=Workspace)
    times: int = 0
    captured: C | None = None


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
        self._shapes = _Shapes(self._part, _capture_step) if self._is_fused else None


class Inference:
    """Inference of a part with constant values, replayed after the first calls; for one thread."""

    def __init__(self, part: Part) -> None:
        self._shapes, self._workspace = _Shapes(part, _capture_inference), Workspace()

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
                return known.captured(x)
        with workspace.used():
            return self._shapes.part.forward(x)[0]


def _capture_inference(part: Part, x: Array, workspace: Workspace) -> CapturedInference | None:
    """Return captured inference if its replay agrees with the eager run bit for bit."""
    other = _like(x, np.random.default_rng(0))
    with workspace.used():
        expected = [_digest(part.forward(given)[0]) for given in (x, other)]
    captured = CapturedInference(part, x, workspace)
    found = [_digest(captured(given)) for given in (x, other)]
    return captured if captured.is_exact and found == expected else None


def _capture_step(part: Part, x: Array, workspace: Workspace) -> CapturedStep | None:
    """Return a captured step if its replay agrees with the eager step bit for bit."""
    random, copy = np.random.default_rng(0), _copied(part)
    trial, other = CapturedStep(copy, x, workspace), _like(x, random)
    if not trial.is_exact:
        return None
    values = _values(copy)
    _draw(values, random)
    with workspace.used():
        expected = _numbers(copy, values, other)
    if _numbers(trial, values, other) != expected:
        return None
    del trial
    return CapturedStep(part, x, workspace)


def _copied(part: Part) -> Part:
    """Return a copy of a part, with values in memory of their own that is returned as a whole.

    Only memory of gradients that are 0 is shared: both write to it before they read it.
    """
    copies: dict[int, Any] = {}
    with Workspace().used():
        for item in _values(part):
            scratch = item.scratch if isinstance(item, Parameter) else None
            for array in item.arrays():
                copies[id(array)] = array if array is scratch else empty(array.shape, array.dtype)
                copies[id(array)][...] = array
    return deepcopy(part, copies)


def _values(part: Part) -> list[Parameter | Buffer]:
    """Return all parameters and buffers, each once."""
    if isinstance(part, Layer) and not part.children():
        return [item for _, item in part.named_state()]
    found = [item for child in part.children().values() for item in _values(child)]
    return list({id(item): item for item in found}.values())


def _draw(values: list[Parameter | Buffer], random: np.random.Generator) -> None:
    """Set all values to random numbers."""
    for item in values:
        if np.issubdtype(item.dtype, np.floating):
            random.standard_normal(dtype=item.dtype, out=item.value)


def _like(array: Array, random: np.random.Generator) -> Array:
    """Return random numbers with the memory layout of `array`."""
    drawn = np.empty_like(array)
    drawn[...] = random.standard_normal(array.shape, array.dtype)
    return drawn


def _numbers(step: Part | CapturedStep, values: list[Parameter | Buffer], x: Array) -> list[bytes]:
    """Return all results of a training step: outputs, gradients, and next values of buffers."""
    training = StepContext()
    y, cache = step.forward(x, training)
    parameters = [item for item in values if isinstance(item, Parameter)]
    for parameter in parameters:
        parameter.zero_grad()
    step.backward(_like(y, np.random.default_rng(1)), cache, input_gradient=False)
    gradients = [parameter.grad for parameter in parameters]
    return [_digest(array) for array in (y, *gradients, *training.pending_updates().values())]


def _digest(array: Array) -> bytes:
    """Return a hash of an array, which takes less memory than its bytes."""
    return hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()


def for_training(model: Layer, recompute: bool = False, announces: bool = False) -> TrainingProgram:
    """Return the program that trains `model` fastest on the engine in use.

    With `recompute`, it keeps fewer activations; see `pellucid.execution.recompute`. With
    `announces`, it announces gradients that are final; see `pellucid.execution.announcing`.
    """
    return TrainingProgram(model, recompute, announces)
