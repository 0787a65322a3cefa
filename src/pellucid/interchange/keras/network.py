"""A Keras model as a list of calls of layers, in the order in which they run.

The calls are read from `get_config`, which Keras also writes into its files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pellucid.errors import PellucidError


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer.

    Attributes
    ----------
    name
        Name of the layer, with a number from its second call on.
    layer
        The Keras layer or operation.
    sources
        Names of the calls whose results are the inputs.
    constants
        Other inputs, which are constants, by position or name.
    """

    name: str
    layer: Any
    sources: tuple[str, ...]
    constants: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Network:
    """The calls of a model, including its inputs, and the names of its outputs."""

    calls: list[Call]
    inputs: list[str]
    outputs: list[str]


def network(model: Any, keras: Any) -> Network:
    """Return the calls of `model`.

    Raises
    ------
    PellucidError
        The model is not built, or it is a subclass with a `call` method, whose layers Keras does
        not list.
    """
    if not model.built or not model.inputs:
        raise PellucidError(
            "this Keras model is not built; call it once, or use keras.Input or model.build"
        )
    if isinstance(model, keras.Sequential):
        return _chain(model)
    if isinstance(model, keras.Model) and hasattr(model, "operations"):
        return _graph(model)
    raise PellucidError(
        f"from_keras reads Sequential and functional models; {type(model).__name__} is a subclass "
        "with its own `call` method, which only Keras can run"
    )


def _chain(model: Any) -> Network:
    name = "x" if all(layer.name != "x" for layer in model.layers) else "input"
    calls = [Call(name, None, ())]
    for layer in model.layers:
        calls.append(Call(layer.name, layer, (calls[-1].name,)))
    return Network(calls, [name], [calls[-1].name])


def _graph(model: Any) -> Network:
    config = model.get_config()
    layers = {layer.name: layer for layer in model.operations}
    nodes = {part["name"]: part["inbound_nodes"] for part in config["layers"]}
    calls: dict[tuple[str, int], Call] = {}

    def visit(key: tuple[str, int]) -> str:
        """Add a call after the calls that it depends on."""
        waiting = [key]
        while waiting:
            name, index = waiting[-1]
            given = nodes[name][index] if nodes[name] else {"args": (), "kwargs": {}}
            needed = [source[:2] for source in _tensors([given["args"], given["kwargs"]])]
            if missing := [source for source in needed if source not in calls]:
                waiting += missing
                continue
            waiting.pop()
            label = name if index == 0 else f"{name}_{index + 1}"
            sources = tuple(calls[source].name for source in needed)
            constants = dict(_constants(given["args"], given["kwargs"]))
            calls.setdefault((name, index), Call(label, layers[name], sources, constants))
        return calls[key].name

    inputs = [visit(source[:2]) for source in _histories(config["input_layers"])]
    outputs = [visit(source[:2]) for source in _histories(config["output_layers"])]
    return Network(list(calls.values()), inputs, outputs)


def _tensors(value: Any) -> Iterator[tuple[str, int, int]]:
    """Yield (name, node, tensor) of the origin of each tensor in a serialised argument."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        name, node, index = value["config"]["keras_history"]
        if index:
            raise PellucidError(f"from_keras cannot read '{name}': it has several outputs")
        yield name, node, index
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


def _constants(args: Any, kwargs: Any) -> Iterator[tuple[str, Any]]:
    named = [(str(i), value) for i, value in enumerate(args)] + list(kwargs.items())
    for name, value in named:
        if name not in ("training", "mask") and value is not None and not list(_tensors(value)):
            yield name, value


def _histories(value: Any) -> Iterator[tuple[str, int, int]]:
    """Yield (name, node, tensor) of one input or output, or of several."""
    if isinstance(value, dict):
        value = list(value.values())
    if len(value) == 3 and isinstance(value[0], str):
        yield value[0], value[1], value[2]
    else:
        for part in value:
            yield from _histories(part)
