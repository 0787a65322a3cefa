"""Dropout: in training, values are left out by chance."""

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
    """In training ``y = x · m / (1 − p)``, where m is 0 with probability p and else 1.

    ``dx = dy · m / (1 − p)``. With the division the mean of y is x, so that in inference y = x.
    The draws depend on the training's position alone, not on how x lies in memory.
    Source: Srivastava et al., "Dropout", 2014, sec. 4 and 10.

    Parameters
    ----------
    p
        The probability that a value is left out, 0 to 1.

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
    """Dropout of whole channels: m is drawn once for each image and channel.

    Neighbouring pixels tell almost the same, so that leaving out single ones takes little away.
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
