"""Training steps, and inference, without the Python between their kernels.

The first steps with a new shape of input run as ever. Then one is written down (see
`pellucid.runtime.recording`), and from then on its calls are made again. That gives the same
numbers only if all that depends on the input goes through recorded calls. So each kind of layer
says whether it does nothing else, what is left to NumPy says so when it is called, and a copy of
the model is tried first, with random weights and a random input: where one bit differs from what
running it gives, the model runs as ever.

It also runs as ever where a step depends on more than its arrays: on a count of steps, on random
numbers other than dropout's, on layers that are not of this library, and while somebody looks
inside. Where a value has become another array, or a layer's settings have changed, the step is
written down anew.

The inference of a model whose values do not change is played in the same way.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

import numpy as np

from pellucid import engine
from pellucid.execution.fusion import for_engine
from pellucid.layers.base import Layer, StepContext, is_observed, watch
from pellucid.runtime.recording import Recording
from pellucid.runtime.workspace import Workspace
from pellucid.types import Array, Shape

AFTER = 3
"""How many steps of a shape are run first: to write one down takes as long as five."""

_MOST = 4
"""How many shapes are written down: each has its memory."""


class RecordedStep:
    """One training step of a model for one shape of input, written down.

    Its `forward` and `backward` do what the model's do in training. Its memory is its own once it
    has played.
    """

    def __init__(self, model: Layer, x: Array, workspace: Workspace) -> None:
        self.x, self._notes = np.zeros_like(x), StepContext()
        self._workspace = workspace
        self._forward, self._backward = Recording(workspace), Recording(workspace)
        with self._forward.running():
            y, cache = model.forward(self.x, self._notes)
        self._y, self._dy = workspace.place(y), np.zeros_like(y)  # which adds 0 to all gradients
        with self._backward.running():
            model.backward(self._dy, cache, input_gradient=False)
        self.varies = self._notes.varies
        self.is_whole = self._forward.is_whole and self._backward.is_whole
        self._last: ref[Played] | None = None

    @property
    def is_free(self) -> bool:
        """Whether nobody still needs what it played last."""
        last = None if self._last is None else self._last()
        return last is None or not (last.waits or last.training.noted())

    def forward(self, x: Array, training: StepContext) -> tuple[Array, "Played"]:
        if self._last is None:
            self._forward.bind()
            self._backward.bind()
            self._y = self._workspace.at(self._y)
        np.copyto(self.x, x)
        training.draw_again(self._notes)
        self._forward.play()
        training.take_over(self._notes)
        played = Played(self, training)
        self._last = ref(played)
        return self._y.copy(order="K"), played

    def backward(self, dy: Array, played: "Played", *, input_gradient: bool = False) -> Array:
        np.copyto(self._dy, dy)
        self._backward.play()
        played.waits = False
        return dy


@dataclass(eq=False)
class Played:
    """The cache of a forward pass that was played."""

    step: RecordedStep
    training: StepContext
    waits: bool = True
    """Whether the backward pass is still to come."""


@dataclass(eq=False)
class Ran:
    """The cache of a forward pass that was run."""

    workspace: Workspace
    cache: Any


@dataclass(eq=False)
class _Shape:
    """What is known of one shape of input."""

    workspace: Workspace = field(default_factory=Workspace)
    times: int = 0
    recorded: Any = None


class _Shapes:
    """What is known of the shapes of input that a model was given, and still holds."""

    def __init__(self, model: Layer) -> None:
        self._model = model
        layers = [layer for _, layer in model.walk()]
        self._can = all(vars(type(layer)).get("recordable") for layer in layers)
        watch(layers)
        self._changes = -1
        self._values: list[tuple[Any, Array]] = []
        self._known: dict[Any, _Shape] = {}

    def of(self, x: Any) -> _Shape | None:
        """Return what is known of such an input; None if it can only be run."""
        can = self._can and engine.current().RECORDS and isinstance(x, np.ndarray)
        if not can or is_observed():
            return None
        replaced = any(item.value is not value for item, value in self._values)
        if replaced or self._changes != Layer.changes:
            self._known.clear()
            self._values = [(item, item.value) for _, item in self._model.named_state()]
            self._changes = Layer.changes
        key = x.shape, x.dtype, engine.setting()
        if key not in self._known and len(self._known) < _MOST:
            self._known[key] = _Shape()
        return self._known.get(key)

    def played(self) -> list[Shape]:
        """Return the shapes that are played."""
        return [shape for (shape, *_), known in self._known.items() if known.recorded is not None]


class Replayed(Layer, abstract=True):
    """A model whose training steps are played once they are known; see this module.

    Parameters
    ----------
    model
        The model as its engine runs it. It is shared, not copied.
    """

    def __init__(self, model: Layer) -> None:
        self.model, self._shapes = model, _Shapes(model)

    @property
    def played(self) -> list[Shape]:
        """The shapes of input whose steps are played."""
        return self._shapes.played()

    def children(self) -> Mapping[str, Layer]:
        return {"": self.model}

    def output_shape(self, input_shape: Any) -> Any:
        return self.model.output_shape(input_shape)

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        if training is None or training.noted() or (known := self._shapes.of(x)) is None:
            return self.model.forward(x, training)
        if known.times == AFTER:
            known.recorded = _recorded(self.model, x, known.workspace)
        known.times += 1
        if known.recorded is not None and known.recorded.is_free:
            y, played = known.recorded.forward(x, training)
            return y, played
        with known.workspace.used():
            y, cache = self.model.forward(x, training)
        return y, Ran(known.workspace, cache)

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        if isinstance(cache, Ran):
            with cache.workspace.used():
                return self.model.backward(dy, cache.cache, input_gradient=input_gradient)
        if isinstance(cache, Played):
            if not input_gradient and not is_observed():
                return cache.step.backward(dy, cache)
            cache.waits = False
            _, cache = self.model.forward(cache.step.x, StepContext())  # for what it keeps
        return self.model.backward(dy, cache, input_gradient=input_gradient)


class Inference:
    """A model's inference, played once it is known; for one thread, and values that do not change.

    Parameters
    ----------
    model
        The model; it is shared.
    """

    def __init__(self, model: Layer) -> None:
        self.model, self._shapes, self._workspace = model, _Shapes(model), Workspace()

    @property
    def played(self) -> list[Shape]:
        """The shapes of input for which it is played."""
        return self._shapes.played()

    def __call__(self, x: Any) -> Any:
        """Return the model's output."""
        known, workspace = self._shapes.of(x), self._workspace
        if known is not None:
            workspace = known.workspace
            if known.times == AFTER:
                known.recorded = _recorded_inference(self.model, x, workspace)
            known.times += 1
            if known.recorded is not None:
                return known.recorded(x)
        with workspace.used():
            return self.model(x)


