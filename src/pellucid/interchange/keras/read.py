"""Convert a Keras model to Pellucid."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.keras import framework
from pellucid.interchange.keras.converted import Context, Converted
from pellucid.interchange.keras.converters import steps
from pellucid.interchange.keras.network import Call, Network, network
from pellucid.interchange.keras.orders import channels_last, our_shape
from pellucid.interchange.keras.pair import UnreadableError
from pellucid.types import Shape


class ReadValue(NamedTuple):
    """A value of the network: its name, its shape, and the (C, H, W) of a flattened image, if any.

    The values of a flattened image are in Pellucid's order, channels first.
    """

    name: str
    shape: Shape
    flattened: Shape | None = None


def from_keras(model: Any, input_shape: Any = None) -> nn.Layer:
    """Convert a Keras model to a Pellucid model with the same weights.

    The result takes images of shape (N, C, H, W). A chain of layers becomes a `Sequential`, any
    other model a `Graph`; layers keep their Keras names. An `activation` argument becomes a layer
    of its own. Augmentation and noise layers, such as ``RandomFlip`` and ``GaussianNoise``, become
    `Identity`, as they do nothing in inference; to train the model further, augment the data.

    Parameters
    ----------
    model
        A built `keras.Sequential` or functional `keras.Model` with channels last. Models may be
        nested, and layers may be shared.
    input_shape
        Shape (C, H, W) of an image. Required if the model takes images of any size.

    Returns
    -------
    Layer
        The equivalent model, with copies of the values.

    Raises
    ------
    PellucidError
        Some layers have no equivalent in Pellucid; the message names all of them.
    MissingExtraError
        TensorFlow is not installed.

    Examples
    --------
    >>> import keras                                                       # doctest: +SKIP
    >>> inception = keras.applications.InceptionV3(weights="imagenet")     # doctest: +SKIP
    >>> from_keras(inception).output_shape((1, 3, 299, 299))               # doctest: +SKIP
    (1, 1000)
    """
    keras = framework.load("from_keras")
    calls = network(model, keras)
    several = len(calls.inputs) > 1
    given = [input_shape] * len(calls.inputs) if not several or input_shape is None else input_shape
    shapes = [
        _entry(tensor.shape, shape) for tensor, shape in zip(model.inputs, given, strict=True)
    ]
    problems: list[str] = []
    found = _Reader(keras, calls, shapes, problems).read_whole()
    if problems:
        raise PellucidError("from_keras cannot read " + "; ".join(dict.fromkeys(problems)))
    assert found is not None
    if not several:
        found.input_shape = shapes[0][1:]
    found.output_shape(tuple(shapes) if several else shapes[0])
    return found


def _entry(shape: Any, wanted: Any) -> Shape:
    """Return the shape of a Keras input, for one image, in Pellucid's order."""
    known = our_shape((1, *shape[1:])) if wanted is None else (1, *wanted)
    if None in known:
        raise PellucidError(
            "this model takes images of any size; give one: from_keras(model, (C, H, W))"
        )
    return tuple(int(size) for size in known)


