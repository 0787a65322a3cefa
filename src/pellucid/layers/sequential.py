"""One layer after the other."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pellucid.layers.base import Layer, StepContext, run_backward, run_forward
from pellucid.layers.combinator import (
    Build,
    Combinator,
    Describe,
    describe_all,
    named,
    names_and_descriptions,
)
from pellucid.layers.wiring import Wire, Wiring


class Sequential(Combinator):
    """The layers in order: ``y = fₙ(… f₂(f₁(x)))``; by the chain rule ``dx = f₁′(f₂′(… fₙ′(dy)))``.

    Layers are given in order and named "0", "1", …, or given by name, or both.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv1=nn.Conv2d(1, 8, 3), relu1=nn.ReLU())
    >>> list(model.named_parameters())
    ['conv1.weight', 'conv1.bias']
    """

    recordable = True

    entries = ("layers",)

    def __init__(self, *layers: Layer | Mapping[str, Layer], **by_name: Layer) -> None:
        self.layers = named(layers, by_name)
        self.inputs = next((layer.inputs for layer in self.layers.values()), 1)
        self.name_parameters()
        # nobody needs gradients before the first layer that learns
        learners = (i for i, layer in enumerate(self.layers.values()) if layer.parameters())
        self._first_learner = next(learners, len(self.layers))

    def children(self) -> dict[str, Layer]:
        return self.layers

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, list[Any]]:
        caches = []
        for layer in self.layers.values():
            x, cache = run_forward(layer, x, training)
            caches.append(cache)
        return x, caches

    def backward(self, dy: Any, cache: list[Any], *, input_gradient: bool = True) -> Any:
        layers = list(self.layers.values())
        first = 0 if input_gradient else self._first_learner
        for i in reversed(range(first, len(layers))):
            dy = run_backward(layers[i], dy, cache[i], input_gradient or i > first)
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

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, key: int | str) -> Layer:
        return self.layers[key] if isinstance(key, str) else list(self.layers.values())[key]
