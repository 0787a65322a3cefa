"""What every layer is."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

import numpy as np

from pellucid.arguments import Seed, check_fields, checked
from pellucid.errors import FileError, PellucidError
from pellucid.layers.context import StepContext as StepContext
from pellucid.layers.wiring import Wiring
from pellucid.notebook import Shown
from pellucid.parameter import Buffer, Parameter, common_length
from pellucid.preprocessing import Preprocessing
from pellucid.types import Array, DType, Shape

registry: dict[str, type[Layer]] = {}
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

    _is_named = False

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

    def __post_init__(self) -> None:
        """Check the arguments against their annotations; a dataclass calls this when it is made."""
        check_fields(self)

    @property
    def mixes_images(self) -> bool:
        """Whether in inference an image's output may depend on other images of its batch.

        Where no layer of a model does that, a batch may be computed in parts. A layer that is not
        of this library is taken to do it.
        """
        return not type(self).__module__.startswith("pellucid.")

    @abstractmethod
    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        """Return the output and the cache that `backward` needs.

        Without `training` it is inference, which changes nothing in the layer.
        """

    @abstractmethod
    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        """Add into each parameter's `grad` and return the gradient for the input.

        `dy` is the loss's gradient for the output, `cache` comes from the `forward` with `training`
        given, and is used once. Where `input_gradient` is false the gradient for the input is not
        needed (the first layer of a network), and what is returned is meaningless.
        """

    @abstractmethod
    def output_shape(self, input_shape: Any) -> Any:
        """Return the output's shape for an input's, batch included, or say why it does not fit."""

    def __call__(self, x: Any) -> Any:
        """Return the output: inference."""
        if self.inputs == 1 and not isinstance(x, np.ndarray):
            raise PellucidError(
                f"{type(self).__name__} computes with a NumPy array, not with "
                f"{'a number' if isinstance(x, int | float) else type(x).__name__}; "
                "np.asarray(x, np.float32) makes one of most things"
            )
        self.name_parameters()
        return self.forward(x)[0]

    def multiply_adds(self, input_shape: Any) -> int:
        """Return the number of multiplications that `forward` needs by the definition."""
        return 0

    def algorithm_for(self, input_shape: Any) -> str:
        """Return the name of the convolution algorithm in use, "" where the layer has none."""
        return ""

    def children(self) -> Mapping[str, Layer]:
        """Return the layers inside, by name. A child named "" lends its own children's names."""
        return {}

    def wiring(self) -> Wiring | None:
        """Return how values pass between the layers inside; None for a layer not made of layers."""
        return None

    # Parameters and buffers

    def walk(self) -> Iterator[tuple[str, Layer]]:
        """Yield (path, layer) for this layer and all inside, in order, each once."""
        self.name_parameters()
        yield from self._walk()

    def _walk(self) -> Iterator[tuple[str, Layer]]:
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
        self.name_parameters()
        yield from self._named_state()

    def _named_state(self) -> Iterator[tuple[str, Parameter | Buffer]]:
        seen: set[int] = set()
        for path, layer in self._walk():
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

    def learns(self) -> bool:
        """Return whether there are parameters, here or inside."""
        return any(isinstance(item, Parameter) for _, item in self._named_state())

    def buffers(self) -> dict[str, Buffer]:
        """Return the buffers by path."""
        return {name: item for name, item in self.named_state() if isinstance(item, Buffer)}

    def name_parameters(self, anew: bool = False) -> None:
        """Give each parameter and buffer that has no name yet its path from here as its name.

        A model does so when it is first used. Names are given once: a wrapper around the model,
        such as a `Sequential`, leaves them. What all paths have in common at their beginning is
        left out, so that it makes no difference whether the wrapper or the model is used first, for
        the names and for what a seed draws.

        Parameters
        ----------
        anew
            Whether what has a name is named again.
        """
        if self._is_named and not anew:
            return
        items = self._paths()
        skipped = common_length(items)
        names = [item.name if item.is_named else path[skipped:] for path, item in items.items()]
        anew = anew or len(set(names)) < len(names)  # of two models that were named apart
        for path, item in items.items():
            if anew or not item.is_named:
                item.name, item.is_named = path[skipped:], True
        for _, layer in self._walk():
            vars(layer)["_is_named"] = True

    def _paths(self) -> dict[str, Parameter | Buffer]:
        """Return all parameters and buffers by path, checked: no two have the same."""
        items = list(self._named_state())
        paths = [path for path, _ in items]
        if len(set(paths)) < len(paths):
            twice = next(path for path in paths if paths.count(path) > 1)
            raise PellucidError(f"two values are called '{twice}'; name their layers differently")
        return dict(items)

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

    # Description

    def describe(self) -> dict[str, Any]:
        """Return the layer as plain data, without its values; `layers.build` makes it anew.

        Raises
        ------
        PellucidError
            The class has an ``__init__`` of its own, so that nothing tells its arguments.
        """
        name = type(self).__name__
        if not _is_made_from_fields(type(self)):
            raise PellucidError(
                f"{name} has an __init__ of its own, so that nothing tells how to make it again; "
                "make it a dataclass whose fields are its arguments, or give it a method describe"
            )
        return {"type": name, **self.arguments()}

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that differ from their defaults; none for a class without fields."""
        found: dict[str, Any] = {}
        if not dataclasses.is_dataclass(self):
            return found
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Parameter):
                value = True  # where bias=True asked for a parameter, it has taken that place
            if field.init and value != field.default:
                found[field.name] = value
        return found

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments().items())
        return f"{type(self).__name__}({arguments})"


def _is_made_from_fields(kind: type) -> bool:
    """Return whether what makes an instance is a dataclass's ``__init__``, or nothing at all."""
    made_by = next(each for each in kind.__mro__ if "__init__" in vars(each))
    return made_by is object or "__dataclass_params__" in vars(made_by)


def initialize(model: Layer, seed: int = 0) -> Layer:
    """Draw all weights of `model` anew from `seed`, set its buffers back, and return it.

    A model never initialised does so with seed 0 when it is first used. What is drawn for a
    parameter depends on the seed and its name; see `Layer.name_parameters`.
    """
    seed = checked("seed", seed, Seed)
    model.name_parameters(anew=True)
    for item in dict(model.named_state()).values():
        if isinstance(item, Parameter):
            item.initialize(seed)
        else:
            item.initialize()
    return model


def may_be_batch(axis: int) -> bool:
    """Return whether an axis may be that of the batch, of arrays with any number of axes."""
    return axis == 0 or axis < -1


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
    """Return whether an observer is set."""
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
