"""What is said of two layers that compute the same, ours and Keras's."""

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
    """A layer of Keras for which there is none of ours; the text says why."""


class UnwritableError(Exception):
    """A layer of ours for which there is none of Keras's; the text says why."""


def _always(_: Any, shape: Any) -> bool:
    return True


def _nothing(_: Any, shape: Any) -> dict[str, Any]:
    return {}


def _same(value: Any) -> Any:
    return value


class Argument(NamedTuple):
    """An argument's name in Keras (or several that are equal), and how its value changes."""

    names: tuple[str, ...]
    to_keras: Callable[[Any], Any] = _same
    from_keras: Callable[[Any], Any] = _same


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A layer of ours and Keras's layer that computes the same.

    Attributes
    ----------
    ours, theirs
        The two; Keras's by its name in `keras.layers`.
    arguments
        Our arguments by Keras's; what both take from their input is left out.
    weights
        Our parameters and buffers: Keras's name and order.
    when, fixed, reads_when
        For which of ours it holds, what has to be (and is) set in Keras, and for which of Keras's
        it holds besides.
    to_keras, from_keras
        Arguments that depend on the input's shape (ours, batch included).
    border
        What stands around the image where a window reaches over its edge; None without a window.
    each_alone
        Whether values of a flattened image may stand in any order: each is treated alone, or the
        weights follow.
    """

    ours: type[nn.Layer]
    theirs: str
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
        """Return whether Keras's layer computes what `layer` does on an input of this shape."""
        return type(layer) is self.ours and self.when(layer, shape)

    def keras_arguments(self, layer: nn.Layer, shape: Shape) -> dict[str, Any]:
        """Return the arguments of Keras's layer."""
        given = dict(self.fixed)
        for ours, argument in self._arguments():
            value = getattr(layer, ours)
            if isinstance(value, Parameter):
                value = True  # where bias=True asked for a parameter, it has taken that place
            given |= dict.fromkeys(argument.names, argument.to_keras(value))
        return given | self.to_keras(layer, shape)

    def reads(self, config: Config, shape: Any) -> bool:
        """Return whether our layer computes what Keras's with this configuration does."""
        fits = all(_equal(config.get(name), value) for name, value in self.fixed.items())
        return fits and self.reads_when(config, shape)

    def our_layer(self, config: Config, shape: Shape) -> nn.Layer:
        """Return our layer, for an input of this shape; its values are still to be set."""
        given = {
            name: argument.from_keras(simple(config[argument.names[0]]))
            if len(argument.names) == 1
            else any(config[their] for their in argument.names)
            for name, argument in self._arguments()
        }
        if self.border is not None:
            given["padding"] = "same" if config["padding"] == "same" else 0
        ours: Any = self.ours
        channels = {
            f.name: shape[-1 if f.name == "in_features" else 1]
            for f in fields(ours)
            if f.name in FROM_CHANNELS and f.default is MISSING
        }
        layer: nn.Layer = ours(**channels | given | self.from_keras(config, shape))
        return layer

    def _arguments(self) -> list[tuple[str, Argument]]:
        return [
            (ours, Argument((theirs,)) if isinstance(theirs, str) else theirs)
            for ours, theirs in self.arguments.items()
        ]


def simple(value: Any) -> Any:
    """Return (3, 3) as 3, and any other list as a tuple.

    >>> simple([3, 3]), simple([3, 2])
    (3, (3, 2))
    """
    if not isinstance(value, list | tuple):
        return value
    return value[0] if len(set(value)) == 1 else tuple(value)


def sides(value: Any) -> Any:
    """Return ((top, bottom), (left, right)) as short as it can be written.

    >>> sides([[1, 1], [1, 1]]), sides([[1, 1], [2, 2]]), sides([[0, 1], [0, 1]])
    (1, (1, 2), ((0, 1), (0, 1)))
    """
    pairs = tuple(tuple(pair) for pair in value)
    return simple([a for a, _ in pairs]) if all(a == b for a, b in pairs) else pairs


def _equal(theirs: Any, wanted: Any) -> bool:
    """Compare with what a configuration says, where a list of one axis stands for that axis."""
    if isinstance(theirs, list | tuple) and len(theirs) == 1:
        theirs = theirs[0]
    return bool(theirs == wanted)
