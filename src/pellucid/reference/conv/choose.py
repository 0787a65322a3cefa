"""Choose an algorithm by name or by shape."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pellucid.contract import Convolution
from pellucid.errors import PellucidError, unknown
from pellucid.geometry import Window
from pellucid.reference.conv import fft, im2col, loops, winograd
from pellucid.types import Array, Shape


class Algorithm(Protocol):
    """The functions of every algorithm; `loops` defines the results of the three passes."""

    def supports(self, window: Window, groups: int) -> str | None:
        """Return why the algorithm cannot compute this convolution, or None if it can."""

    def forward(self, x: Array, weight: Array, window: Window, groups: int) -> Array:
        """Return y (N, F, OH, OW)."""

    def input_gradient(self, dy: Array, weight: Array, window: Window, groups: int) -> Array:
        """Return dx (N, C, H, W)."""

    def weight_gradient(self, dy: Array, x: Array, window: Window, groups: int) -> Array:
        """Return dw (F, C/groups, KH, KW)."""

    def multiplications(
        self, input_shape: Shape, weight_shape: Shape, window: Window, groups: int
    ) -> int:
        """Return the number of multiplications of `forward`."""

    def scratch_bytes(
        self, input_shape: Shape, weight_shape: Shape, window: Window, groups: int, itemsize: int
    ) -> int:
        """Return the approximate memory in bytes that `forward` needs for intermediate results."""


class Choice(NamedTuple):
    """The name of an algorithm, and the reason for choosing it."""

    name: str
    reason: str


ALGORITHMS: dict[str, Algorithm] = {
    "loops": loops,
    "im2col": im2col,
    "fft": fft,
    "winograd2": winograd.F2,
    "winograd4": winograd.F4,
}
BY_SHAPE = ("auto", "precise", "tuned")
"""Names that leave the choice to the library; the reference engine never chooses by timing."""

_ELSEWHERE = {"direct": "im2col", "depthwise": "im2col"}
"""Algorithms of the compiled engine, accepted here so that models that name them run too."""

# Measured in float32 with one thread (NumPy 2.4, OpenBLAS 0.3.31, AMD EPYC Zen 5):
_WINOGRAD_CHANNELS = 32  # with 16 channels, the transforms take as long as the product saves
_WINOGRAD_TILES = 64  # with fewer, transforming the weights costs more than the product saves
_WINOGRAD_GAIN = 2.0  # minimum; outputs that do not fill whole tiles gain less
_FFT_GAIN = 6.0  # a multiplication in a transform costs about six in a large product


def names() -> tuple[str, ...]:
    """Return the names of all algorithms.

    >>> names()
    ('loops', 'im2col', 'fft', 'winograd2', 'winograd4')
    """
    return tuple(ALGORITHMS)


def get(name: str) -> Algorithm:
    """Return the algorithm with this name."""
    name = _ELSEWHERE.get(name, name)
    if name not in ALGORITHMS:
        known = (*BY_SHAPE, *ALGORITHMS)
        raise PellucidError(unknown("convolution algorithm", name, known))
    return ALGORITHMS[name]


def resolve(convolution: Convolution) -> str:
    """Return the name of the requested algorithm, or of the one chosen by shape.

    Raises
    ------
    PellucidError
        The algorithm does not exist, or does not support this convolution.
    """
    c, name = convolution, convolution.algorithm
    if name in BY_SHAPE:
        return choose(c.input_shape, c.weight_shape, c.window, c.groups, name == "precise").name
    if name == "depthwise" and not c.is_depthwise:
        raise PellucidError("depthwise needs one filter for each channel; use 'direct'")
    if (reason := get(name).supports(c.window, c.groups)) is not None:
        (KH, KW), stride, dilation = c.window.kernel, c.window.stride, c.window.dilation
        raise PellucidError(
            f"{reason}, not a {KH}×{KW} kernel, stride {stride} and dilation {dilation}; "
            "use 'im2col', or 'auto' for the fastest suitable one"
        )
    return name


def choose(
    input_shape: Shape, weight_shape: Shape, window: Window, groups: int, precise: bool = False
) -> Choice:
    """Return the algorithm that is likely the fastest for these shapes, and the reason.

    With `precise`, F(4×4, 3×3) is excluded, which has the largest rounding errors.

    Examples
    --------
    >>> choose((64, 8, 14, 14), (16, 8, 5, 5), Window.of((14, 14), 5), 1).name
    'im2col'
    >>> choose((64, 64, 32, 32), (64, 64, 3, 3), Window.of((32, 32), 3, padding=1), 1)
    Choice(name='winograd4', reason='4.0 times fewer multiplications than the definition')
    """
    shapes = input_shape, weight_shape, window, groups
    definition = im2col.multiplications(*shapes)
    if winograd.F4.supports(window, groups) is None and not precise:
        gain = definition / max(winograd.F4.multiplications(*shapes), 1)
        channels = min(weight_shape[0] // groups, weight_shape[1])
        tiles = input_shape[0] * winograd.F4.tiles(window)
        if channels >= _WINOGRAD_CHANNELS and tiles >= _WINOGRAD_TILES and gain >= _WINOGRAD_GAIN:
            return Choice(
                "winograd4", f"{gain:.1f} times fewer multiplications than the definition"
            )
    gain = definition / max(fft.multiplications(*shapes), 1)
    if gain >= _FFT_GAIN:
        return Choice("fft", f"a large kernel: {gain:.1f} times fewer multiplications")
    return Choice("im2col", "one matrix product is the fastest for this shape")
