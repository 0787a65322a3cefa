"""Record the kernel calls of a training step or of inference, and verify that a replay is exact.

A capture is correct only if everything that depends on the input goes through recorded calls.
So it is tried with other inputs and weights than those it was recorded with: if its replay differs
from the eager step in a single bit, there is no capture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import ref

import numpy as np

from pellucid.execution.part import Part
from pellucid.layers import Layer, StepContext
from pellucid.parameter import Buffer, Parameter
from pellucid.runtime.recording import Recording
from pellucid.runtime.workspace import Workspace
from pellucid.types import Array, Generator, Shape

AFTER = 3
"""Number of eager steps of a shape before it is captured, which takes as long as five steps."""


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
        self.is_one_call = self._recording.is_one_call
        """Whether it is one call of compiled code, for which `alone` suffices to use one thread."""
        self.alone = False
        """Whether this thread makes the calls of kernels that follow each other alone."""

    def __call__(self, x: Array) -> Array:
        np.copyto(self._x, x)
        self._recording.replay(self.alone)
        return self._y.copy(order="K")


def capture_inference(part: Part, x: Array, workspace: Workspace) -> CapturedInference | None:
    """Return captured inference if its replay agrees with the eager run bit for bit."""
    other = _like(x, np.random.default_rng(0))
    with workspace.used():
        expected = [_digest(part.forward(given)[0]) for given in (x, other)]
    captured = CapturedInference(part, x, workspace)
    found = [_digest(captured(given)) for given in (x, other)]
    return captured if captured.is_exact and found == expected else None


def capture_step(part: Part, x: Array, workspace: Workspace) -> CapturedStep | None:
    """Return a captured step if its replay agrees with the eager step bit for bit."""
    items, other = _items(part), _like(x, np.random.default_rng(0))
    with _kept_gradients(items):
        trial = CapturedStep(part, x, workspace)
        if not trial.is_exact:
            return None
        with _altered(items):
            with workspace.used():
                expected = _numbers(part, items, other)
            found = _numbers(trial, items, other)
        del trial  # and its memory, which the eager steps divided: a new one needs less
        return CapturedStep(part, x, workspace) if found == expected else None


@contextmanager
def _kept_gradients(items: list[Parameter | Buffer]) -> Iterator[None]:
    """Restore the gradients after the block."""
    parameters = [item for item in items if isinstance(item, Parameter)]
    kept = {item: item.grad.copy() for item in parameters if item.has_gradient}
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.zero_grad()
        for parameter, gradient in kept.items():
            parameter.add_gradient(gradient)


@contextmanager
def _altered(items: list[Parameter | Buffer]) -> Iterator[None]:
    """Give all items other values in the block, and restore theirs after it.

    Weights may fill most of the memory, so they are not copied but change their sign, and change it
    back. The first number of each array also moves away from 0, as a sign does not change a norm.
    An array that contains zeros, to which this does nothing, and all buffers are copied.
    """
    parameters = [item for item in items if isinstance(item, Parameter)]
    negated = {item: item.value.flat[0] for item in parameters if item.value.all()}
    copied = {item: item.value.copy() for item in items if item not in negated}

    def restore() -> None:
        for parameter, first in negated.items():
            if parameter.value.flat[0] != first:
                np.negative(parameter.value, out=parameter.value)
                parameter.value.flat[0] = first
        for item, value in copied.items():
            item.value = value

    try:
        for parameter, first in negated.items():
            np.negative(parameter.value, out=parameter.value)
            parameter.value.flat[0] -= np.sign(first)
        for item in copied:
            item.value = np.random.default_rng(0).random(item.shape).astype(item.dtype)
        yield
    finally:
        with ThreadPoolExecutor(1) as uninterrupted:  # Ctrl-C interrupts the main thread only
            uninterrupted.submit(restore).result()


def _items(part: Part) -> list[Parameter | Buffer]:
    """Return all parameters and buffers, each once."""
    if isinstance(part, Layer) and not part.children():
        return [item for _, item in part.named_state()]
    found = [item for child in part.children().values() for item in _items(child)]
    return list({id(item): item for item in found}.values())


def _like(array: Array, random: np.random.Generator) -> Array:
    """Return random numbers with the memory layout of `array`."""
    drawn = np.empty_like(array)
    drawn[...] = random.standard_normal(array.shape, array.dtype)
    return drawn


def _numbers(step: Part | CapturedStep, items: list[Parameter | Buffer], x: Array) -> list[bytes]:
    """Return all results of a training step: outputs, gradients, and next values of buffers."""
    training = StepContext()
    y, cache = step.forward(x, training)
    parameters = [item for item in items if isinstance(item, Parameter)]
    for parameter in parameters:
        parameter.zero_grad()
    step.backward(_like(y, np.random.default_rng(1)), cache, input_gradient=False)
    gradients = [parameter.grad for parameter in parameters]
    return [_digest(array) for array in (y, *gradients, *training.pending_updates().values())]


def _digest(array: Array) -> bytes:
    """Return a hash of an array, which takes less memory than its bytes."""
    return hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
