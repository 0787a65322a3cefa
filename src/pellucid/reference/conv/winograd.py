"""Winograd's minimal filtering: fewer multiplications for 3×3 kernels. ::

    y = Aᵀ · [ Σ over c of  (G·w·Gᵀ) ∘ (Bᵀ·d·B) ] · A

for each tile of m×m outputs, where d are the (m+2)×(m+2) inputs that the tile reads and ∘
multiplies entry by entry. A tile takes (m+2)² multiplications per channel and filter where the
definition takes 9·m²: 2.25 times fewer for m = 2 and 4 times fewer for m = 4.

The idea, for one row: the product of two polynomials with m and 3 coefficients has degree m + 1, so
its values at m + 2 points determine it. This takes m + 2 multiplications instead of 3·m; evaluating
both factors and interpolating their product are fixed linear maps with small constants. Correlation
is the transpose of that product, and so are its maps: Bᵀ is the transpose of the interpolation, Aᵀ
that of the evaluation. The points are 0, 1, −1, ∞ for m = 2 and 0, 1, −1, 2, −2, ∞ for m = 4.

All three transforms are linear and the product is bilinear, so the gradients are the same steps
transposed and in reverse. With Y the tile of dy and M = A·Y·Aᵀ ::

    dx  adds, at each tile,  B · [ Σ over f of  (G·w·Gᵀ) ∘ M ] · Bᵀ
    dw  =  Gᵀ · [ Σ over tiles of  M ∘ (Bᵀ·d·B) ] · G

Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016, sections 4.1–4.3.

Error: large entries of A and B enlarge roundings that cancel in exact arithmetic. With |·| taken
entry by entry, the computed y differs from y by no more than ::

    γₙ · |Aᵀ| · [ Σ over c of  (|G|·|w|·|Gᵀ|) ∘ (|Bᵀ|·|d|·|B|) ] · |A|

with γₙ = n·u / (1 − n·u), n = C/groups + 4·(m + 2) + 12, u = 2⁻²⁴ in float32 and 2⁻⁵³ in float64;
similarly for the gradients, with the number of terms of their sum in place of C/groups. In practice
m = 2 is as accurate as the definition in the same type, and m = 4 loses about one decimal digit. A
NaN or infinity in x reaches every output of the tiles that read it, not only of the windows that
do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pellucid.geometry import Window
from pellucid.reference import memory
from pellucid.reference.conv import pieces
from pellucid.reference.conv.patches import gather, scatter
from pellucid.types import Array, Shape


@dataclass(frozen=True, eq=False)
class Winograd:
    """F(m×m, 3×3): tiles of m×m outputs at a time.

    Attributes
    ----------
    m
        Side of a tile.
    A_T
        Transform (m, m+2) from the points to the outputs.
    G
        Transform (m+2, 3) of the kernel to the points.
    B_T
        Transform (m+2, m+2) of the inputs to the points.
    """

    m: int
    A_T: Array
    G: Array
    B_T: Array

    def supports(self, window: Window, groups: int) -> str | None:
        """Return None for a 3×3 kernel, stride 1 and dilation 1, else what is required."""
        if window.kernel == (3, 3) and window.stride == (1, 1) and window.dilation == (1, 1):
            return None
        return "Winograd needs a 3×3 kernel, stride 1 and dilation 1"

    def forward(self, x: Array, weight: Array, window: Window, groups: int) -> Array:
        """Return y (N, F, OH, OW) for x (N, C, H, W) and weight (F, C/groups, 3, 3)."""
        U = _transform(self.G, _kernels(weight, groups))
        y = memory.zeros((len(x), len(weight), *window.output_size), np.result_type(x, weight))
        for part in self._parts(len(x), weight.shape, window, groups, y.itemsize):
            # at (m+2)² points, for each group: (F/G, C/G) × (C/G, T) -> (F/G, T)
            M = U @ self._evaluated(x, part, groups)
            _add_tiles(_transform(self.A_T, M), part.writes, y[part.outputs])
        return y

    def input_gradient(self, dy: Array, weight: Array, window: Window, groups: int) -> Array:
        """Return dx (N, C, H, W)."""
        U = _transform(self.G, _kernels(weight, groups))
        C = weight.shape[1] * groups
        dx = memory.zeros((len(dy), C, *window.size), np.result_type(dy, weight))
        for part in self._parts(len(dy), weight.shape, window, groups, dx.itemsize):
            # at (m+2)² points, for each group: (C/G, F/G) × (F/G, T) -> (C/G, T)
            V = U.swapaxes(-1, -2) @ self._spread(dy, part, groups)
            _add_tiles(_transform(self.B_T.T, V), part.reads, dx[part.inputs])
        return dx

    def weight_gradient(self, dy: Array, x: Array, window: Window, groups: int) -> Array:
        """Return dw (F, C/groups, 3, 3)."""
        F, C = dy.shape[1], x.shape[1]
        points = len(self.G)
        shape = (points, points, groups, F // groups, C // groups)
        U = np.zeros(shape, np.result_type(dy, x))
        for part in self._parts(len(x), (F, C // groups), window, groups, U.itemsize):
            V = self._evaluated(x, part, groups)
            # at (m+2)² points, for each group: (F/G, T) × (T, C/G) -> (F/G, C/G)
            U += self._spread(dy, part, groups) @ V.swapaxes(-1, -2)
            del V  # frees memory before the next is made
        dw = _transform(self.G.T, U).reshape(3, 3, F, C // groups)
        return np.ascontiguousarray(dw.transpose(2, 3, 0, 1))

    def multiplications(
        self, input_shape: Shape, weight_shape: Shape, window: Window, groups: int
    ) -> int:
        """Return N·F·(C/groups)·T·(m+2)² for T tiles, without the transforms' constants."""
        products = input_shape[0] * math.prod(weight_shape[:2]) * self.tiles(window)
        return products * (self.m + 2) ** 2

    def tiles(self, window: Window) -> int:
        """Return the number of tiles of one image."""
        return math.prod(self._reads(window).output_size)

    def scratch_bytes(
        self, input_shape: Shape, weight_shape: Shape, window: Window, groups: int, itemsize: int
    ) -> int:
        """Return the memory in bytes for the transformed weights and the tiles of a piece."""
        kernels = (self.m + 2) ** 2 * math.prod(weight_shape[:2]) * itemsize
        row_bytes = self._row_bytes(weight_shape, window, groups, itemsize)
        return kernels + pieces.scratch_bytes(self._reads(window), input_shape[0], row_bytes)

    def _evaluated(self, x: Array, part: _Part, groups: int) -> Array:
        """Return V = Bᵀ·d·B for the part's tiles."""
        return _transform(self.B_T, _tiles(x[part.inputs], part.reads, groups))

    def _spread(self, dy: Array, part: _Part, groups: int) -> Array:
        """Return M = A·Y·Aᵀ for the part's tiles."""
        return _transform(self.A_T.T, _tiles(dy[part.outputs], part.writes, groups))

    def _reads(self, window: Window) -> Window:
        """Return how tiles read the input: m + 2 wide, m apart, padded to whole tiles."""
        m, ((top, bottom), (left, right)) = self.m, window.padding
        OH, OW = window.output_size
        padding = (top, bottom + -OH % m), (left, right + -OW % m)
        return Window(window.size, (m + 2, m + 2), (m, m), padding)

    def _writes(self, window: Window) -> Window:
        """Return how tiles lie in the output: m wide, m apart, padded to whole tiles."""
        m, (OH, OW) = self.m, window.output_size
        return Window((OH, OW), (m, m), (m, m), ((0, -OH % m), (0, -OW % m)))

    def _parts(
        self, images: int, weight_shape: Shape, window: Window, groups: int, itemsize: int
    ) -> Iterator[_Part]:
        reads, writes = self._reads(window), self._writes(window)
        row_bytes = self._row_bytes(weight_shape, window, groups, itemsize)
        for piece in pieces.pieces(reads, images, row_bytes):
            rows, part = writes.strip(piece.rows.start, piece.rows.stop)
            yield _Part(
                inputs=(piece.images, slice(None), piece.image_rows),
                reads=piece.window,
                outputs=(piece.images, slice(None), rows),
                writes=part,
            )

    def _row_bytes(self, weight_shape: Shape, window: Window, groups: int, itemsize: int) -> int:
        """Return the bytes for one row of tiles of one image.

        Counted are gathered, half transformed and fully transformed tiles of input and output.
        """
        F, C = weight_shape[0], weight_shape[1] * groups
        tiles = self._reads(window).output_size[1]
        return 3 * (C + F) * (self.m + 2) ** 2 * tiles * itemsize


