"""The convolution theorem: a sum over taps in space is one product at each frequency. ::

    ŷ[f, n]  = Σ over c of  conj(ŵ[f, c]) · x̂[c, n]
    dx̂[c, n] = Σ over f of  ŵ[f, c] · dŷ[f, n]
    dŵ[f, c] = Σ over n of  conj(dŷ[f, n]) · x̂[c, n]

where ^ is the two-dimensional Fourier transform, with the sliding factor conjugated for
cross-correlation. At each frequency these are matrix products. The cost hardly depends on the size
of the kernel.

All arrays are placed in a field as large as the padded image, so that nothing wraps around: the
image at its position in the padded image; the kernel at the origin, its values D apart; the output
at the origin, its values S apart, which is the dense result subsampled, or the gradient upsampled.
The field's sides have only the prime factors 2, 3 and 5.

Source: Mathieu, Henaff and LeCun, "Fast training of convolutional networks through FFTs", 2014.

Error: with L values in the field, u = 2⁻²⁴ in float32 and 2⁻⁵³ in float64, ::

    |error| ≤ u · (21·log₂ L + C/groups + 4) · Σ over c of ‖x[n, c]‖₂ · ‖w[f, c]‖₂

(three transforms, Higham 2002, theorem 24.2); similarly for the gradients, with the terms of their
sums. The bound is relative to whole images, not to each output: an output much smaller than its
neighbours has fewer correct digits than with the definition. A NaN or infinity spreads to all
outputs of its image.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from pellucid.geometry import Area, Window
from pellucid.reference import memory
from pellucid.reference.conv import pieces
from pellucid.types import Array, Shape


def supports(window: Window, groups: int) -> str | None:
    """Return None: strides and dilations are gaps in the field, so all are supported."""
    return None


def forward(x: Array, weight: Array, window: Window, groups: int) -> Array:
    """Return y (N, F, OH, OW) for x (N, C, H, W) and weight (F, C/groups, KH, KW)."""
    y = memory.empty((len(x), len(weight), *window.output_size), np.result_type(x, weight))
    images, kernels, outputs = _images(x, window), _kernels(weight, window), _outputs(y, window)
    for g in range(groups):
        image, kernel, output = (stack.group(g, groups) for stack in (images, kernels, outputs))
        # at each frequency: (F/G, C/G) × (C/G, N) -> (F/G, N)
        _multiply(kernel, image, output, window, conjugate=True)
    return y


def input_gradient(dy: Array, weight: Array, window: Window, groups: int) -> Array:
    """Return dx (N, C, H, W)."""
    C = weight.shape[1] * groups
    dx = memory.empty((len(dy), C, *window.size), np.result_type(dy, weight))
    images, kernels, outputs = _images(dx, window), _kernels(weight, window), _outputs(dy, window)
    for g in range(groups):
        image, kernel, output = (stack.group(g, groups) for stack in (images, kernels, outputs))
        # at each frequency: (C/G, F/G) × (F/G, N) -> (C/G, N)
        _multiply(kernel.transposed(), output, image, window, conjugate=False)
    return dx


def weight_gradient(dy: Array, x: Array, window: Window, groups: int) -> Array:
    """Return dw (F, C/groups, KH, KW)."""
    F, C = dy.shape[1], x.shape[1]
    dw = np.empty((F, C // groups, *window.kernel), np.result_type(dy, x))
    images, kernels, outputs = _images(x, window), _kernels(dw, window), _outputs(dy, window)
    for g in range(groups):
        image, kernel, output = (stack.group(g, groups) for stack in (images, kernels, outputs))
        # at each frequency: (F/G, N) × (N, C/G) -> (F/G, C/G)
        _multiply(output, image.transposed(), kernel, window, conjugate=True)
    return dw


def multiplications(input_shape: Shape, weight_shape: Shape, window: Window, groups: int) -> int:
    """Return four per complex product, and 2·L·log₂ L per real transform of L values."""
    N, C, F = input_shape[0], input_shape[1], weight_shape[0]
    h, w = field_size(window)
    products = 4 * h * (w // 2 + 1) * N * F * weight_shape[1]
    transforms = N * C + F * weight_shape[1] + N * F
    return products + transforms * math.ceil(2 * h * w * math.log2(h * w))


def scratch_bytes(
    input_shape: Shape, weight_shape: Shape, window: Window, groups: int, itemsize: int
) -> int:
    """Return the bytes of scratch memory that `forward` takes: the spectra of a block."""
    sizes = weight_shape[0] // groups, weight_shape[1], input_shape[0]
    return _block_bytes(_block(*sizes, window, itemsize), *sizes, window, itemsize)


@dataclass(frozen=True)
class _Stack:
    """A matrix of images, kernels or outputs, (rows, height, width, columns), and its position."""

    values: Array
    area: Area

    def transposed(self) -> _Stack:
        return _Stack(self.values.swapaxes(0, 3), self.area)

    def group(self, g: int, groups: int) -> _Stack:
        """Return the rows of group `g`."""
        size = len(self.values) // groups
        return _Stack(self.values[g * size : (g + 1) * size], self.area)

    def spectra(self, rows: slice, columns: slice, size: tuple[int, int]) -> Array:
        """Return the spectra of a block, (h, w/2+1, rows, columns): a matrix at each frequency."""
        block = self.values[rows, :, :, columns]
        field = np.zeros((len(block), *size, block.shape[3]), block.dtype)
        field[:, *self.area] = block
        return np.fft.rfft2(field, axes=(1, 2)).transpose(1, 2, 0, 3)

    def assign(self, rows: slice, columns: slice, spectra: Array, size: tuple[int, int]) -> None:
        """Set a block from its spectra: the inverse of `spectra`."""
        field = np.fft.irfft2(spectra.transpose(2, 0, 1, 3), s=size, axes=(1, 2))
        self.values[rows, :, :, columns] = field[:, *self.area]


def _images(x: Array, window: Window) -> _Stack:
    return _Stack(x.transpose(1, 2, 3, 0), window.inner)  # (C, H, W, N)


def _kernels(weight: Array, window: Window) -> _Stack:
    return _Stack(weight.transpose(0, 2, 3, 1), window.patch(0, 0))  # (F, KH, KW, C/groups)


def _outputs(y: Array, window: Window) -> _Stack:
    return _Stack(y.transpose(1, 2, 3, 0), window.tap(0, 0))  # (F, OH, OW, N)


def _multiply(left: _Stack, right: _Stack, result: _Stack, window: Window, conjugate: bool) -> None:
    """Set `result` to ``left · right``, with `left` conjugated if requested, block by block."""
    size = field_size(window)
    rows, terms, columns = len(left.values), len(right.values), right.values.shape[3]
    side = _block(rows, terms, columns, window, result.values.itemsize)
    for a, b in product(_cut(rows, side), _cut(columns, side)):
        shape = (size[0], size[1] // 2 + 1, a.stop - a.start, b.stop - b.start)
        total = np.zeros(shape, np.result_type(result.values, np.complex64))
        for s in _cut(terms, side):
            slid = left.spectra(a, s, size)
            if conjugate:
                np.conj(slid, out=slid)
            total += slid @ right.spectra(s, b, size)
        result.assign(a, b, total, size)


def field_size(window: Window) -> tuple[int, int]:
    """Return the field's sides: those of the padded image or slightly more."""
    height, width = (_good_length(size) for size in window.padded_size)
    return height, width


