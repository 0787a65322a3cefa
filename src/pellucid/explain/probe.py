"""A model that can be asked for gradients and stays as it is."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.errors import PellucidError
from pellucid.explain.names import Uses, check_names, next_use
from pellucid.explain.scores import Score, score_gradient
from pellucid.explain.wrapper import Wrapper
from pellucid.layers import (
    Identity,
    Layer,
    LogSoftmax,
    ReLU,
    ReLU6,
    Sequential,
    Softmax,
    StepContext,
)
from pellucid.parameter import Parameter
from pellucid.types import Array


class _Fixed(Parameter):
    """A parameter with the same array as another, which gathers no gradient."""

    __slots__ = ()

    def __init__(self, of: Parameter) -> None:
        super().__init__(of.name, of.shape, of.initializer, of.kind, of.fan)
        self.dtype, self._value = of.dtype, of.value

    @property
    def grad(self) -> Array:
        return np.zeros_like(self.value)

    def add_gradient(self, gradient: Array) -> None:
        """Forget it."""


class _Guided(Wrapper, abstract=True):
    """A ReLU that passes back only what is positive.

    ``dx = max(dy · [x > 0], 0)``: of the ReLU's own gradient, the positive part.
    """

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        return np.maximum(super().backward(dy, cache), 0)


class _Revived(Wrapper, abstract=True):
    """A ReLU that passes the whole gradient back for an image of which it would pass none.

    Where every value that matters is below 0 there is no gradient, and so no way to climb.
    """

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        dx = super().backward(dy, cache)
        dead = ~dx.any(axis=tuple(range(1, dx.ndim)), keepdims=True)
        return np.where(dead, dy, dx)


@dataclass
class _Trace:
    """What passed through the watched layers, and what is added to their gradients, by use."""

    outputs: dict[str, Array] = field(default_factory=dict)
    gradients: dict[str, Array] = field(default_factory=dict)
    pushes: dict[str, Array] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        for kept in (self.outputs, self.gradients, self.pushes, self.counts):
            kept.clear()


class _Watched(Wrapper, abstract=True):
    """A layer whose outputs and their gradients are kept. Its cache knows which use it was."""

    def __init__(self, layer: Layer, path: str, trace: _Trace) -> None:
        super().__init__(layer)
        self.path, self.trace = path, trace

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        y, cache = super().forward(x, training)
        use = next_use(self.path, self.trace.counts)
        self.trace.outputs[use] = y
        return y, (use, cache)

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        use, kept = cache
        if use in self.trace.pushes:
            dy = dy + self.trace.pushes[use]
        self.trace.gradients[use] = np.array(dy, order="C")
        return super().backward(dy, kept, input_gradient=input_gradient)


@dataclass(frozen=True)
class Pass:
    """One pass forward and back: of each image the score of one class, and its gradients.

    Attributes
    ----------
    logits, target
        (N, classes), and the class of which the gradients are, (N,).
    inputs, input_gradient
        What the network computed with, and the score's gradient for it, both (N, …).
    outputs, gradients
        Of each watched layer.
    """

    logits: Array
    target: Array
    inputs: Array
    input_gradient: Array
    outputs: dict[str, Array]
    gradients: dict[str, Array]


class Probe:
    """A model's twin: it shares the values of all parameters, and has no gradients to change.

    Parameters
    ----------
    model
        It is not changed, and may be used by others meanwhile.
    layers
        The names of the layers to watch.
    guided
        Whether each ReLU passes back only what is positive.
    revive
        Whether a ReLU passes the gradient back all the same where else none would be left.
    """

    def __init__(
        self,
        model: Layer,
        layers: Iterable[str] = (),
        guided: bool = False,
        revive: bool = False,
    ) -> None:
        self.wanted = tuple(layers)
        self._trace = _Trace()
        self._paths = Uses(model).paths
        watched = {name.partition("#")[0] for name in self.wanted}
        check_names(watched, self._paths.values())
        self._memo: dict[int, Any] = {id(v): v for v in model.buffers().values()}
        self._memo |= {id(p): _Fixed(p) for p in model.parameters()}
        if (last := _softmax_at_the_end(model)) is not None:
            self._memo[id(last)] = Identity()
        self.guides = 0
        self._relu = _Guided if guided else _Revived if revive else None
        self._twin(model, watched)
        if guided and not self.guides:
            raise PellucidError(
                "guided backpropagation needs a model with ReLUs; this one has none"
            )
        self.model: Layer = self._memo[id(model)]

    def _twin(self, layer: Layer, watched: set[str]) -> None:
        """Put a twin of `layer` into the memo by which whatever holds `layer` is copied."""
        if id(layer) in self._memo:
            return
        for child in layer.children().values():
            self._twin(child, watched)
        twin: Layer = copy.deepcopy(layer, self._memo)
        if self._relu is not None and isinstance(layer, ReLU | ReLU6):
            twin = self._relu(twin)
            self.guides += 1
        if (path := self._paths[id(layer)]) in watched:
            twin = _Watched(twin, path, self._trace)
        self._memo[id(layer)] = twin

    def logits(self, x: Array) -> Array:
        """Return the scores of all classes, (N, classes), for the network's inputs `x`."""
        return self._forward(x)[0]

    def watched(self, layer: str) -> Array:
        """Return what a watched layer gave in the last pass."""
        check_names((layer,), self._trace.outputs)
        return self._trace.outputs[layer]

    def run(self, x: Array, target: Array | None, score: Score) -> Pass:
        """Return the pass of the network's inputs `x` for `target` (N,), or the predicted class."""
        logits, cache = self._forward(x)
        chosen = logits.argmax(axis=1) if target is None else target
        dx = self.model.backward(score_gradient(logits, chosen, score), cache)
        outputs = {name: self.watched(name) for name in self.wanted}
        found = self._trace.gradients
        gradients = {name: found.get(name, np.zeros_like(y)) for name, y in outputs.items()}
        return Pass(logits, chosen, x, dx, outputs, gradients)

    def pull(self, x: Array, layer: str, push: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Return the output y of a watched layer, and the gradient of ``Σ y·push(y)`` for `x`.

        What `push` returns is taken to be constant. Backward begins with zeros at the scores, and
        at the layer `push(y)` is added.
        """
        logits, cache = self._forward(x)
        y = self.watched(layer)
        self._trace.pushes[layer] = push(y)
        return y, self.model.backward(np.zeros_like(logits), cache)

    def _forward(self, x: Array) -> tuple[Array, Any]:
        self._trace.clear()
        logits, cache = self.model.forward(x)
        return logits, cache


def _softmax_at_the_end(model: Layer) -> Layer | None:
    while isinstance(model, Sequential) and len(model):
        model = model[-1]
    return model if isinstance(model, Softmax | LogSoftmax) else None
