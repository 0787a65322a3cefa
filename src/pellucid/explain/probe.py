"""A copy of a model that computes gradients without changing the model."""

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
    """A parameter that shares another one's array and discards its gradient."""

    __slots__ = ()

    def __init__(self, of: Parameter) -> None:
        super().__init__(of.name, of.shape, of.initializer, of.kind, of.fan)
        self.dtype, self._value = of.dtype, of.value

    @property
    def grad(self) -> Array:
        return np.zeros_like(self.value)

    def add_gradient(self, gradient: Array) -> None:
        """Discard the gradient."""


class _Guided(Wrapper, abstract=True):
    """A ReLU that passes back only positive gradients.

    ``dx = max(dy · [x > 0], 0)``, the positive part of the ReLU's own gradient.
    """

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        return np.maximum(super().backward(dy, cache), 0)


class _Revived(Wrapper, abstract=True):
    """A ReLU that passes back the whole gradient of an image if it would otherwise be all zero.

    If every relevant value is below 0, there would be no direction for gradient ascent.
    """

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        dx = super().backward(dy, cache)
        dead = ~dx.any(axis=tuple(range(1, dx.ndim)), keepdims=True)
        return np.where(dead, dy, dx)


@dataclass
class _Trace:
    """Outputs of the watched layers, and terms to add to their gradients, by use."""

    outputs: dict[str, Array] = field(default_factory=dict)
    gradients: dict[str, Array] = field(default_factory=dict)
    pushes: dict[str, Array] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        for kept in (self.outputs, self.gradients, self.pushes, self.counts):
            kept.clear()


class _Watched(Wrapper, abstract=True):
    """A layer whose outputs and gradients are kept; its cache records which use it was."""

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
    """The results of one forward and backward pass for the score of one class per image.

    Attributes
    ----------
    logits, target
        Scores of all classes, (N, classes), and the class that is explained, (N,).
    inputs, input_gradient
        The network's inputs, and the gradient of the score for them, both (N, …).
    outputs, gradients
        Outputs of the watched layers, and the gradient for them.
    """

    logits: Array
    target: Array
    inputs: Array
    input_gradient: Array
    outputs: dict[str, Array]
    gradients: dict[str, Array]


class Probe:
    """A copy of a model that shares its parameters' values but not their gradients.

    Parameters
    ----------
    model
        The model to copy. It is not changed and may be used meanwhile.
    layers
        Names of the layers to watch.
    guided
        Whether each ReLU passes back only positive gradients.
    revive
        Whether a ReLU passes back the whole gradient where it would otherwise be all zero.
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
                "guided backpropagation needs a model with ReLU layers; this one has none"
            )
        self.model: Layer = self._memo[id(model)]

    def _twin(self, layer: Layer, watched: set[str]) -> None:
        """Add a copy of `layer` to the memo with which the combinators around it are copied."""
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
        """Return the scores of all classes, (N, classes), for the network inputs `x`."""
        return self._forward(x)[0]

    def watched(self, layer: str) -> Array:
        """Return the output of a watched layer in the last pass."""
        check_names((layer,), self._trace.outputs)
        return self._trace.outputs[layer]

    def run(self, x: Array, target: Array | None, score: Score) -> Pass:
        """Run the inputs `x` forward and back for `target` (N,), by default the predicted class."""
        logits, cache = self._forward(x)
        chosen = logits.argmax(axis=1) if target is None else target
        dx = self.model.backward(score_gradient(logits, chosen, score), cache)
        outputs = {name: self.watched(name) for name in self.wanted}
        found = self._trace.gradients
        gradients = {name: found.get(name, np.zeros_like(y)) for name, y in outputs.items()}
        return Pass(logits, chosen, x, dx, outputs, gradients)

    def pull(self, x: Array, layer: str, push: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Return the output y of a watched layer, and the gradient of ``Σ y·push(y)`` for `x`.

        The result of `push` is treated as constant. The backward pass starts with zeros at the
        scores; at the layer, `push(y)` is added.
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
