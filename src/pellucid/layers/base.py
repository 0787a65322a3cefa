"""What every layer is."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Self

import numpy as np

from pellucid.arguments import check_fields
from pellucid.errors import FileError, PellucidError
from pellucid.layers.context import StepContext
from pellucid.layers.wiring import Wiring
from pellucid.notebook import Shown
from pellucid.parameter import Buffer, Parameter
from pellucid.preprocessing import Preprocessing
from pellucid.types import Array, DType, Shape

registry: dict[str, type["Layer"]] = {}
"""Every layer by its name: files and descriptions are built from this and from nothing else."""


class Layer(Shown, ABC):
    """A function with parameters, and the gradient of that function.

    A layer keeps parameters and no memory of its last call: `forward` returns the output and what
    `backward` needs. It may be used twice in one network, and by several threads at once for
    inference. A leaf is a dataclass whose fields are plain data and describe it wholly; a
    combinator has `children`.
    """

    shown_as = "model"

    preprocessing: Preprocessing | None = None
    """What turns stored pixels into this model's inputs; set on a model by training."""
    classes: tuple[str, ...] | None = None
    """The names of this model's classes."""
    input_shape: Shape | None = None
    """(C, H, W) of the images that this model was trained on."""

    recordable: ClassVar[bool] = False
    """Whether a step through this class can be captured; each class has to say so itself."""
    changes: ClassVar[int] = 0
    """How often an attribute of a layer that is watched was assigned; see `watch`."""
    _is_watched = False

    inputs: int | None = 1
    """How many inputs it takes; with more than one, or None for any number, a tuple."""

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = cls.__name__
        if abstract or name.startswith("_"):
            return
        if name in registry and registry[name].__module__ != cls.__module__:
            raise PellucidError(f"there is a layer called {name} already; choose another name")
        registry[name] = cls

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if self._is_watched:
            Layer.changes += 1

    def __post_init__(self) -> None:
        """Check the arguments against their annotations; a dataclass calls this when it is made."""
        check_fields(self)

    @abstractmethod
    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        """Return the output and the cache that `backward` needs.

        Without `training` it is inference, which changes nothing in the layer.
        """

    @abstractmethod
    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        """Add into each parameter's `grad` and return the gradient for the input.

        `dy` is the loss's gradient for the output, `cache` comes from the `forward` with `training`
        given, and is used once. Where `input_gradient` is false nobody needs the gradient for the
        input (the first layer of a network), and whatever is returned is meaningless.
        """

    @abstractmethod
    def output_shape(self, input_shape: Any) -> Any:
        """Return the output's shape for an input's, batch included, or say why it does not fit."""

    def __call__(self, x: Any) -> Any:
        """Return the output: inference."""
        return self.forward(x)[0]

    def multiply_adds(self, input_shape: Any) -> int:
        """Return the number of multiplications that `forward` needs by the definition."""
        return 0

    def algorithm_for(self, input_shape: Any) -> str:
        """Return the name of the convolution algorithm in use, "" where the layer has none."""
        return ""

    def children(self) -> Mapping[str, "Layer"]:
        """Return the layers inside, by name. A child named "" lends its own children's names."""
        return {}

    def wiring(self) -> Wiring | None:
        """Return how values pass between the layers inside; None for a layer not made of layers."""
        return None

    # Parameters and buffers

    def walk(self) -> Iterator[tuple[str, "Layer"]]:
        """Yield (path, layer) for this layer and all inside, in order, each once."""
        seen: set[int] = set()

        def visit(path: str, layer: Layer) -> Iterator[tuple[str, Layer]]:
            if id(layer) in seen:
                return
            seen.add(id(layer))
            yield path, layer
            for name, child in layer.children().items():
                yield from visit(join(path, name), child)

        yield from visit("", self)

    def named_state(self) -> Iterator[tuple[str, Parameter | Buffer]]:
        """Yield every parameter and buffer with its path, each once.

        In each layer the bias follows the other parameters, and buffers come last, as in PyTorch.
        """
        seen: set[int] = set()
        for path, layer in self.walk():
            own = [(k, v) for k, v in vars(layer).items() if isinstance(v, Parameter | Buffer)]
            for name, item in sorted(own, key=lambda i: (isinstance(i[1], Buffer), i[0] == "bias")):
                if id(item) not in seen:
                    seen.add(id(item))
                    yield join(path, name), item

    def named_parameters(self) -> dict[str, Parameter]:
        """Return the parameters by path; a shared one appears once, under its first path."""
        return {name: item for name, item in self.named_state() if isinstance(item, Parameter)}

    def parameters(self) -> list[Parameter]:
        """Return the parameters in order."""
        return list(self.named_parameters().values())

    def buffers(self) -> dict[str, Buffer]:
        """Return the buffers by path."""
        return {name: item for name, item in self.named_state() if isinstance(item, Buffer)}

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all values by path; the paths are PyTorch's for the same network."""
        return {name: item.value.copy() for name, item in self.named_state()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take over values by path. Nothing is changed unless everything fits."""
        self.check_state_dict(state)
        for name, item in self.named_state():
            item.value = np.asarray(state[name])

    def check_state_dict(self, state: Mapping[str, Array]) -> None:
        """Raise an error unless `load_state_dict` could take over these values."""
        own = dict(self.named_state())
        missing, spare = own.keys() - state.keys(), state.keys() - own.keys()
        problems = [f"missing: {', '.join(sorted(missing))}"] if missing else []
        problems += [f"unknown: {', '.join(sorted(spare))}"] if spare else []
        values = {name: np.asarray(state[name]) for name in own if name in state}
        problems += [
            f"{name}: {value.dtype} {value.shape}, expected {own[name].dtype} {own[name].shape}"
            for name, value in values.items()
            if value.shape != own[name].shape
            or not np.can_cast(value.dtype, own[name].dtype, "same_kind")
        ]
        if problems:
            raise FileError("these values do not fit the model: " + "; ".join(problems))

    def zero_grad(self) -> None:
        """Set every gradient to zero."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def astype(self, dtype: DType) -> Self:
        """Change the type of all parameters and buffers, in place, and return the layer."""
        for _, item in self.named_state():
            item.astype(dtype)
        return self

    def name_parameters(self) -> None:
        """Give each parameter and buffer its path from here as its name."""
        items = list(self.named_state())
        names = [name for name, _ in items]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise PellucidError(f"two values are called '{twice}'; name their layers differently")
        for name, item in items:
            item.name = name

    # Description

    def describe(self) -> dict[str, Any]:
        """Return the layer as plain data, without its values; `layers.build` makes it anew."""
        assert dataclasses.is_dataclass(self)
        described: dict[str, Any] = {"type": type(self).__name__}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Parameter):
                value = True  # where bias=True asked for a parameter, it has taken that place
            if field.init and value != field.default:
                described[field.name] = value
        return described

    def __repr__(self) -> str:
        described = self.describe()
        arguments = ", ".join(f"{k}={v!r}" for k, v in described.items() if k != "type")
        return f"{described['type']}({arguments})"


