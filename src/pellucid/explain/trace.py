"""Every number of one pass forwards and backwards, with the graph that it went through."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pellucid import engine, ops
from pellucid.errors import PellucidError
from pellucid.explain.inputs import network_inputs, stored
from pellucid.explain.names import next_use, refuse_frozen
from pellucid.layers import Layer, LogSoftmax, Softmax
from pellucid.layers.base import join
from pellucid.types import Array, Shape

Objective = Literal["loss", "score"]


@dataclass(frozen=True)
class Node:
    """A layer where a network uses it.

    Attributes
    ----------
    name
        Its path in the model, and "path#2" the second time that the layer is used.
    layer
        The layer; it has no layers inside.
    reads
        The numbers of the values that it reads: 0 is the network's input, and i what the i-th node
        gives, from 1 on.
    """

    name: str
    layer: Layer
    reads: tuple[int, ...]


def nodes(model: Layer) -> tuple[Node, ...]:
    """Return the layers that compute something, in the order in which they run, and what they read.

    Blocks such as `Sequential` and `Residual` are taken apart: the sum of a residual block is an
    `Add` that reads two values. The last node gives the network's output.

    Raises
    ------
    PellucidError
        The model is frozen, or a part of it has several inputs or outputs where one is expected.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Residual(nn.Sequential(relu=nn.ReLU())), nn.Flatten())
    >>> [(node.name, type(node.layer).__name__, node.reads) for node in nodes(model)]
    [('0.relu', 'ReLU', (0,)), ('0.add', 'Add', (1, 0)), ('1', 'Flatten', (2,))]
    """
    refuse_frozen(model)
    found: list[Node] = []
    uses: Counter[str] = Counter()

    def visit(path: str, layer: Layer, reads: tuple[int, ...]) -> int:
        wiring = layer.wiring()
        if wiring is None:
            found.append(Node(next_use(path or type(layer).__name__, uses), layer, reads))
            return len(found)
        if len(wiring.outputs) != 1:
            raise PellucidError(f"'{path}' returns {len(wiring.outputs)} values; one is expected")
        values = list(reads)
        for wire in wiring.wires:
            given = tuple(values[i] for i in wire.reads)
            values.append(visit(join(path, wire.name), wire.layer, given))
        return values[wiring.outputs[0]]

    last = visit("", model, (0,))
    if last != len(found):
        raise PellucidError("the network's output is not what its last layer gives")
    return tuple(found)


@dataclass(frozen=True)
class Trace:
    """One pass of a batch of images through a network, and back.

    Attributes
    ----------
    nodes
        The layers, as `nodes` gives them.
    values
        ``values[0]`` is what the network was given, preprocessed; ``values[i]`` what the i-th node
        gave, from 1 on.
    gradients
        The objective's gradient for each of `values`; a value that the objective does not depend
        on has zeros. None if only the forward pass was asked for.
    parameter_gradients
        For each parameter, by path; empty without gradients.
    probabilities, target
        (N, classes), and the class that the objective is about, (N,).
    objective
        Its value: for "loss" the mean of −log p[target], for "score" the sum of the targets'
        scores.
    """

    nodes: tuple[Node, ...]
    values: list[Array]
    gradients: list[Array] | None
    parameter_gradients: dict[str, Array]
    probabilities: Array
    target: Array
    objective: float

    def value(self, name: str) -> Array:
        """Return what the node called `name` gave."""
        return self.values[self._number(name)]

    def gradient(self, name: str) -> Array:
        """Return the objective's gradient for what the node called `name` gave."""
        if self.gradients is None:
            raise PellucidError("this trace was made without gradients")
        return self.gradients[self._number(name)]

    def _number(self, name: str) -> int:
        names = [node.name for node in self.nodes]
        if name not in names:
            raise PellucidError(f"no layer is called '{name}'; there are {', '.join(names)}")
        return names.index(name) + 1


