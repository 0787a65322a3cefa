"""Build layers from their descriptions."""

from __future__ import annotations

import dataclasses
from typing import Any

from pellucid.errors import FileError, PellucidError, unknown
from pellucid.layers.base import Layer, registry
from pellucid.layers.combinator import Combinator

_MAX_DEPTH = 64
FROM_CHANNELS = ("in_channels", "in_features", "num_features", "num_channels")


def build(description: Any, input_shape: Any = None) -> Layer:
    """Build the layer that `description` describes.

    A description is a dictionary with a `type` and that layer's arguments; a list of descriptions
    is a `Sequential`. Only registered layers are built; nothing is imported.

    Parameters
    ----------
    description
        Result of `Layer.describe`, or the same written by hand.
    input_shape
        Shape (N, C, H, W) of the input, if known. Then arguments that follow from it
        (`in_channels`, `in_features`, `num_features`, `num_channels`) may be omitted.

    Examples
    --------
    >>> conv = {"type": "Conv2d", "out_channels": 8, "kernel_size": 3}
    >>> build([conv, {"type": "ReLU"}], input_shape=(1, 3, 8, 8))
    Sequential(
      0: Conv2d(in_channels=3, out_channels=8, kernel_size=3)
      1: ReLU()
    )
    """
    return _Builder().build((), description, input_shape)


class _Builder:
    def __init__(self) -> None:
        self.built: dict[str, Layer] = {}

    def build(self, path: tuple[str, ...], description: Any, input_shape: Any) -> Layer:
        where = ".".join(filter(None, path)) or "model"
        if isinstance(description, list):
            description = {"type": "Sequential", "layers": description}
        if not isinstance(description, dict) or not isinstance(description.get("type"), str):
            raise FileError(f"{where}: a layer must be a table with a type: {description!r:.60}")
        if len(path) > _MAX_DEPTH:
            raise FileError(f"{where[:60]}…: layers are nested more than {_MAX_DEPTH} deep")
        arguments = {key: value for key, value in description.items() if key != "type"}
        try:
            layer = self._make(description["type"], path, arguments, input_shape)
            if input_shape is not None and layer.inputs == 1:
                layer.output_shape(input_shape)  # an error is raised here, with the path
        except FileError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            said = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else str(error)
            raise FileError(f"{where} ({description['type']:.40}): {said}") from error
        self.built[".".join(path)] = layer
        return layer

    def _make(self, kind: str, path: tuple[str, ...], arguments: Any, input_shape: Any) -> Layer:
        if kind == "Shared":
            return self.built[arguments["path"]]
        if kind not in registry:
            raise PellucidError(
                f"{unknown('layer', kind, sorted(registry))}. "
                "Import the module that defines a layer of your own before loading"
            )
        layer = registry[kind]
        if issubclass(layer, Combinator):
            for name in arguments.keys() - set(layer.entries):
                raise PellucidError(unknown(f"argument of {kind}", name, layer.entries))
            return layer.from_parts(
                arguments,
                lambda name, child, shape: self.build((*path, name), child, shape),
                input_shape,
            )
        return layer(**_completed(layer, arguments, input_shape))


def _completed(layer: type[Layer], arguments: dict[str, Any], input_shape: Any) -> dict[str, Any]:
    """Return the arguments, with lists as tuples, and those added that follow from the input."""
    if not dataclasses.is_dataclass(layer):
        if arguments:
            raise PellucidError(f"{layer.__name__} takes no arguments, got {', '.join(arguments)}")
        return {}
    fields = {field.name: field for field in dataclasses.fields(layer) if field.init}
    for name in arguments:
        if name not in fields:
            raise PellucidError(unknown(f"argument of {layer.__name__}", name, fields))
    given = {name: _tuples(value) for name, value in arguments.items()}
    for name in FROM_CHANNELS:
        required = name in fields and fields[name].default is dataclasses.MISSING
        if required and name not in given and input_shape is not None:
            given[name] = input_shape[1]
    missing = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and name not in given
    ]
    if missing:
        raise PellucidError(f"{layer.__name__} needs {', '.join(missing)}")
    return given


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
