"""Resize images by any rule of the ONNX format."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pellucid.arguments import LARGEST_SIZE, Positive, Size
from pellucid.errors import PellucidError, ShapeError, unknown
from pellucid.layers.base import Layer, StepContext
from pellucid.types import Array, Shape

MODES = ("nearest", "linear", "cubic")
COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
)
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@dataclass(eq=False, repr=False)
class Resize(Layer):
    """Resize images: ``Y = V X Uᵀ`` with a matrix for each direction.

    Row o of V holds the weights of the input rows for output row o; ``dX = Vᵀ dY U``. `Upsample` is
    enough for most networks; this layer implements every rule of ONNX. Source: the ONNX
    specification, operator Resize.

    Parameters
    ----------
    size
        Size (OH, OW) of the output, or None if it follows from `scale`: ``OH = ⌊H · scale⌋``.
    scale
        Factors (vertical, horizontal), the s of the positions below; by default O/I.
    mode
        ``nearest``, ``linear`` or ``cubic`` (Keys 1981, with the coefficient `cubic`).
    coordinates
        Position of output o on the input, with s for the scale: ``half_pixel`` (o + ½)/s − ½,
        ``asymmetric`` o/s, ``align_corners`` o·(I − 1)/(I·s − 1), ``pytorch_half_pixel`` as
        half_pixel, but 0 if O is 1, ``half_pixel_symmetric`` as half_pixel about the image's
        centre, ``tf_half_pixel_for_nn`` (o + ½)/s.
    rounding
        Rounding of positions for the mode nearest: ``round_prefer_floor``, ``round_prefer_ceil``,
        ``floor`` or ``ceil``.
    cubic
        Coefficient of cubic interpolation: −0.75 in PyTorch, −0.5 in Keys' paper and TensorFlow.
    exclude_outside
        Whether to ignore positions outside the image and renormalise the other weights; otherwise
        the pixels at the edge are used.
    antialias
        Whether, when shrinking, to average over all pixels that an output covers.

    Examples
    --------
    >>> Resize(size=(14, 21), mode="cubic").output_shape((64, 16, 7, 7))
    (64, 16, 14, 21)
    """

    size: tuple[Size, Size] | None = None
    scale: tuple[Positive, Positive] | None = None
    mode: str = "nearest"
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for what, value, known in (
            ("mode", self.mode, MODES),
            ("coordinates", self.coordinates, COORDINATES),
            ("rounding", self.rounding, ROUNDINGS),
        ):
            if value not in known:
                raise PellucidError(unknown(what, value, known))
        if self.size is None and self.scale is None:
            raise PellucidError("Resize needs a size or a scale")

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Shape]:
        self.output_shape(x.shape)
        V, U = (matrix.astype(x.dtype) for matrix in self.matrices(x.shape))
        return _times(x, V, U), x.shape

    def backward(self, dy: Array, cache: Shape, *, input_gradient: bool = True) -> Array:
        if not input_gradient:
            return dy
        V, U = (matrix.astype(dy.dtype) for matrix in self.matrices(cache))
        return _times(dy, V.T, U.T)

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 4 or min(input_shape[1:]) < 1:
            raise ShapeError(f"Resize expects images of shape (N, C, H, W), got {input_shape}")
        size = self._size(input_shape)
        if min(size) < 1 or max(size) > LARGEST_SIZE:
            raise ShapeError(
                f"{self!r} would make images of {size[0]:.0f}×{size[1]:.0f} from the shape "
                f"{input_shape}"
            )
        return *input_shape[:2], *size

    def _size(self, shape: Shape) -> tuple[int, int]:
        if self.size is not None:
            return self.size
        assert self.scale is not None
        vertical, horizontal = (min(scale, 2.0 * LARGEST_SIZE) for scale in self.scale)
        return math.floor(shape[2] * vertical), math.floor(shape[3] * horizontal)

    def matrices(self, input_shape: Shape) -> tuple[Array, Array]:
        """Return the matrices V (OH, H) and U (OW, W)."""
        return self._matrix(input_shape, 0), self._matrix(input_shape, 1)

    def _matrix(self, shape: Shape, axis: int) -> Array:
        """Return the (O, I) matrix of one direction."""
        size, new = shape[2 + axis], self._size(shape)[axis]
        scale = new / size if self.scale is None else self.scale[axis]
        if size == new and scale == 1:
            return np.eye(size)
        position = self._positions(size, new, scale)
        if self.mode == "nearest":
            return np.asarray(np.eye(size)[self._rounded(position).clip(0, size - 1)])
        wide = 1 / min(scale, 1.0) if self.antialias else 1.0  # width of the interpolation kernel
        reach = math.ceil((2 if self.mode == "cubic" else 1) * wide) + 1
        taps = np.floor(position)[:, None] + np.arange(1 - reach, reach + 1)  # (O, taps)
        weights = self._weights((position[:, None] - taps) / wide)
        inside = (taps >= 0) & (taps < size)
        if self.exclude_outside:
            weights *= inside
        weights /= weights.sum(axis=1, keepdims=True)
        matrix = np.zeros((new, size))
        columns = taps.clip(0, size - 1).astype(np.intp)
        np.add.at(matrix, (np.arange(new)[:, None], columns), weights)
        return matrix

    def _positions(self, size: int, new: int, scale: float) -> Array:
        o: Array = np.arange(new, dtype=np.float64)
        if self.coordinates == "asymmetric":
            return o / scale
        if self.coordinates == "align_corners":
            return o * ((size - 1) / (scale * size - 1)) if new > 1 else o * 0
        if self.coordinates == "tf_half_pixel_for_nn":
            return (o + 0.5) / scale
        if self.coordinates == "pytorch_half_pixel" and new == 1:
            return o * 0
        middle = 0.0
        if self.coordinates == "half_pixel_symmetric":
            middle = size / 2 * (1 - new / (scale * size))
        return middle + (o + 0.5) / scale - 0.5

    def _rounded(self, position: Array) -> Array:
        if self.rounding == "floor":
            found = np.floor(position)
        elif self.rounding == "ceil":
            found = np.ceil(position)
        elif self.rounding == "round_prefer_ceil":
            found = np.floor(position + 0.5)
        else:
            found = np.ceil(position - 0.5)
        return found.astype(np.intp)

    def _weights(self, distance: Array) -> Array:
        d = np.abs(distance)
        if self.mode == "linear":
            return np.asarray(np.maximum(1 - d, 0))
        a = self.cubic
        near = ((a + 2) * d - (a + 3)) * d**2 + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.asarray(near * (d <= 1) + far * ((d > 1) & (d < 2)))


def _times(x: Array, V: Array, U: Array) -> Array:
    """Return ``V X Uᵀ`` for every image and channel, with the batch last in memory."""
    turned = np.moveaxis(np.matmul(np.matmul(V, x), U.T), 0, -1)
    return np.moveaxis(np.ascontiguousarray(turned), -1, 0)