def _good_length(n: int) -> int:
    """Return the smallest length of at least `n` whose only prime factors are 2, 3 and 5."""
    best = 1 << (n - 1).bit_length()
    fives = 1
    while fives < best:
        odd = fives
        while odd < best:
            best = min(best, odd << (-(-n // odd) - 1).bit_length())
            odd *= 3
        fives *= 5
    return best


def _block(rows: int, terms: int, columns: int, window: Window, itemsize: int) -> int:
    """Return the largest side of a block whose intermediate results fit into SCRATCH, or 1."""
    sides = range(1, max(rows, terms, columns) + 1)
    fitting = bisect_right(
        sides,
        pieces.SCRATCH,
        key=lambda side: _block_bytes(side, rows, terms, columns, window, itemsize),
    )
    return max(1, fitting)


def _block_bytes(
    side: int, rows: int, terms: int, columns: int, window: Window, itemsize: int
) -> int:
    """Return the bytes for a block: both factors and their product, each thrice to transform it."""
    h, w = field_size(window)
    a, s, b = (min(size, side) for size in (rows, terms, columns))
    return 3 * (a * s + s * b + a * b) * 2 * h * (w // 2 + 1) * itemsize


def _cut(size: int, side: int) -> Iterator[slice]:
    return (slice(start, min(start + side, size)) for start in range(0, size, side))
