"""Layers that run one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from pellucid.layers.base import Layer, StepContext
from pellucid.layers.combinator import (
    Build,
    Combinator,
    Describe,
    describe_all,
    named,
    names_and_descriptions,
)
from pellucid.layers.observers import run_backward, run_forward
from pellucid.layers.wiring import Wire, Wiring


class Sequential(Combinator):
    """Run layers in order: ``y = fₙ(… f₂(f₁(x)))``, with the gradient ``dx = f₁′(f₂′(… fₙ′(dy)))``.

    Positional layers are named "0", "1", …; layers may also be given by name.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv1=nn.Conv2d(1, 8, 3), relu1=nn.ReLU())
    >>> list(model.named_parameters())
    ['conv1.weight', 'conv1.bias']
    >>> model.conv1 is model["conv1"] is model[0]
    True
    """

    entries = ("layers",)

    def __init__(self, *layers: Layer | Mapping[str, Layer], **by_name: Layer) -> None:
        self.layers = named(layers, by_name)
        self._adopt()

    def _adopt(self) -> None:
        """Update what depends on the layers, and check that they fit together."""
        self._paths()
        self.inputs = next((layer.inputs for layer in self.layers.values()), 1)
        learners = (i for i, layer in enumerate(self.layers.values()) if layer.learns())
        self.first_learner = next(learners, len(self.layers))
        """Index of the first layer with parameters; earlier layers need no gradient."""

    def children(self) -> dict[str, Layer]:
        return self.layers

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, list[Any]]:
        self.name_parameters()
        caches = []
        for layer in self.layers.values():
            x, cache = run_forward(layer, x, training)
            caches.append(cache)
        return x, caches

    def backward(self, dy: Any, cache: list[Any], *, input_gradient: bool = True) -> Any:
        layers = list(self.layers.values())
        first = 0 if input_gradient else self.first_learner
        for i in reversed(range(first, len(layers))):
            dy = run_backward(layers[i], dy, cache.pop(), input_gradient or i > first)
        return dy

    def output_shape(self, input_shape: Any) -> Any:
        shape = input_shape
        for name, layer in self.layers.items():
            shape = self.child_shape(name, layer, shape)
        return shape

    def child_inputs(self, input_shape: Any) -> Iterator[tuple[str, Layer, Any]]:
        shape = input_shape
        for name, layer in self.layers.items():
            yield name, layer, shape
            shape = self.child_shape(name, layer, shape)

    def wiring(self) -> Wiring:
        inputs, reads = self.inputs or 1, tuple(range(self.inputs or 1))
        wires: list[Wire] = []
        for name, layer in self.layers.items():
            wires.append(Wire(name, layer, reads))
            reads = (inputs + len(wires) - 1,)
        return Wiring(inputs, tuple(wires), reads)

    def parts(self, describe: Describe) -> dict[str, Any]:
        return {"layers": describe_all(self.layers, describe)}

    @classmethod
    def from_parts(cls, parts: dict[str, Any], build: Build, input_shape: Any) -> Self:
        layers = {}
        for name, description in names_and_descriptions(parts["layers"]).items():
            layers[name] = build(name, description, input_shape)
            input_shape = input_shape and layers[name].output_shape(input_shape)
        return cls(layers)

    def append(self, layer: Layer) -> Self:
        """Add a layer at the end, named by its position, and return the model."""
        self.layers = {**self.layers, **named(({str(len(self)): layer},), {})}
        self._adopt()
        self._is_named = False
        return self

    def extend(self, layers: Iterable[Layer]) -> Self:
        """Add layers at the end, and return the model."""
        for layer in layers:
            self.append(layer)
        return self

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        self.name_parameters()
        return iter(self.layers.values())

    @overload
    def __getitem__(self, key: int | str) -> Layer: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...

    def __getitem__(self, key: int | str | slice) -> Layer | Self:
        self.name_parameters()
        if isinstance(key, str):
            return self.layers[key]
        if isinstance(key, slice):
            return type(self)(dict(list(self.layers.items())[key]))
        return list(self.layers.values())[key]

    def __getattr__(self, name: str) -> Layer:
        layers = vars(self).get("layers", {})
        if name not in layers:
            raise AttributeError(f"'{type(self).__name__}' has no attribute or layer '{name}'")
        found: Layer = layers[name]
        self.name_parameters()
        return found
