"""The base class of all layers."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
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
"""Layer classes by name. Files and descriptions are built from these classes only."""


class Layer(Shown, ABC):
    """Base class of all layers: a function with parameters, and its gradient.

    A layer holds parameters but no state of its last call: `forward` returns the output and a cache
    for `backward`. So a layer may be used several times in one network, and by several threads at
    once for inference. A leaf layer is a dataclass whose fields describe it completely; a
    combinator has `children`.
    """

    shown_as = "model"

    preprocessing: Preprocessing | None = None
    """Conversion of stored pixels to this model's inputs; training sets it."""
    classes: tuple[str, ...] | None = None
    """Names of this model's classes."""
    input_shape: Shape | None = None
    """Shape (C, H, W) of the images on which this model was trained."""

    _is_named = False

    inputs: int | None = 1
    """Number of inputs; with more than one, or None for any number, the input is a tuple."""

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = cls.__name__
        if abstract or name.startswith("_"):
            return
        if name in registry and registry[name].__module__ != cls.__module__:
            raise PellucidError(f"a layer named {name} exists already; choose another name")
        registry[name] = cls

    def __post_init__(self) -> None:
        """Check the arguments against their annotations; called by the dataclass's `__init__`."""
        check_fields(self)

    @property
    def mixes_images(self) -> bool:
        """Whether an image's output may depend on other images of its batch in inference.

        If no layer of a model does, a batch may be computed in parts. It is assumed of every layer
        that is not part of Pellucid.
        """
        return not type(self).__module__.startswith("pellucid.")

    @abstractmethod
    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        """Compute the output.

        Parameters
        ----------
        x
            Input, or a tuple of inputs.
        training
            Context of the training step, or None (default) for inference, which changes nothing in
            the layer.

        Returns
        -------
        y, cache
            Output, and what `backward` needs.
        """

    @abstractmethod
    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        """Add to the gradients of the parameters, and return the gradient for the input.

        Parameters
        ----------
        dy
            Gradient of the loss for the output.
        cache
            Cache of the `forward` pass in training; it may be used only once, since its memory is
            released on the way.
        input_gradient
            Whether the gradient for the input is needed. If not (in the first layer of a network),
            the returned value is meaningless.
        """

    @abstractmethod
    def output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, batch included, or raise an error if x does not fit."""

    def __call__(self, x: Any) -> Any:
        """Return the output in inference mode."""
        if self.inputs == 1 and not isinstance(x, np.ndarray):
            raise PellucidError(
                f"{type(self).__name__} expects a NumPy array, not "
                f"{'a number' if isinstance(x, int | float) else type(x).__name__}; "
                "convert it with np.asarray(x, np.float32)"
            )
        self.name_parameters()
        return self.forward(x)[0]

    def multiply_adds(self, input_shape: Any) -> int:
        """Return the number of multiply-adds of `forward` according to its definition."""
        return 0

    def algorithm_for(self, input_shape: Any) -> str:
        """Return the name of the convolution algorithm used, or "" if the layer has none."""
        return ""

    def children(self) -> Mapping[str, Layer]:
        """Return the layers inside, by name. A child named "" passes on its children's names."""
        return {}

    def wiring(self) -> Wiring | None:
        """Return how values pass between the layers inside; None for a leaf layer."""
        return None

    # Parameters and buffers

    def walk(self) -> Iterator[tuple[str, Layer]]:
        """Yield (path, layer) for this layer and all layers inside, in order, each once."""
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
        """Yield (path, item) for every parameter and buffer, each once.

        The order is PyTorch's: in each layer, the bias follows the other parameters, then buffers.
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
        """Return the parameters by path; a shared parameter appears once, under its first path."""
        return {name: item for name, item in self.named_state() if isinstance(item, Parameter)}

    def parameters(self) -> list[Parameter]:
        """Return the parameters in order."""
        return list(self.named_parameters().values())

    def learns(self) -> bool:
        """Return whether this layer, or a layer inside, has parameters."""
        return any(isinstance(item, Parameter) for _, item in self._named_state())

    def buffers(self) -> dict[str, Buffer]:
        """Return the buffers by path."""
        return {name: item for name, item in self.named_state() if isinstance(item, Buffer)}

    def name_parameters(self, anew: bool = False) -> None:
        """Name each unnamed parameter and buffer by its path from this layer.

        A model does this when it is first used. Names are given once: wrapping the model later, for
        example in a `Sequential`, keeps them. A prefix that all paths share is omitted, so names
        and seeded weights do not depend on whether the wrapper or the model is used first.

        Parameters
        ----------
        anew
            Whether to rename what already has a name. Default: False.
        """
        if self._is_named and not anew:
            return
        items = self._paths()
        skipped = common_length(items)
        names = [item.name if item.is_named else path[skipped:] for path, item in items.items()]
        anew = anew or len(set(names)) < len(names)  # two models were named separately
        for path, item in items.items():
            if anew or not item.is_named:
                item.name, item.is_named = path[skipped:], True
        for _, layer in self._walk():
            vars(layer)["_is_named"] = True

    def _paths(self) -> dict[str, Parameter | Buffer]:
        """Return all parameters and buffers by path, after checking that paths are unique."""
        items = list(self._named_state())
        paths = [path for path, _ in items]
        if len(set(paths)) < len(paths):
            twice = next(path for path in paths if paths.count(path) > 1)
            raise PellucidError(
                f"two values have the name '{twice}'; give their layers different names"
            )
        return dict(items)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all values by path; paths are those of the same network in PyTorch."""
        return {name: item.value.copy() for name, item in self.named_state()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Set all values by path. Nothing is changed unless all of them fit."""
        self.check_state_dict(state)
        for name, item in self.named_state():
            item.value = np.asarray(state[name])

    def check_state_dict(self, state: Mapping[str, Array]) -> None:
        """Raise an error if `load_state_dict` could not load these values."""
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
        """Convert all parameters and buffers to another type in place, and return the layer."""
        for _, item in self.named_state():
            item.astype(dtype)
        return self

    # Description

    def describe(self) -> dict[str, Any]:
        """Return the layer as plain data, without its values; `layers.build` rebuilds it.

        Raises
        ------
        PellucidError
            The class has its own ``__init__``, so its arguments are not known.
        """
        name = type(self).__name__
        if not _is_made_from_fields(type(self)):
            raise PellucidError(
                f"{name} has its own __init__, so its arguments are not known; make it a dataclass "
                "whose fields are its arguments, or give it a method describe"
            )
        return {"type": name, **self.arguments()}

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that differ from their defaults."""
        found: dict[str, Any] = {}
        if not dataclasses.is_dataclass(self):
            return found
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Parameter):
                value = True  # the attribute `bias` holds the parameter that bias=True created
            if field.init and value != field.default:
                found[field.name] = value
        return found

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments().items())
        return f"{type(self).__name__}({arguments})"


def _is_made_from_fields(kind: type) -> bool:
    """Return whether the class has a dataclass's ``__init__``, or none."""
    made_by = next(each for each in kind.__mro__ if "__init__" in vars(each))
    return made_by is object or "__dataclass_params__" in vars(made_by)


def initialize(model: Layer, seed: int = 0) -> Layer:
    """Initialise all weights of a model from a seed, reset its buffers, and return the model.

    A model that was not initialised does this with seed 0 when it is first used. The weights of a
    parameter depend only on the seed and the parameter's name; see `Layer.name_parameters`.

    Parameters
    ----------
    model
        The model, which is changed in place.
    seed
        Seed of the random numbers. Default: 0.
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
    """Return whether an axis may be the batch axis, for arrays with any number of axes."""
    return axis == 0 or axis < -1


def join(path: str, name: str) -> str:
    """Join two parts of a path, of which either may be empty."""
    return f"{path}.{name}" if path and name else path or name


def failing_at(path: str, error: PellucidError) -> PellucidError:
    """Return `error` with the path of the layer in front."""
    return type(error)(f"{path}: {error}")