def watch(layers: Iterable[Layer]) -> None:
    """From now on count in `Layer.changes` how often an attribute of these layers is assigned."""
    for layer in layers:
        vars(layer)["_is_watched"] = True


def initialize(model: Layer, seed: int = 0) -> Layer:
    """Draw all weights of `model` anew from `seed`, set its buffers back, and return it.

    A model never initialised does so with seed 0 when it is first used.
    """
    for item in dict(model.named_state()).values():
        if isinstance(item, Parameter):
            item.initialize(seed)
        else:
            item.initialize()
    return model


def join(path: str, name: str) -> str:
    """Return the path of `name` inside `path`, where either may be empty."""
    return f"{path}.{name}" if path and name else path or name


# Seeing inside: a combinator runs its children through these two, so what passes can be observed.

Observer = Callable[[Layer, Any, Any], None]

_on_forward: ContextVar[Observer | None] = ContextVar("on_forward", default=None)
_on_backward: ContextVar[Observer | None] = ContextVar("on_backward", default=None)


def run_forward(layer: Layer, x: Any, training: StepContext | None) -> tuple[Any, Any]:
    """Return ``layer.forward(x, training)`` and show the observer (layer, x, y)."""
    y, cache = layer.forward(x, training)
    if (observer := _on_forward.get()) is not None:
        observer(layer, x, y)
    return y, cache


def run_backward(layer: Layer, dy: Any, cache: Any, input_gradient: bool = True) -> Any:
    """Return ``layer.backward(dy, cache)`` and show the observer (layer, dy, dx)."""
    dx = layer.backward(dy, cache, input_gradient=input_gradient)
    if (observer := _on_backward.get()) is not None:
        observer(layer, dy, dx)
    return dx


def is_observed() -> bool:
    """Return whether somebody looks."""
    return _on_forward.get() is not None or _on_backward.get() is not None


@contextmanager
def observe(*, forward: Observer | None = None, backward: Observer | None = None) -> Iterator[None]:
    """Call `forward(layer, x, y)` and `backward(layer, dy, dx)` for every layer run inside."""
    tokens = _on_forward.set(forward), _on_backward.set(backward)
    try:
        yield
    finally:
        _on_forward.reset(tokens[0])
        _on_backward.reset(tokens[1])


def failing_at(path: str, error: PellucidError) -> PellucidError:
    """Return `error` with the path of the layer in front, once for each level."""
    return type(error)(f"{path}: {error}")