class _Reader:
    """Convert the calls of one Keras model to nodes of a graph."""

    def __init__(
        self,
        keras: Any,
        calls: Network,
        shapes: list[Shape],
        problems: list[str],
        flattened: tuple[Shape | None, ...] | None = None,
    ) -> None:
        self.keras, self.network, self.problems = keras, calls, problems
        self.nodes: dict[str, tuple[nn.Layer, tuple[str, ...]]] = {}
        self.values: dict[str, ReadValue] = {}
        self.made: dict[int, list[Converted]] = {}
        self.readers = Counter(source for call in calls.calls for source in call.sources)
        self.readers.update(calls.outputs)
        self.uses = Counter(id(call.layer) for call in calls.calls)
        marks = flattened or (None,) * len(shapes)
        self.inputs = ["x"] if len(shapes) == 1 else [_clean(name) for name in calls.inputs]
        for name, label, shape, mark in zip(calls.inputs, self.inputs, shapes, marks, strict=True):
            self.values[name] = ReadValue(label, shape, mark)

    def read_whole(self) -> nn.Layer | None:
        """Return the model, with outputs in Keras's order, or None if a layer cannot be read."""
        _, found = self.read()
        if self.problems:
            return None
        return self._model([self._in_their_order(value).name for value in found])

    def read(self) -> tuple[nn.Layer | None, list[ReadValue]]:
        """Return the model, or None if a layer cannot be read, and its output values."""
        for call in self.network.calls:
            if call.name not in self.values:
                self.values[call.name] = self._call(call)
        if self.problems:
            return None, [self.values[name] for name in self.network.outputs]
        found = [self.values[name] for name in self.network.outputs]
        return self._model([value.name for value in found]), found

    def _model(self, outputs: list[str]) -> nn.Layer:
        before = self.inputs[0]
        for name, (_, read) in self.nodes.items():
            if read != (before,) or len(self.inputs) > 1:
                break
            before = name
        else:
            if outputs == [before]:
                return nn.Sequential({name: layer for name, (layer, _) in self.nodes.items()})
        return nn.Graph(self.nodes, outputs if len(outputs) > 1 else outputs[0], self.inputs)

    def _call(self, call: Call) -> ReadValue:
        given = [self.values[source] for source in call.sources]
        try:
            if isinstance(call.layer, self.keras.Model):
                return self._nested(call, given)
            return self._steps(call, given)
        except (UnreadableError, PellucidError) as error:
            kind = type(call.layer).__name__
            self.problems.append(f"'{call.name}' ({kind}): {error}".removesuffix(": "))
            shape = getattr(call.layer, "output", self.keras.Input(())).shape
            return ReadValue(call.name, our_shape((1, *(size or 1 for size in shape[1:]))))

    def _nested(self, call: Call, given: list[ReadValue]) -> ReadValue:
        inner = _Reader(
            self.keras,
            network(call.layer, self.keras),
            [value.shape for value in given],
            self.problems,
            tuple(value.flattened for value in given),
        )
        model, found = inner.read()
        if len(found) > 1:
            raise UnreadableError("it is a nested model with several outputs")
        if model is None:
            return ReadValue(call.name, found[0].shape, found[0].flattened)
        if id(call.layer) in self.made:
            model = self.made[id(call.layer)][0].layer
        self.made[id(call.layer)] = [Converted("", model)]
        return ReadValue(self._node(call.name, model, given), found[0].shape, found[0].flattened)

    def _steps(self, call: Call, given: list[ReadValue]) -> ReadValue:
        """Add the layers that replace one call."""
        shapes = tuple(value.shape for value in given)
        flattened = given[0].flattened
        pad = self._pad_before(given[0]) if self.uses[id(call.layer)] == 1 else None
        if id(call.layer) not in self.made:
            context = Context(shapes, flattened, call.constants, pad)
            self.made[id(call.layer)] = steps(call.layer, context)
        found = self.made[id(call.layer)]
        if pad is not None and found[0].takes_pad:
            (before,) = self.nodes.pop(given[0].name)[1]
            given = [next(v for v in self.values.values() if v.name == before)]
        for step in found:
            if not step.any_order:
                given = [self._in_their_order(value) for value in given]
            shape = tuple(value.shape for value in given)
            after = step.layer.output_shape(shape if step.layer.inputs != 1 else shape[0])
            mark = given[0].flattened if step.keeps_order else step.flattened
            name = f"{call.name}_{step.suffix}" if step.suffix else call.name
            given = [ReadValue(self._node(name, step.layer, given), after, mark)]
        return given[0]

    def _pad_before(self, value: ReadValue) -> nn.Pad2d | None:
        """Return the padding layer that computes `value`, if no other layer reads its output."""
        layer = self.nodes[value.name][0] if value.name in self.nodes else None
        alone = [name for name, other in self.values.items() if other.name == value.name]
        read_once = sum(self.readers[name] for name in alone) == 1
        return layer if isinstance(layer, nn.Pad2d) and read_once else None

    def _in_their_order(self, value: ReadValue) -> ReadValue:
        """Return a flattened image with its values in Keras's order, channels last."""
        if value.flattened is None:
            return value
        order = tuple(channels_last(value.flattened).tolist())
        return ReadValue(self._node(f"{value.name}_order", nn.Take(order), [value]), value.shape)

    def _node(self, name: str, layer: nn.Layer, given: list[ReadValue]) -> str:
        name = _clean(name)
        while name in self.nodes or name in self.inputs:
            name += "_"
        self.nodes[name] = (layer, tuple(value.name for value in given))
        return name


def _clean(name: str) -> str:
    """Replace the dots in a name, because dots separate the names in a path."""
    return name.replace(".", "_")