@dataclass(frozen=True)
class _Part:
    """Some tiles: their positions in the input and in the output."""

    inputs: tuple[slice, ...]
    reads: Window
    outputs: tuple[slice, ...]
    writes: Window


def _transform(matrix: Array, tiles: Array) -> Array:
    """Return ``matrix · tile · matrixᵀ`` for `tiles` (q, q, …) and `matrix` (p, q): (p, p, …)."""
    matrix = matrix.astype(tiles.dtype)
    p, q = matrix.shape
    rows = matrix @ tiles.reshape(q, -1)  # (p, q) × (q, q·…) -> (p, q·…)
    both = matrix @ rows.reshape(p, q, -1)  # (p, q) × (p, q, …) -> (p, p, …)
    transformed: Array = both.reshape(p, p, *tiles.shape[2:])
    return transformed


def _kernels(weight: Array, groups: int) -> Array:
    """Return `weight` (F, C/G, 3, 3) as (3, 3, G, F/G, C/G)."""
    F, channels = weight.shape[:2]
    return weight.transpose(2, 3, 0, 1).reshape(3, 3, groups, F // groups, channels)


def _tiles(x: Array, window: Window, groups: int) -> Array:
    """Return the tiles that `window` reads in `x`, (side, side, G, C/G, T)."""
    N, C = x.shape[:2]
    tiles = np.empty((*window.kernel, C, *window.output_size, N), x.dtype)
    gather(x, window, out=tiles.transpose(2, 0, 1, 3, 4, 5))
    return tiles.reshape(*window.kernel, groups, C // groups, -1)


def _add_tiles(tiles: Array, window: Window, y: Array) -> None:
    """Add `tiles` (side, side, G, C/G, T) into `y`: the adjoint of `_tiles`."""
    N, C = y.shape[:2]
    patches = tiles.reshape(*window.kernel, C, *window.output_size, N)
    scatter(patches.transpose(2, 0, 1, 3, 4, 5), window, y)


F2 = Winograd(
    m=2,
    A_T=np.array(
        [
            [1, 1, 1, 0],
            [0, 1, -1, -1],
        ]
    ),
    G=np.array(
        [
            [1, 0, 0],
            [1 / 2, 1 / 2, 1 / 2],
            [1 / 2, -1 / 2, 1 / 2],
            [0, 0, 1],
        ]
    ),
    B_T=np.array(
        [
            [1, 0, -1, 0],
            [0, 1, 1, 0],
            [0, -1, 1, 0],
            [0, 1, 0, -1],
        ]
    ),
)
"""F(2×2, 3×3), from the points 0, 1, −1, ∞."""

F4 = Winograd(
    m=4,
    A_T=np.array(
        [
            [1, 1, 1, 1, 1, 0],
            [0, 1, -1, 2, -2, 0],
            [0, 1, 1, 4, 4, 0],
            [0, 1, -1, 8, -8, 1],
        ]
    ),
    G=np.array(
        [
            [1 / 4, 0, 0],
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ]
    ),
    B_T=np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    ),
)
"""F(4×4, 3×3), from the points 0, 1, −1, 2, −2, ∞."""
