"""Rearrange channels into pixels, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from pellucid.arguments import LARGEST_SIZE, Range
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.types import Array, Shape

_Factor = Annotated[int, Range(1, LARGEST_SIZE)]


@dataclass(eq=False, repr=False)
class PixelShuffle(Layer):
    """``y[n, c, h·r + i, w·r + j] = x[n, c·r² + i·r + j, h, w]``: r² channels become r×r pixels.

    The backward pass is a `PixelUnshuffle`. Source: Shi et al., "Real-time single image and video
    super-resolution using an efficient sub-pixel convolutional neural network", 2016, sec. 3.2.

    Parameters
    ----------
    upscale_factor
        Factor r by which height and width grow.

    Examples
    --------
    >>> PixelShuffle(2).output_shape((64, 12, 8, 8))
    (64, 3, 16, 16)
    """

    upscale_factor: _Factor

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, None]:
        self.output_shape(x.shape)
        return _shuffled(x, self.upscale_factor), None

    def backward(self, dy: Array, cache: None, *, input_gradient: bool = True) -> Array:
        return _unshuffled(dy, self.upscale_factor)

    def output_shape(self, input_shape: Shape) -> Shape:
        r = self.upscale_factor
        if len(input_shape) != 4 or input_shape[1] % r**2:
            raise ShapeError(
                f"PixelShuffle({r}) expects images (N, C, H, W) with C a multiple of {r**2}, "
                f"not {input_shape}"
            )
        N, C, H, W = input_shape
        return N, C // r**2, H * r, W * r


@dataclass(eq=False, repr=False)
class PixelUnshuffle(Layer):
    """``y[n, c·r² + i·r + j, h, w] = x[n, c, h·r + i, w·r + j]``: r×r pixels become r² channels.

    The backward pass is a `PixelShuffle`.

    Parameters
    ----------
    downscale_factor
        Factor r by which height and width shrink; it must divide them.

    Examples
    --------
    >>> PixelUnshuffle(2).output_shape((64, 3, 16, 16))
    (64, 12, 8, 8)
    """

    downscale_factor: _Factor

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, None]:
        self.output_shape(x.shape)
        return _unshuffled(x, self.downscale_factor), None

    def backward(self, dy: Array, cache: None, *, input_gradient: bool = True) -> Array:
        return _shuffled(dy, self.downscale_factor)

    def output_shape(self, input_shape: Shape) -> Shape:
        r = self.downscale_factor
        if len(input_shape) != 4 or input_shape[2] % r or input_shape[3] % r:
            raise ShapeError(
                f"PixelUnshuffle({r}) expects images (N, C, H, W) whose height and width are "
                f"multiples of {r}, not {input_shape}"
            )
        N, C, H, W = input_shape
        return N, C * r**2, H // r, W // r


def _shuffled(x: Array, r: int) -> Array:
    N, C, H, W = x.shape
    parts = x.reshape(N, C // r**2, r, r, H, W).transpose(0, 1, 4, 2, 5, 3)
    return _batch_last(parts.reshape(N, C // r**2, H * r, W * r))


def _unshuffled(x: Array, r: int) -> Array:
    N, C, H, W = x.shape
    parts = x.reshape(N, C, H // r, r, W // r, r).transpose(0, 1, 3, 5, 2, 4)
    return _batch_last(parts.reshape(N, C * r**2, H // r, W // r))


def _batch_last(x: Array) -> Array:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)
