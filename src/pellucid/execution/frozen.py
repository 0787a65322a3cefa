"""A model for inference alone: what does not change any more is worked out once.

`freeze` takes a model's values as they are. A normalisation becomes part of the convolution before
it, ::

    norm(w ∗ x + b) = (scale·w) ∗ x + scale·(b − mean) + shift

ReLU is done in the convolution's last step, weights are laid out for the processor once, and
nothing is kept for a backward pass.
"""

import threading
from abc import abstractmethod
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, TypeGuard

import numpy as np

from pellucid.errors import PellucidError
from pellucid.execution import epilogue, prepared
from pellucid.execution.replay import Inference
from pellucid.execution.runs import with_runs
from pellucid.layers.activation import ReLU
from pellucid.layers.base import Layer, StepContext
from pellucid.layers.batch_norm import BatchNorm2d
from pellucid.layers.concat import Concat
from pellucid.layers.convolution import Conv2d
from pellucid.layers.dropout import Dropout
from pellucid.layers.graph import Graph
from pellucid.layers.linear import Linear
from pellucid.layers.pooling import MaxPool2d
from pellucid.layers.residual import Residual
from pellucid.layers.sequential import Sequential
from pellucid.parameter import Parameter
from pellucid.runtime.recording import recorded
from pellucid.types import Array, Shape

_FEW = 8
"""Up to so many images are computed one after the other: registers hold filters then."""
_TOGETHER = 64
"""So many images at once: what passes between layers stays in the near caches."""


class _Part(Layer, abstract=True):
    """A part of a frozen model."""

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        raise PellucidError(_FOR_INFERENCE)

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, None]:
        if training is not None:
            raise PellucidError(_FOR_INFERENCE)
        return self.compute(x), None

    @abstractmethod
    def compute(self, x: Array) -> Array:
        """Return the output."""


_FOR_INFERENCE = "a frozen model does not learn; train the model that it was made from"


class _Convolution(_Part, abstract=True):
    """``y = pool(relu(norm(conv(x))))``."""

    recordable = True

    def __init__(
        self, conv: Conv2d, norm: BatchNorm2d | None, relu: bool, pool: MaxPool2d | None
    ) -> None:
        self.conv, self.relu, self.pool = conv, relu, pool
        weight, bias = conv.kernel(), _bias(conv)
        if norm is not None:
            mean, scale, shift = (np.asarray(v, np.float64) for v in norm.inference_affine())
            weight = (weight * scale[:, None, None, None]).astype(weight.dtype)
            bias = ((bias - mean) * scale + shift).astype(weight.dtype)
        self.weights = prepared.prepare(weight, bias, conv.groups)

    def compute(self, x: Array) -> Array:
        y = prepared.convolve(
            x, self.weights, self.conv.window(x.shape), self.relu, self.conv.algorithm
        )
        return y if self.pool is None else prepared.max_pool_values(y, self.pool.window(y.shape))

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = self.conv.output_shape(input_shape)
        return shape if self.pool is None else self.pool.output_shape(shape)


class _Pooling(_Part, abstract=True):
    """Max-pooling that does not note where its maxima were."""

    recordable = True

    def __init__(self, pool: MaxPool2d) -> None:
        self.pool = pool

    def compute(self, x: Array) -> Array:
        return prepared.max_pool_values(x, self.pool.window(x.shape))

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.pool.output_shape(input_shape)


class _Linear(_Part, abstract=True):
    """``y = relu(x Wᵀ + b)``."""

    recordable = True

    def __init__(self, linear: Linear, relu: bool) -> None:
        self.linear, self.relu = linear, relu
        weight = linear.weight.value
        self.weights = prepared.prepare(weight[:, :, None, None].copy(), _bias(linear))

    def compute(self, x: Array) -> Array:
        self.linear.output_shape(x.shape)
        if x.ndim != 2:
            y: Array = self.linear(x)
            return np.maximum(y, 0) if self.relu else y
        return prepared.transform(x, self.weights, self.relu)

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.linear.output_shape(input_shape)


class _Residual(_Part, abstract=True):
    """``y = relu(body(x) + shortcut(x))``."""

    recordable = True

    def __init__(self, body: Layer, shortcut: Layer | None, relu: bool) -> None:
        self.body, self.shortcut, self.relu = body, shortcut, relu

    def compute(self, x: Array) -> Array:
        around = x if self.shortcut is None else self.shortcut(x)
        y: Array = self.body(x)
        if len(y) > 1 and y.ndim == 4:
            return epilogue.finish(y, None, around, self.relu)[0]
        total = np.empty_like(y)
        _add(y, around, self.relu, total)
        return total

    def output_shape(self, input_shape: Any) -> Any:
        return self.body.output_shape(input_shape)


