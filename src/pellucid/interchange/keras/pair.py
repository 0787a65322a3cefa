"""Describe a layer of Pellucid and a layer of Keras that compute the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, NamedTuple

from pellucid import layers as nn
from pellucid.interchange.keras.orders import Order
from pellucid.layers.description import FROM_CHANNELS
from pellucid.parameter import Parameter
from pellucid.types import Shape

Config = Mapping[str, Any]


class UnreadableError(Exception):
    """A Keras layer has no equivalent in Pellucid; the message says why."""


class UnwritableError(Exception):
    """A Pellucid layer has no equivalent in Keras; the message says why."""


def _always(_: Any, shape: Any) -> bool:
    return True


def _nothing(_: Any, shape: Any) -> dict[str, Any]:
    return {}


def _same(value: Any) -> Any:
    return value


class Argument(NamedTuple):
    """Name of an argument in Keras, or of several equal ones, and how its value is converted."""

    names: tuple[str, ...]
    to_keras: Callable[[Any], Any] = _same
    from_keras: Callable[[Any], Any] = _same


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A layer of Pellucid and the layer of Keras that computes the same.

    Attributes
    ----------
    kind, keras_kind
        The class of the Pellucid layer, and the name of the Keras layer in `keras.layers`.
    arguments
        Keras's argument for each of Pellucid's arguments. Sizes that both layers take from their
        input are omitted.
    weights
        Keras's name and order of axes for each of Pellucid's parameters and buffers.
    when
        Condition on the Pellucid layer for the pair to apply.
    fixed
        Arguments that Keras's layer gets when written, and must have when read.
    reads_when
        Further condition on the configuration of Keras's layer for the pair to apply.
    to_keras, from_keras
        Return arguments that depend on the input's shape (in Pellucid's order, batch included).
    border
        Value that a window sees beyond the image's edge; None for layers without a window.
    each_alone
        Whether the values of a flattened image may be in any order, because each is treated alone
        or the weights can be reordered.
    """

    kind: type[nn.Layer]
    keras_kind: str
    arguments: Mapping[str, str | Argument] = field(default_factory=dict)
    weights: Mapping[str, tuple[str, Order]] = field(default_factory=dict)
    when: Callable[[Any, Any], bool] = _always
    fixed: Config = field(default_factory=dict)
    reads_when: Callable[[Config, Any], bool] = _always
    to_keras: Callable[[Any, Any], dict[str, Any]] = _nothing
    from_keras: Callable[[Config, Any], dict[str, Any]] = _nothing
    border: float | None = None
    each_alone: bool = False

    def holds_for(self, layer: nn.Layer, shape: Shape) -> bool:
        """Return whether the Keras layer computes what `layer` does for inputs of this shape."""
        return type(layer) is self.kind and self.when(layer, shape)

    def keras_arguments(self, layer: nn.Layer, shape: Shape) -> dict[str, Any]:
        """Return the arguments of the Keras layer."""
        given = dict(self.fixed)
        for name, argument in self._arguments():
            value = getattr(layer, name)
            if isinstance(value, Parameter):
                value = True  # the attribute `bias` holds the parameter that bias=True created
            given |= dict.fromkeys(argument.names, argument.to_keras(value))
        return given | self.to_keras(layer, shape)

    def reads(self, config: Config, shape: Any) -> bool:
        """Return whether the Pellucid layer computes what this Keras configuration does."""
        fits = all(_equal(config.get(name), value) for name, value in self.fixed.items())
        return fits and self.reads_when(config, shape)

    def our_layer(self, config: Config, shape: Shape) -> nn.Layer:
        """Return the Pellucid layer for inputs of this shape, without its weights."""
        given = {
            name: argument.from_keras(simple(config[argument.names[0]]))
            if len(argument.names) == 1
            else any(config[keras_name] for keras_name in argument.names)
            for name, argument in self._arguments()
        }
        if self.border is not None:
            given["padding"] = "same" if config["padding"] == "same" else 0
        kind: Any = self.kind
        channels = {
            f.name: shape[-1 if f.name == "in_features" else 1]
            for f in fields(kind)
            if f.name in FROM_CHANNELS and f.default is MISSING
        }
        layer: nn.Layer = kind(**channels | given | self.from_keras(config, shape))
        return layer

    def _arguments(self) -> list[tuple[str, Argument]]:
        return [
            (name, Argument((keras,)) if isinstance(keras, str) else keras)
            for name, keras in self.arguments.items()
        ]


def simple(value: Any) -> Any:
    """Return a list of equal values as one value, and any other list as a tuple.

    >>> simple([3, 3]), simple([3, 2])
    (3, (3, 2))
    """
    if not isinstance(value, list | tuple):
        return value
    return value[0] if len(set(value)) == 1 else tuple(value)


def sides(value: Any) -> Any:
    """Return ((top, bottom), (left, right)) in its shortest form.

    >>> sides([[1, 1], [1, 1]]), sides([[1, 1], [2, 2]]), sides([[0, 1], [0, 1]])
    (1, (1, 2), ((0, 1), (0, 1)))
    """
    pairs = tuple(tuple(pair) for pair in value)
    return simple([a for a, _ in pairs]) if all(a == b for a, b in pairs) else pairs


def _equal(value: Any, wanted: Any) -> bool:
    """Compare a value of a configuration, where a list of one axis equals that axis."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return bool(value == wanted)