class RecordedInference:
    """The inference of a model for one shape of input, written down."""

    def __init__(self, model: Layer, x: Array, workspace: Workspace) -> None:
        self._x, self._recording = np.zeros_like(x), Recording(workspace)
        with self._recording.running():
            y = model(self._x)
        self.is_whole = self._recording.is_whole
        place = workspace.place(y)
        del y
        self._recording.bind()
        self._y: Array = workspace.at(place)

    def __call__(self, x: Array) -> Array:
        np.copyto(self._x, x)
        self._recording.play()
        return self._y.copy(order="K")


def _recorded_inference(model: Layer, x: Array, workspace: Workspace) -> RecordedInference | None:
    """Return it, if playing it gives what running it gives, bit for bit."""
    other = _like(x, np.random.default_rng(0))
    with workspace.used():
        expected = [np.asarray(model(given)).tobytes() for given in (x, other)]
    recorded = RecordedInference(model, x, workspace)
    found = [recorded(given).tobytes() for given in (x, other)]
    return recorded if recorded.is_whole and found == expected else None


def _recorded(model: Layer, x: Array, workspace: Workspace) -> RecordedStep | None:
    """Return a step written down, if playing it gives what running it gives, bit for bit."""
    random, copy = np.random.default_rng(0), deepcopy(model)
    trial, other = RecordedStep(copy, x, workspace), _like(x, random)
    if trial.varies or not trial.is_whole:
        return None
    _draw(copy, random)
    with workspace.used():
        expected = _numbers(copy, copy, other)
    if _numbers(trial, copy, other) != expected:
        return None
    del trial
    return RecordedStep(model, x, workspace)


def _draw(model: Layer, random: np.random.Generator) -> None:
    """Give every value of a model random numbers."""
    for _, item in model.named_state():
        if np.issubdtype(item.dtype, np.floating):
            item.value = _like(item.value, random)


def _like(array: Array, random: np.random.Generator) -> Array:
    """Return random numbers that lie in memory as those of `array`."""
    drawn = np.empty_like(array)
    drawn[...] = random.normal(size=array.shape)
    return drawn


def _numbers(step: Layer | RecordedStep, model: Layer, x: Array) -> list[bytes]:
    """Return all that a training step gives: outputs, gradients, and the buffers' next values."""
    training = StepContext()
    y, cache = step.forward(x, training)
    model.zero_grad()
    step.backward(_like(y, np.random.default_rng(1)), cache, input_gradient=False)
    gradients = [parameter.grad for parameter in model.parameters()]
    return [array.tobytes() for array in (y, *gradients, *training.noted().values())]


def for_training(model: Layer) -> Layer:
    """Return what the engine in force trains fastest, with the model's own parameters."""
    return Replayed(for_engine(model)) if engine.current().RECORDS else for_engine(model)