@recorded
def _add(y: Array, around: Array, relu: bool, total: Array) -> None:
    np.add(y, around, out=total)
    if relu:
        np.maximum(total, 0, out=total)


class Frozen(_Part, abstract=True):
    """A model for inference; made by `freeze`."""

    def __init__(self, model: Layer, layer: Layer) -> None:
        self.layer = layer
        self.preprocessing, self.classes = model.preprocessing, model.classes
        self.input_shape = model.input_shape
        self._thread = threading.local()

    def compute(self, x: Array) -> Array:
        size = 1 if len(x) <= _FEW else _TOGETHER
        if len(x) <= size or not isinstance(x, np.ndarray):
            return self._piece(x)
        starts = range(0, len(x), size)
        return np.concatenate([self._piece(x[start : start + size]) for start in starts])

    def output_shape(self, input_shape: Any) -> Any:
        return self.layer.output_shape(input_shape)

    @property
    def played(self) -> list[Shape]:
        """The shapes of input that are played in this thread; see `layers.replay`."""
        return self._inference().played

    def _piece(self, x: Array) -> Array:
        y: Array = self._inference()(x)
        return y

    def _inference(self) -> Inference:
        if not hasattr(self._thread, "inference"):
            self._thread.inference = Inference(self.layer)
        found: Inference = self._thread.inference
        return found


def freeze(model: Layer) -> Layer:
    """Return a model for inference alone, with the values that `model` has now.

    It computes the same up to rounding, faster, above all for few images. Later changes of `model`
    do not reach it.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    >>> x = np.ones((1, 1, 8, 8), np.float32)
    >>> bool(np.allclose(freeze(model)(x), model(x), atol=1e-5))
    True
    """
    names = [(item, item.name) for _, item in model.named_state()]
    frozen = Frozen(model, _freeze(model))
    for item, name in names:  # the new combinators named them after their own paths
        item.name = name
    return frozen


def _freeze(model: Layer) -> Layer:
    if type(model) is Sequential:
        return Sequential(dict(_parts(model)))
    if type(model) is Graph:
        return with_runs(model, _freeze)
    if type(model) is Concat:
        return Concat({name: _freeze(branch) for name, branch in model.branches.items()})
    if type(model) is Residual and (model.activation is None or type(model.activation) is ReLU):
        shortcut = None if model.shortcut is None else _freeze(model.shortcut)
        return _Residual(_freeze(model.body), shortcut, model.activation is not None)
    return _alone(model)


def _alone(layer: Layer) -> Layer:
    if _can_freeze(layer):
        return _Convolution(layer, None, False, None)
    if type(layer) is Linear:
        return _Linear(layer, False)
    return _Pooling(layer) if type(layer) is MaxPool2d else deepcopy(layer)


def _parts(model: Sequential) -> Iterator[tuple[str, Layer]]:
    """Yield the layers, with each convolution or linear layer and what may follow it as one."""
    waiting = [item for item in model.layers.items() if type(item[1]) not in _NOTHING]

    def follows(kind: type[Layer]) -> Any:
        return waiting.pop(0)[1] if waiting and type(waiting[0][1]) is kind else None

    while waiting:
        name, layer = waiting.pop(0)
        if _can_freeze(layer):
            gathers = waiting and getattr(waiting[0][1], "track_running_stats", False)
            norm = follows(BatchNorm2d) if gathers else None
            relu = follows(ReLU) is not None
            yield name, _Convolution(layer, norm, relu, follows(MaxPool2d))
        elif type(layer) is Linear:
            yield name, _Linear(layer, follows(ReLU) is not None)
        else:
            yield name, _freeze(layer)


_NOTHING = (Dropout,)
"""What does nothing in inference."""


def _can_freeze(layer: Layer) -> TypeGuard[Conv2d]:
    return type(layer) is Conv2d and layer.padding_mode == "zeros"


def _bias(layer: Conv2d | Linear) -> Array:
    if isinstance(layer.bias, Parameter):
        return layer.bias.value.copy()
    return np.zeros(len(layer.weight.value), layer.weight.dtype)
