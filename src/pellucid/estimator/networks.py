"""Build the network of an estimator."""

from __future__ import annotations

from typing import Any

from pellucid import layers as nn
from pellucid import models
from pellucid.errors import PellucidError
from pellucid.models.check import fitted
from pellucid.types import Shape

_LENET = 12
"""Least side of an image for LeNet-5."""


def network(model: Any, image_shape: Shape, outputs: int) -> nn.Layer:
    """Build a new network for images of this shape.

    Parameters
    ----------
    model
        ``"auto"``: `lenet5x2` for images of at least 12×12, otherwise one convolution and two
        linear layers. Or a name for `pellucid.models.build`, the path of a ``.toml`` file, a layer
        (a new one like it is built), the description of one, or a function of `image_shape` and
        `outputs` that returns one.
    image_shape
        Shape (C, H, W) of an image.
    outputs
        Number of outputs.

    Examples
    --------
    >>> network("auto", (1, 2, 3), 4)
    Sequential(
      conv1: Conv2d(in_channels=1, out_channels=16, kernel_size=3, padding=1)
      relu1: ReLU()
      flatten: Flatten()
      fc1: Linear(in_features=96, out_features=64)
      relu2: ReLU()
      fc2: Linear(in_features=64, out_features=4)
    )
    """
    if isinstance(model, str) and model != "auto":
        return models.build(model, image_shape, outputs)

    def make(shape: Shape) -> nn.Layer:
        if isinstance(model, str):
            return _small(shape, outputs) if min(shape[1:]) < _LENET else _lenet(shape, outputs)
        if isinstance(model, nn.Layer):
            return nn.build(model.describe())
        if isinstance(model, dict | list):
            return nn.build(model, (1, *shape))
        if callable(model) and isinstance(made := model(shape, outputs), nn.Layer):
            return made
        raise PellucidError(
            "model must be a name, the path of a .toml file, a layer, a layer's description, or "
            f"a function (image_shape, outputs) that returns a layer, not {model!r:.60}"
        )

    return fitted("the network", make, image_shape, outputs)


def _lenet(image_shape: Shape, outputs: int) -> nn.Layer:
    return models.build("lenet5x2", image_shape, outputs)


def _small(image_shape: Shape, outputs: int) -> nn.Layer:
    channels, height, width = image_shape
    return nn.Sequential(
        conv1=nn.Conv2d(channels, 16, 3, padding=1),
        relu1=nn.ReLU(),
        flatten=nn.Flatten(),
        fc1=nn.Linear(16 * height * width, 64),
        relu2=nn.ReLU(),
        fc2=nn.Linear(64, outputs),
    )
