"""The six networks that everybody trains, networks for photographs, and networks of other layers.

Convolutions that a normalisation follows have no bias: it would be subtracted again.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from pellucid import layers as nn
from pellucid import models
from pellucid.types import Array, Shape

CLASSES = 10
MNIST, CIFAR = (1, 28, 28), (3, 32, 32)


class Network(NamedTuple):
    """The shape of one image, and what makes the model."""

    input_shape: Shape
    build: Callable[[], nn.Layer]


def lenet() -> nn.Layer:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, CLASSES)),
    )


def mnist_bn() -> nn.Layer:
    return nn.Sequential(
        *_convolution(1, 32),
        nn.MaxPool2d(2),
        *_convolution(32, 64),
        nn.MaxPool2d(2),
        *(nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, CLASSES)),
    )


def vgg_small() -> nn.Layer:
    layers: list[nn.Layer] = []
    inputs = 3
    for outputs in (32, 64, 128):
        layers += [*_convolution(inputs, outputs), *_convolution(outputs, outputs)]
        layers += [nn.MaxPool2d(2)]
        inputs = outputs
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, CLASSES))


def resnet20() -> nn.Layer:
    return models.resnet20(CIFAR, CLASSES)


def inception() -> nn.Layer:
    return nn.Sequential(
        *_convolution(3, 32),
        nn.MaxPool2d(2),
        _module(32, 16, (16, 32), (8, 16), 16),
        nn.MaxPool2d(2),
        _module(80, 32, (32, 64), (16, 32), 32),
        *_head(160),
    )


def mobilenet() -> nn.Layer:
    layers, inputs = _convolution(3, 32), 32
    for outputs, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        layers += _convolution(inputs, inputs, stride=stride, groups=inputs)
        layers += _convolution(inputs, outputs, kernel=1)
        inputs = outputs
    return nn.Sequential(*layers, *_head(inputs))


NETWORKS = {
    "lenet": Network(MNIST, lenet),
    "mnist-bn": Network(MNIST, mnist_bn),
    "vgg-small": Network(CIFAR, vgg_small),
    "resnet20": Network(CIFAR, resnet20),
    "inception": Network(CIFAR, inception),
    "mobilenet": Network(CIFAR, mobilenet),
}


def _resnet(name: str, size: int) -> Network:
    shape = (3, size, size)
    return Network(shape, lambda: models.build(name, shape, CLASSES))


PHOTOGRAPHS = {
    "resnet18-64": _resnet("resnet18", 64),
    "resnet18-224": _resnet("resnet18", 224),
    "resnet50-128": _resnet("resnet50", 128),
}
"""With the size of an image."""


def densenet() -> nn.Layer:
    return models.densenet(CIFAR, CLASSES)


def u_net() -> nn.Layer:
    return nn.Sequential(
        *_convolution(3, 16),
        _around(16, _around(32, nn.Sequential(*_convolution(64, 64)))),
        *_head(16),
    )


def gelu() -> nn.Layer:
    """Normalisation after pooling, and GELU: the order of the fastest CIFAR-10 networks."""
    layers: list[nn.Layer] = [nn.Conv2d(3, 24, 2), nn.GELU()]
    inputs = 24
    for outputs in (64, 128, 128):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.MaxPool2d(2)]
        layers += [nn.BatchNorm2d(outputs), nn.GELU()]
        layers += [nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(outputs), nn.GELU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten(), nn.Linear(128, CLASSES))


def average_pooling() -> nn.Layer:
    layers: list[nn.Layer] = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
        layers += [nn.SiLU(), nn.AvgPool2d(2)]
    return nn.Sequential(*layers, *_head(128))


def group_norm() -> nn.Layer:
    layers: list[nn.Layer] = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]
        layers += [nn.GroupNorm(8, outputs), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, *_head(128))


def layer_norm() -> nn.Layer:
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 4, stride=4), nn.LayerNorm((32, 8, 8)), nn.GELU()),
        *(nn.Conv2d(32, 128, 2, stride=2), nn.LayerNorm((128, 4, 4)), nn.GELU()),
        *(nn.Flatten(), nn.Linear(2048, 256), nn.LayerNorm(256), nn.GELU()),
        nn.Linear(256, CLASSES),
    )


OTHER_LAYERS = {
    "densenet": Network(CIFAR, densenet),
    "u-net": Network(CIFAR, u_net),
    "gelu": Network(CIFAR, gelu),
    "average-pooling": Network(CIFAR, average_pooling),
    "group-norm": Network(CIFAR, group_norm),
    "layer-norm": Network(CIFAR, layer_norm),
}

EVERY = NETWORKS | PHOTOGRAPHS | OTHER_LAYERS

FEW_IMAGES = (
    *(("resnet18-64", 32), ("resnet18-224", 8), ("resnet18-224", 32), ("resnet50-128", 8)),
    ("resnet20", 1),
    *((name, 8) for name in NETWORKS),
)
"""Networks and the batch sizes in which whoever has large images, or little memory, trains them."""


def initial_state(model: nn.Layer, seed: int = 0) -> dict[str, Array]:
    """Return the values that everybody begins with, by path.

    Scales, shifts and running statistics are not left at 1 and 0, where a wrong one would not show.
    The last scales of resnet50's blocks are small, as in Goyal et al., "Accurate, large minibatch
    SGD", 2017, section 5.1: otherwise its first steps amplify rounding until losses differ.
    """
    random = np.random.default_rng(seed)
    state = nn.initialize(model, seed).state_dict()
    for name, value in state.items():
        if name.endswith("running_var") or (name.endswith("weight") and value.ndim == 1):
            scale = 0.1 if name.endswith("bn3.weight") else 1.0
            state[name] = (scale * random.uniform(0.8, 1.2, value.shape)).astype(value.dtype)
        elif name.endswith(("running_mean", "bias")):
            state[name] = random.normal(0.0, 0.1, value.shape).astype(value.dtype)
    return state


def flattened_shapes(model: Any, input_shape: Shape) -> dict[str, Shape]:
    """Return for the path of each Linear after a Flatten the (C, H, W) that was flattened.

    Who keeps channels last flattens in another order and so needs the weights in another order.
    """
    return dict(_flattened(model, input_shape))


def _flattened(model: Any, input_shape: Shape) -> Iterator[tuple[str, Shape]]:
    flattened: Shape | None = None
    for name, layer, shape in model.child_inputs((1, *input_shape)):
        if isinstance(layer, nn.Flatten):
            flattened = shape[1:]
        elif isinstance(layer, nn.Linear):
            if flattened is not None and math.prod(flattened) == layer.in_features:
                yield name, flattened
            flattened = None


def _around(channels: int, inside: nn.Layer) -> nn.Layer:
    """Return a step of a U-Net: what is inside sees half the size, and what went in joins it."""
    down = [nn.MaxPool2d(2), *_convolution(channels, 2 * channels)]
    up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
    branches = {"inside": nn.Sequential(*down, inside, up), "across": nn.Identity()}
    return nn.Sequential(nn.Concat(branches), *_convolution(2 * channels, channels))


def _convolution(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> list[nn.Layer]:
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False
    )
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def _module(
    inputs: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int
) -> nn.Layer:
    """Return GoogLeNet's module: four ways side by side."""
    return nn.Concat(
        nn.Sequential(*_convolution(inputs, one, 1)),
        nn.Sequential(*_convolution(inputs, three[0], 1), *_convolution(*three, 3)),
        nn.Sequential(*_convolution(inputs, five[0], 1), *_convolution(*five, 5)),
        nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *_convolution(inputs, pool, 1)),
    )


def _head(channels: int) -> list[nn.Layer]:
    return [nn.GlobalAvgPool2d(), nn.Flatten(), nn.Linear(channels, CLASSES)]