class Tracer:
    """Runs a network layer by layer and keeps every value and every gradient.

    It is inference: batch normalisation uses its running statistics, dropout does nothing, and the
    model stays as it is. The reference engine computes, so that each number is the result of the
    lines that one reads.

    Parameters
    ----------
    model
        Any classifier with one input. It is copied; `load` gives the copy other values.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 2, 3), flat=nn.Flatten(), fc=nn.Linear(8, 3))
    >>> trace = Tracer(nn.initialize(model)).run(np.ones((1, 1, 4, 4), np.float32), target=2)
    >>> trace.value("conv").shape, trace.gradient("conv").shape
    ((1, 2, 2, 2), (1, 2, 2, 2))
    >>> bool(np.allclose(trace.gradient("fc")[0], trace.probabilities[0] - [0, 0, 1]))
    True
    """

    def __init__(self, model: Layer) -> None:
        self.model = model
        self._twin = copy.deepcopy(model)
        self.nodes = nodes(self._twin)

    def load(self, state: Mapping[str, Array]) -> None:
        """Compute with these values from now on, such as ``model.state_dict()`` gives."""
        self._twin.load_state_dict(state)

    def shapes(self, image_shape: Shape) -> list[Shape]:
        """Return the shape of each value for one image (C, H, W), without the batch."""
        shapes: list[Any] = [(1, *image_shape)]
        for node in self.nodes:
            given = tuple(shapes[i] for i in node.reads)
            shapes.append(node.layer.output_shape(given[0] if node.layer.inputs == 1 else given))
        return [shape[1:] for shape in shapes]

    def run(
        self,
        images: Any,
        target: int | Sequence[int] | None = None,
        objective: Objective = "loss",
        gradients: bool = True,
    ) -> Trace:
        """Return all numbers of one pass.

        Parameters
        ----------
        images
            (N, C, H, W) or one image (C, H, W), as they are stored where the model has a
            preprocessing.
        target
            The class that the objective is about, one or one for each image; without it, the most
            probable.
        objective
            "loss" is the cross entropy, the mean of −log p[target]; "score" the target's score: its
            output before the softmax, or log p[target] where the network ends with a softmax.
        gradients
            Whether to go back as well.
        """
        with engine.using("reference"):
            x = network_inputs(self._twin, stored(self._twin, images))
            values, caches = self._forward(x)
            probabilities = _probabilities(self.nodes[-1].layer, values[-1])
            chosen = _targets(target, probabilities)
            value, start = _objective(objective, self.nodes[-1].layer, values[-1], chosen)
            found = self._backward(values, caches, start) if gradients else None
            learned = self._parameter_gradients() if gradients else {}
        return Trace(self.nodes, values, found, learned, probabilities, chosen, value)

    def influence(self, trace: Trace, node: int, position: tuple[int, ...]) -> list[Array]:
        """Return how one output of a node depends on each number that the node reads.

        It is a row of the Jacobian, ``∂y[position] / ∂x``, one array for each value that is read,
        in the shape of that value.

        Parameters
        ----------
        trace
            A pass of one image.
        node
            The number of the node's value in `trace.values`, from 1 on.
        position
            Where in the node's output, without the batch.
        """
        one = self.nodes[node - 1]
        with engine.using("reference"):
            y, cache = one.layer.forward(_given(one, trace.values))
            single = np.zeros_like(y)
            single[(0, *position)] = 1
            dx = one.layer.backward(single, cache)
            self._twin.zero_grad()
        return list(dx) if one.layer.inputs != 1 else [dx]

    def _forward(self, x: Array) -> tuple[list[Array], list[Any]]:
        values, caches = [x], []
        for node in self.nodes:
            y, cache = node.layer.forward(_given(node, values))
            values.append(y)
            caches.append(cache)
        return values, caches

    def _backward(self, values: list[Array], caches: list[Any], start: Array) -> list[Array]:
        self._twin.zero_grad()
        found = [np.zeros_like(value) for value in values]
        found[-1] = start
        for i in reversed(range(len(self.nodes))):
            node = self.nodes[i]
            dx = node.layer.backward(found[i + 1], caches[i])
            for read, part in zip(node.reads, dx if node.layer.inputs != 1 else (dx,), strict=True):
                found[read] = found[read] + part
        return found

    def _parameter_gradients(self) -> dict[str, Array]:
        return {path: p.grad.copy() for path, p in self._twin.named_parameters().items()}


def _given(node: Node, values: list[Array]) -> Any:
    given = tuple(values[i] for i in node.reads)
    return given[0] if node.layer.inputs == 1 else given


def _probabilities(last: Layer, y: Array) -> Array:
    """Return the probabilities that y, what the network gave, stands for."""
    return y if isinstance(last, Softmax) else ops.softmax(y, 1)


def _targets(target: int | Sequence[int] | None, probabilities: Array) -> Array:
    count, classes = probabilities.shape
    if target is None:
        return np.asarray(probabilities.argmax(axis=1))
    chosen = np.broadcast_to(np.asarray(target), (count,))
    if chosen.min() < 0 or chosen.max() >= classes:
        raise PellucidError(f"the classes are 0 to {classes - 1}, not {target}")
    return chosen


def _objective(objective: Objective, last: Layer, y: Array, target: Array) -> tuple[float, Array]:
    """Return the objective and its gradient for y, what the network gave."""
    if objective not in ("loss", "score"):
        raise PellucidError(f"the objective is 'loss' or 'score', not {objective!r}")
    rows, gradient = np.arange(len(target)), np.zeros_like(y)
    chosen = y[rows, target]
    if objective == "loss" and not isinstance(last, Softmax | LogSoftmax):
        loss, gradient = ops.cross_entropy(y, target)
        return float(loss), gradient
    gradient[rows, target] = 1
    if isinstance(last, Softmax):  # of log p it is 1/p
        with np.errstate(divide="ignore"):
            gradient[rows, target], chosen = 1 / chosen, np.log(chosen)
    if objective == "loss":
        return float(-chosen.mean()), -gradient / len(target)
    return float(chosen.sum()), gradient
