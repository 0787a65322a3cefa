"""Small networks of several architectures, for the tests of `pellucid.explain`."""

from typing import Any

import numpy as np

from pellucid import layers as nn
from pellucid import models

SHAPE = (3, 16, 16)
SMALL: dict[str, dict[str, Any]] = {
    "lenet5": {"width": 0.5},
    "resnet20": {"width": 0.25},
    "inception": {"width": 1 / 16},
    "densenet": {"growth": 2, "blocks": (2, 2)},
    "mobilenet_v2": {"width": 1 / 4, "small_images": True},
}


def network(name: str) -> nn.Layer:
    """Return a float64 network after one training batch, with its own running statistics."""
    model = models.build(name, SHAPE, 4, **SMALL[name]).astype("float64")
    nn.initialize(model, seed=7)
    source = np.random.default_rng(11)
    for parameter in model.parameters():  # including biases, which would be 0
        parameter.value = parameter.value + source.normal(0, 0.05, parameter.shape)
    training = nn.StepContext()
    model.forward(images(32), training)
    training.commit()
    return model


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *SHAPE))


def shared() -> nn.Layer:
    """Return a network that uses one convolution at three places: in series and in two branches."""
    conv = nn.Conv2d(2, 2, 3, padding=1)
    model = nn.Sequential(
        first=conv,
        act=nn.Tanh(),
        both=nn.Concat(left=conv, right=nn.Sequential(nn.Tanh(), conv)),
        flatten=nn.Flatten(),
        fc=nn.Linear(4 * 5 * 4, 3),
    )
    model.astype("float64")
    return nn.initialize(model, seed=1)


def state_of(model: nn.Layer) -> dict[str, np.ndarray]:
    """Return all values of a model: parameters, running statistics and gradients."""
    gradients = {f"{name} grad": p.grad.copy() for name, p in model.named_parameters().items()}
    return model.state_dict() | gradients


def unchanged(model: nn.Layer, before: dict[str, np.ndarray]) -> bool:
    after = state_of(model)
    return all(np.array_equal(after[name], value) for name, value in before.items())
