"""Dropout: set random values to 0 in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid import ops
from pellucid.arguments import Probability
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.types import Array, Shape


@dataclass(eq=False, repr=False)
class Dropout(Layer):
    """In training ``y = x · m / (1 − p)``, where m is 0 with probability p and 1 otherwise.

    ``dx = dy · m / (1 − p)``. The division keeps the mean, so in inference y = x. The random
    numbers depend only on the training step, not on the memory layout of x.
    Source: Srivastava et al., "Dropout", 2014, sec. 4 and 10.

    Parameters
    ----------
    p
        Probability that a value is set to 0, from 0 to 1. Default: 0.5.

    Examples
    --------
    >>> y, _ = Dropout(0.5).forward(np.ones((1, 4)), StepContext(seed=0))
    >>> sorted(set(y.ravel().tolist()))
    [0.0, 2.0]
    """

    p: Probability = 0.5

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Array | None]:
        self.output_shape(x.shape)
        if training is None or self.p == 0:
            return x, None
        N, *rest = self._mask_shape(x.shape)
        draws = np.moveaxis(training.draw("dropout", (*rest, N)), -1, 0)  # batch last in memory
        return ops.dropout(x, draws, self.p), draws

    def backward(self, dy: Array, cache: Array | None, *, input_gradient: bool = True) -> Array:
        return dy if cache is None else ops.dropout(dy, cache, self.p)

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def _mask_shape(self, shape: Shape) -> Shape:
        return shape


@dataclass(eq=False, repr=False)
class Dropout2d(Dropout):
    """Dropout of whole channels: m is drawn once per image and channel.

    Neighbouring pixels are correlated, so dropping single ones removes little information.
    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015.

    Examples
    --------
    >>> y, draws = Dropout2d(0.5).forward(np.ones((2, 3, 4, 4)), StepContext(seed=0))
    >>> draws.shape
    (2, 3, 1, 1)
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 4:
            raise ShapeError(f"Dropout2d expects images (N, C, H, W), got shape {input_shape}")
        return input_shape

    def _mask_shape(self, shape: Shape) -> Shape:
        return *shape[:2], 1, 1
