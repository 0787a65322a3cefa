"""Multilayer perceptron.

Source: Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors", 1986.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from pellucid import layers as nn
from pellucid.errors import PellucidError, unknown
from pellucid.models.registry import register
from pellucid.types import Shape

_ACTIVATIONS: dict[str, type[nn.Layer]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


@register
def mlp(
    input_shape: Shape,
    classes: int,
    hidden: int | Sequence[int] = (128,),
    activation: str = "relu",
) -> nn.Sequential:
    """Build linear layers with an activation between them.

    ``h₁ = f(W₁x + b₁)``, ``h₂ = f(W₂h₁ + b₂)``, …, ``y = Wₙhₙ₋₁ + bₙ``. Without `f` it would be a
    single linear function, which cannot represent XOR. Images are flattened first.

    Parameters
    ----------
    input_shape
        Shape (features,) or (C, H, W).
    classes
        Number of outputs.
    hidden
        Number of units of each hidden layer. Default: one layer of 128.
    activation
        ``"relu"`` (default), ``"tanh"`` or ``"sigmoid"``.

    Examples
    --------
    >>> mlp((2,), 1, hidden=4, activation="tanh")
    Sequential(
      fc1: Linear(in_features=2, out_features=4, initializer='glorot_uniform')
      act1: Tanh()
      fc2: Linear(in_features=4, out_features=1, initializer='glorot_uniform')
    )
    """
    if activation not in _ACTIVATIONS:
        raise PellucidError(unknown("activation", activation, _ACTIVATIONS))
    widths = [math.prod(input_shape), *([hidden] if isinstance(hidden, int) else hidden), classes]
    initializer = "he_normal" if activation == "relu" else "glorot_uniform"
    layers: dict[str, nn.Layer] = {} if len(input_shape) == 1 else {"flatten": nn.Flatten()}
    for i, (before, after) in enumerate(pairwise(widths), start=1):
        layers[f"fc{i}"] = nn.Linear(before, after, initializer=initializer)
        layers[f"act{i}"] = _ACTIVATIONS[activation]()
    layers.popitem()  # the outputs are scores, without an activation
    return nn.Sequential(layers)
