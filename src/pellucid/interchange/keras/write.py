"""Convert a Pellucid model to Keras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.keras import framework, transposed
from pellucid.interchange.keras.orders import (
    Order,
    channels_first_array,
    keras_shape,
)
from pellucid.interchange.keras.pair import Pair, UnwritableError
from pellucid.interchange.keras.pairs import PAIRS
from pellucid.interchange.keras.windows import Border, around
from pellucid.layers.base import join
from pellucid.ops.padding import padding_sides
from pellucid.types import Array, Shape


class Link(NamedTuple):
    """The Keras variable that holds a value of Pellucid, and its order of axes."""

    variable: Any
    order: Order
    flattened: Shape | None
    shape: Shape

    def from_keras(self, value: Any) -> Array:
        """Return Keras's value, or its gradient, in Pellucid's order."""
        return self.order.from_keras(np.asarray(value), self.flattened, self.shape)


class WrittenValue(NamedTuple):
    """Output of a layer: Keras's tensor, Pellucid's shape, and (C, H, W) of the flattened image.

    The values of a flattened image are in Keras's order, channels last.
    """

    tensor: Any
    shape: Shape
    flattened: Shape | None = None

    def from_keras(self, value: Any) -> Array:
        """Return an array of this tensor's shape, batch first, in Pellucid's order."""
        value = np.asarray(value)
        if self.flattened is not None:
            C, H, W = self.flattened
            value = value.reshape(-1, H, W, C).transpose(0, 3, 1, 2).reshape(len(value), -1)
        return channels_first_array(value)


@dataclass(frozen=True, eq=False)
class Twin:
    """A Keras model, and how its values correspond to those of the Pellucid model.

    Attributes
    ----------
    model
        The `keras.Model`.
    links
        For each parameter and buffer of the Pellucid model, the Keras variable that holds it.
    outputs
        (layer, output) pairs, in the order in which Pellucid's layers run.
    """

    model: Any
    links: dict[str, Link]
    outputs: list[tuple[nn.Layer, WrittenValue]]

    def state_dict(self) -> dict[str, Array]:
        """Return Keras's values under Pellucid's names, for `model.load_state_dict`.

        `num_batches_tracked` is omitted, because Keras does not count batches.
        """
        return {name: link.from_keras(link.variable) for name, link in self.links.items()}


def to_keras(model: nn.Layer, input_shape: Any = None) -> Any:
    """Convert a Pellucid model to a `keras.Model` with the same weights.

    The result takes images of shape (N, H, W, C). Its layers are named by their paths in `model`,
    such as ``layer1.0.conv1``. It can be trained in Keras, with one difference: Keras updates the
    moving variance of a batch normalisation with the batch's biased variance, Pellucid with the
    unbiased one.

    Parameters
    ----------
    model
        The model to convert.
    input_shape
        Shape (C, H, W) of one image, or (features,); a tuple of shapes for a graph with several
        inputs. By default, the shape of the images on which the model was trained.

    Returns
    -------
    keras.Model
        The model, in the type of `model`.

    Raises
    ------
    PellucidError
        Some layers have no equivalent in Keras; the message names all of them.
    MissingExtraError
        TensorFlow is not installed.

    Examples
    --------
    >>> from pellucid import models                               # doctest: +SKIP
    >>> lenet = models.build("lenet5", (1, 28, 28), 10)           # doctest: +SKIP
    >>> to_keras(lenet, (1, 28, 28)).output_shape                 # doctest: +SKIP
    (None, 10)
    """
    return twin_of(model, input_shape).model


def twin_of(model: nn.Layer, input_shape: Any = None) -> Twin:
    """Return the Keras model of `to_keras`, with the correspondence of its values."""
    shape: Any = model.input_shape if input_shape is None else input_shape
    if shape is None:
        raise PellucidError(
            "the shape of this model's images is not known; give it: to_keras(model, (C, H, W))"
        )
    writer = _Writer(framework.load("to_keras"), model)
    shapes: tuple[Shape, ...] = shape if isinstance(shape[0], tuple | list) else (shape,)
    inputs = tuple(writer.entry((1, *one)) for one in shapes)
    given = tuple(value.shape for value in inputs)
    model.output_shape(given if len(given) > 1 else given[0])
    found = writer.run(model, "", inputs if len(inputs) > 1 else inputs[0])
    if writer.problems:
        raise PellucidError(
            "Keras has no equivalent of these layers with these arguments: "
            + "; ".join(dict.fromkeys(writer.problems))
        )
    results: tuple[WrittenValue, ...] = found if _several(found) else (found,)
    outputs = [writer.in_our_order(value).tensor for value in results]
    keras_model = writer.keras.Model(
        [v.tensor for v in inputs] if len(inputs) > 1 else inputs[0].tensor,
        outputs if len(outputs) > 1 else outputs[0],
        name=type(model).__name__.lower(),
    )
    return Twin(keras_model, writer.links, writer.outputs)


def _several(value: Any) -> bool:
    return isinstance(value, tuple) and not isinstance(value, WrittenValue)


class _Writer:
    """Build the Keras layers by following Pellucid's combinators."""

    def __init__(self, keras: Any, model: nn.Layer) -> None:
        self.keras = keras
        self.names = {id(item): name for name, item in model.named_state()}
        self.dtype = next((str(p.dtype) for p in model.parameters()), "float32")
        self.links: dict[str, Link] = {}
        self.outputs: list[tuple[nn.Layer, WrittenValue]] = []
        self.problems: list[str] = []
        self.made: dict[int, tuple[nn.Layer, Any]] = {}
        """The Keras layer for each id of a Pellucid layer; both are kept, so that no id recurs."""

    def entry(self, shape: Shape) -> WrittenValue:
        """Return a Keras input for a shape in Pellucid's order."""
        return WrittenValue(self.keras.Input(keras_shape(shape)[1:], dtype=self.dtype), shape)

    def run(self, layer: nn.Layer, path: str, x: Any) -> Any:
        """Return the output of `layer`."""
        y = self._run(layer, path, x)
        self.outputs.append((layer, y))
        return y

    def _run(self, layer: nn.Layer, path: str, x: Any) -> Any:
        match layer:
            case nn.Sequential():
                for name, child in layer.layers.items():
                    x = self.run(child, join(path, name), x)
                return x
            case nn.Residual():
                return self._residual(layer, path, x)
            case nn.Concat():
                parts = tuple(
                    self.run(branch, join(path, name), x) for name, branch in layer.branches.items()
                )
                return self._leaf(nn.Cat(), join(path, "concat"), parts)
            case nn.Graph():
                return self._graph(layer, path, x)
        return self._leaf(layer, path, x)

    def _residual(self, layer: nn.Residual, path: str, x: WrittenValue) -> WrittenValue:
        y, around = self.run(layer.body, path, x), x
        if layer.shortcut is not None:
            around = self.run(layer.shortcut, join(path, "downsample"), x)
        total: WrittenValue = self._leaf(nn.Add(), join(path, "add"), (y, around))
        if layer.activation is None:
            return total
        found: WrittenValue = self.run(layer.activation, join(path, "activation"), total)
        return found

    def _graph(self, graph: nn.Graph, path: str, x: Any) -> Any:
        given = x if _several(x) else (x,)
        values: dict[str, Any] = dict(zip(graph.graph_inputs, given, strict=True))
        for name, (layer, read) in graph.nodes.items():
            taken = tuple(values[source] for source in read)
            taken = taken[0] if layer.inputs == 1 else taken
            values[name] = self.run(layer, join(path, name), taken)
        found = tuple(values[name] for name in graph.outputs)
        return found[0] if graph.single_output else found

    def _leaf(self, layer: nn.Layer, path: str, x: Any) -> WrittenValue:
        several = _several(x)
        shape = tuple(part.shape for part in x) if several else x.shape
        after = layer.output_shape(shape)
        pair = next((pair for pair in PAIRS if pair.holds_for(layer, shape)), None)
        try:
            if several and pair is not None:
                parts = [self.in_our_order(part).tensor for part in x]
                return WrittenValue(self._layer(layer, path, pair, shape)(parts), after)
            if pair is None:
                return self._special(layer, path, x, after)
            return self._one(layer, path, pair, x, after)
        except UnwritableError as error:
            self.problems.append(f"{path or 'the model'} ({layer!r}): {error}".removesuffix(": "))
            return self.entry(after)  # a placeholder, so that further problems are found

    def _special(self, layer: nn.Layer, path: str, x: WrittenValue, after: Shape) -> WrittenValue:
        """Return the output of a layer that Keras expresses with several layers or operations."""
        match layer:
            case nn.Flatten() | nn.Reshape() if len(after) == 2 and after[0] == x.shape[0]:
                C, H, W = x.shape[1:] if len(x.shape) == 4 else (1, 1, 1)
                moved = (C, H, W) if min(C, H * W) > 1 else x.flattened
                return WrittenValue(self._make("Flatten", path)(x.tensor), after, moved)
            case nn.Pad2d() if layer.mode in ("constant", "zeros", "reflect"):
                mode = "reflect" if layer.mode == "reflect" else "constant"
                sides = padding_sides(x.shape, layer.padding, layer.mode, layer.value)
                return WrittenValue(
                    self._padded(x.tensor, Border(sides, mode, layer.value), path), after
                )
        raise UnwritableError("")

    def _one(
        self, layer: nn.Layer, path: str, pair: Pair, x: WrittenValue, after: Shape
    ) -> WrittenValue:
        if not (pair.each_alone or isinstance(layer, nn.Linear)):
            x = self.in_our_order(x)
        tensor, padding = x.tensor, {}
        if pair.border is not None:
            word, border = around(layer, x.shape, pair.border)
            padding = {"padding": word}
            if border is not None:
                tensor = self._padded(tensor, border, join(path, "pad"))
        tensor = self._layer(layer, path, pair, x.shape, **padding)(tensor)
        self._fill(layer, self.made[id(layer)][1], pair, x.flattened)
        if isinstance(layer, nn.ConvTranspose2d) and any(map(any, transposed.edges(layer))):
            cut = transposed.edges(layer)
            tensor = self._make("Cropping2D", join(path, "crop"), cropping=cut)(tensor)
        return WrittenValue(tensor, after, x.flattened if pair.each_alone else None)

    def in_our_order(self, value: WrittenValue) -> WrittenValue:
        """Return a value with a flattened image's entries in Pellucid's order, channels first."""
        if value.flattened is None:
            return value
        C, H, W = value.flattened
        name = f"channels_first.{value.tensor.name}"
        tensor = self._make("Reshape", f"{name}.image", target_shape=(H, W, C))(value.tensor)
        tensor = self._make("Permute", f"{name}.turned", dims=(3, 1, 2))(tensor)
        return WrittenValue(self._make("Flatten", name)(tensor), value.shape)

    def _padded(self, tensor: Any, border: Border, path: str) -> Any:
        if border.mode == "constant" and border.value == 0:
            return self._make("ZeroPadding2D", path, padding=border.sides)(tensor)
        widths = ((0, 0), *border.sides, (0, 0))
        value = border.value if border.mode == "constant" else None
        return self.keras.ops.pad(tensor, widths, mode=border.mode, constant_values=value)

    def _layer(self, layer: nn.Layer, path: str, pair: Pair, shape: Any, **more: Any) -> Any:
        """Return the Keras layer, the same one on each use of a shared layer."""
        if id(layer) not in self.made:
            arguments = pair.keras_arguments(layer, shape) | more
            self.made[id(layer)] = layer, self._make(pair.keras_kind, path, **arguments)
        return self.made[id(layer)][1]

    def _make(self, kind: str, path: str, **arguments: Any) -> Any:
        if not hasattr(self.keras.layers, kind):
            raise UnwritableError(f"Keras {self.keras.__version__} has no {kind} yet")
        make = getattr(self.keras.layers, kind)
        return make(**arguments, name=path or None, dtype=self.dtype)

    def _fill(self, layer: nn.Layer, made: Any, pair: Pair, flattened: Shape | None) -> None:
        """Copy the layer's values to the Keras layer, and note where they are."""
        for name, (keras_name, order) in pair.weights.items():
            item: Any = getattr(layer, name, None)
            if id(item) in self.names:
                variable = getattr(made, keras_name)
                link = Link(variable, order, flattened, item.shape)
                variable.assign(order.to_keras(item.value, flattened, tuple(variable.shape)))
                self.links[self.names[id(item)]] = link
