"""All values and gradients of one forward and backward pass, with the graph of the network."""

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
    """One use of a layer in a network.

    Attributes
    ----------
    name
        Path of the layer, with "#2" and so on from its second use on.
    layer
        The layer, which is not a combinator.
    reads
        Numbers of the values that the layer reads: 0 is the network's input, i ≥ 1 is the output of
        the i-th node.
    """

    name: str
    layer: Layer
    reads: tuple[int, ...]


def nodes(model: Layer) -> tuple[Node, ...]:
    """Return the layers that compute something, in the order in which they run.

    Combinators are expanded: the sum of a `Residual` is an `Add` that reads two values. The last
    node computes the network's output.

    Raises
    ------
    PellucidError
        The model is frozen, or a part has several inputs or outputs where one is expected.

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
        raise PellucidError("the network's output is not the output of its last layer")
    return tuple(found)


@dataclass(frozen=True)
class Trace:
    """The values and gradients of one pass of a batch of images.

    Attributes
    ----------
    nodes
        The layers, see `nodes`.
    values
        ``values[0]`` is the network's (preprocessed) input, ``values[i]`` the output of the i-th
        node, from 1 on.
    gradients
        Gradient of the objective for each of `values`, zero for those on which it does not depend.
        None if only the forward pass was requested.
    parameter_gradients
        Gradient for each parameter by path; empty if only the forward pass was requested.
    probabilities, target
        Probabilities, (N, classes), and the class of the objective for each image, (N,).
    objective
        Value of the objective: the mean of −log p[target] for "loss", the sum of the targets'
        scores for "score".
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
        """Return the output of the node `name`."""
        return self.values[self._number(name)]

    def gradient(self, name: str) -> Array:
        """Return the gradient of the objective for the output of the node `name`."""
        if self.gradients is None:
            raise PellucidError("this trace has no gradients; run it with gradients=True")
        return self.gradients[self._number(name)]

    def _number(self, name: str) -> int:
        names = [node.name for node in self.nodes]
        if name not in names:
            raise PellucidError(f"there is no layer '{name}'; the layers are {', '.join(names)}")
        return names.index(name) + 1


class Tracer:
    """Run a network layer by layer and keep all values and gradients.

    The network runs in inference mode: batch normalisation uses its running statistics, dropout
    does nothing, and the model is not changed. The reference engine computes, so every number comes
    from the code that a reader sees.

    Parameters
    ----------
    model
        A classifier with one input. It is copied; `load` gives the copy other values.

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
        """Replace the values of the copy, for example by those of ``model.state_dict()``."""
        self._twin.load_state_dict(state)

    def shapes(self, image_shape: Shape) -> list[Shape]:
        """Return the shape of each value for one image (C, H, W), without the batch axis."""
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
        """Run one pass and return all its numbers.

        Parameters
        ----------
        images
            Images (N, C, H, W) or one image (C, H, W), as stored if the model has a
            `preprocessing`.
        target
            Class of the objective, one or one per image. By default the most probable class.
        objective
            "loss" is the cross entropy, the mean of −log p[target]; "score" is the target's output
            before the softmax, or log p[target] if the network ends with a softmax.
        gradients
            Whether to run the backward pass too. Default: True.
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
        """Return the derivatives of one output of a node for everything that the node reads.

        It is a row of the Jacobian, ``∂y[position] / ∂x``: one array for each value that is read,
        with the shape of that value.

        Parameters
        ----------
        trace
            A pass of one image.
        node
            Number of the node's output in `trace.values`, from 1 on.
        position
            Index into the node's output, without the batch axis.
        """
        one = self.nodes[node - 1]
        with engine.using("reference"):
            y, cache = one.layer.forward(_given(one, trace.values))
            single = np.zeros_like(y)
            single[(0, *position)] = 1
            dx = one.layer.backward(single, cache)
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
    """Return the probabilities that the network's output `y` represents."""
    return y if isinstance(last, Softmax) else ops.softmax(y, 1)


def _targets(target: int | Sequence[int] | None, probabilities: Array) -> Array:
    count, classes = probabilities.shape
    if target is None:
        return np.asarray(probabilities.argmax(axis=1))
    chosen = np.broadcast_to(np.asarray(target), (count,))
    if chosen.min() < 0 or chosen.max() >= classes:
        raise PellucidError(f"target must be a class from 0 to {classes - 1}, not {target}")
    return chosen


def _objective(objective: Objective, last: Layer, y: Array, target: Array) -> tuple[float, Array]:
    """Return the objective and its gradient for the network's output `y`."""
    if objective not in ("loss", "score"):
        raise PellucidError(f"objective must be 'loss' or 'score', not {objective!r}")
    rows, gradient = np.arange(len(target)), np.zeros_like(y)
    chosen = y[rows, target]
    if objective == "loss" and not isinstance(last, Softmax | LogSoftmax):
        loss, gradient = ops.cross_entropy(y, target)
        return float(loss), gradient
    gradient[rows, target] = 1
    if isinstance(last, Softmax):  # the derivative of log p is 1/p
        with np.errstate(divide="ignore"):
            gradient[rows, target], chosen = 1 / chosen, np.log(chosen)
    if objective == "loss":
        return float(-chosen.mean()), -gradient / len(target)
    return float(chosen.sum()), gradient
