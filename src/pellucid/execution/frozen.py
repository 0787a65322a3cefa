"""Freeze a model for inference: compute once what no longer changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, TypeGuard

import numpy as np

from pellucid.errors import PellucidError
from pellucid.execution.capturable import joins_all
from pellucid.execution.fusion import routing, series, with_nodes
from pellucid.execution.inference import (
    FOR_INFERENCE,
    FrozenConvolution,
    FrozenLinear,
    FrozenPooling,
    FrozenResidual,
)
from pellucid.execution.part import Part
from pellucid.execution.replay import Inference
from pellucid.layers import (
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    Graph,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    StepContext,
)
from pellucid.ops.checks import check_floating
from pellucid.runtime.usual_batch import cut
from pellucid.types import Shape

_IMAGES_AT_ONCE = 64
"""Larger batches are computed in parts of this size, whose activations fit into the caches."""


class Frozen:
    """A model for inference, with the values that it had when `freeze` was called.

    It is called like the model, has the model's preprocessing, classes and input shape, and may be
    called by several threads at once. It is not a layer: it cannot be trained, described or used
    inside a network.
    """

    def __init__(self, model: Layer) -> None:
        self.part = _frozen(model)
        self.preprocessing, self.classes = model.preprocessing, model.classes
        self.input_shape = model.input_shape
        self._output_shape = model.output_shape
        self._in_parts = not any(layer.mixes_images for _, layer in model.walk())
        self._thread = threading.local()

    def __call__(self, x: Any) -> Any:
        """Return the output."""
        if isinstance(x, np.ndarray) and x.dtype == np.uint8:
            check_floating("a frozen model", x)
        if len(x) <= _IMAGES_AT_ONCE or not isinstance(x, np.ndarray) or not self._in_parts:
            return self._inference()(x)
        parts = [self._inference()(x[part]) for part in cut(len(x), _IMAGES_AT_ONCE)]
        if isinstance(parts[0], tuple):
            return tuple(map(np.concatenate, zip(*parts, strict=True)))
        return np.concatenate(parts)

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, None]:
        """Return the output and no cache."""
        if training is not None:
            raise PellucidError(FOR_INFERENCE)
        return self(x), None

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        """Raise an error, because a frozen model has no gradient."""
        raise PellucidError(FOR_INFERENCE)

    def output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output for an input's, batch included."""
        return self._output_shape(input_shape)

    @property
    def captured(self) -> list[Shape]:
        """Input shapes that are replayed in this thread; see `execution.replay`."""
        return self._inference().captured

    def _inference(self) -> Inference:
        if not hasattr(self._thread, "inference"):
            self._thread.inference = Inference(self.part)
        found: Inference = self._thread.inference
        return found


def freeze(model: Layer) -> Frozen:
    """Return `model` for inference, with its present values.

    The result agrees with the model up to rounding and is faster, above all for few images. It
    does not follow later changes of the model.

    Parameters
    ----------
    model
        The model to freeze, which is not changed.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    >>> x = np.ones((1, 1, 8, 8), np.float32)
    >>> bool(np.allclose(freeze(model)(x), model(x), atol=1e-5))
    True
    """
    model.name_parameters()  # initial weights depend on the names
    return Frozen(model)


def _frozen(model: Layer) -> Part:
    if type(model) is Sequential:
        return series(model, dict(_parts(model)))
    if type(model) is Graph:
        return with_nodes(model, _frozen)
    if type(model) is Concat:
        branches = {name: _frozen(branch) for name, branch in model.branches.items()}
        return routing(model, branches=branches)
    if type(model) is Residual and (model.activation is None or type(model.activation) is ReLU):
        return _residual(model)
    return _alone(model)


def _residual(model: Residual) -> FrozenResidual:
    shortcut = None if model.shortcut is None else _frozen(model.shortcut)
    relu = model.activation is not None
    if type(model.body) is Sequential:
        parts = dict(_parts(model.body))
        *others, end = parts or [""]
        last = parts.get(end)
        if isinstance(last, FrozenConvolution) and last.can_add_shortcut:
            body = series(model.body, {name: parts[name] for name in others})
            return FrozenResidual(body, last, shortcut, relu)
    return FrozenResidual(_frozen(model.body), None, shortcut, relu)


def _alone(layer: Layer) -> Part:
    if _can_freeze(layer):
        return FrozenConvolution(layer, None, False, None)
    if type(layer) is Linear:
        return FrozenLinear(layer, False)
    return FrozenPooling(layer) if type(layer) is MaxPool2d else deepcopy(layer)


def _parts(model: Sequential) -> Iterator[tuple[str, Part]]:
    """Yield the parts, merging each convolution or linear layer with the layers that follow it."""
    waiting = [item for item in model.layers.items() if type(item[1]) not in _NOTHING]

    def follows(kind: type[Layer]) -> Any:
        return waiting.pop(0)[1] if waiting and type(waiting[0][1]) is kind else None

    while waiting:
        name, layer = waiting.pop(0)
        if _can_freeze(layer):
            tracks = waiting and getattr(waiting[0][1], "track_running_stats", False)
            norm = follows(BatchNorm2d) if tracks else None
            relu = follows(ReLU) is not None
            yield name, FrozenConvolution(layer, norm, relu, follows(MaxPool2d))
        elif type(layer) is Linear:
            yield name, FrozenLinear(layer, follows(ReLU) is not None)
        elif type(layer) is Flatten and joins_all(layer) and (linear := follows(Linear)):
            yield name, FrozenLinear(linear, follows(ReLU) is not None, flattens=True)
        else:
            yield name, _frozen(layer)


_NOTHING = (Dropout,)
"""Layers that do nothing in inference."""


def _can_freeze(layer: Layer) -> TypeGuard[Conv2d]:
    return type(layer) is Conv2d and layer.padding_mode == "zeros"
