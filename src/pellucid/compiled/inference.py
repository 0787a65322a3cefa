"""Inference: weights are laid out once, and what follows a convolution is done in its last step."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np

from pellucid.compiled import conv, layout
from pellucid.compiled.arithmetic import (
    above,
    add,
    choose,
    either,
    unequal,
)
from pellucid.compiled.conv import depthwise, direct, winograd
from pellucid.compiled.conv.channels_last import depthwise as last_depthwise
from pellucid.compiled.conv.channels_last import direct as last_direct
from pellucid.compiled.conv.channels_last import winograd as last_winograd
from pellucid.compiled.conv.taps import forward_taps
from pellucid.compiled.epilogue import epilogue
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_inline, jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import (
    LANES,
    live_lanes,
    load_run,
    store_tile,
    zero_tile,
)
from pellucid.contract import Convolution
from pellucid.geometry import Window
from pellucid.runtime.workspace import empty
from pellucid.types import Array

T = TypeVar("T")
_RUN = 4  # registers


_CHANNELS_LAST: dict[str, Any] = {
    "depthwise": last_depthwise,
    "direct": last_direct,
    "winograd4": last_winograd,
}


class Weights:
    """A convolution's weights, in each of the orders in which they have been asked for."""

    def __init__(self, weight: Array, bias: Array, groups: int) -> None:
        self.weight, self.bias, self.groups = weight, bias, groups
        self._packed: dict[Any, Any] = {}

    def direct(self, rows: int) -> direct.Packed:
        return self._once(rows, lambda: direct.pack(self.weight, self.bias, self.groups, rows))

    def winograd(self) -> winograd.Packed:
        return self._once("winograd", lambda: winograd.pack(self.weight, self.bias))

    def by_tap(self) -> Array:
        return self._once("by tap", lambda: depthwise.by_tap(self.weight))

    def channels_last(self, algorithm: str) -> Any:
        pack = _CHANNELS_LAST[algorithm].pack
        return self._once(f"{algorithm}, channels last", lambda: pack(self.weight, self.bias))

    def _once(self, key: Any, make: Callable[[], T]) -> T:
        if key not in self._packed:
            self._packed[key] = make()
        packed: T = self._packed[key]
        return packed


def prepare(weight: Array, bias: Array, groups: int) -> Weights:
    """Return the weights (F, C/groups, KH, KW) and biases (F,) for `convolve`."""
    return Weights(np.ascontiguousarray(weight), bias.astype(np.float32), groups)


def convolve(
    x: Array,
    weights: object,
    convolution: Convolution,
    relu: bool,
    shortcut: Array | None = None,
) -> Array:
    """Return the convolution of x with prepared weights, plus a shortcut, and ReLU if wanted."""
    assert isinstance(weights, Weights)
    algorithm = _algorithm(convolution)
    if conv.is_channels_last(convolution) and algorithm in _CHANNELS_LAST:
        y = layout.new_channels_last(convolution.output_shape)
        packed, run = weights.channels_last(algorithm), _CHANNELS_LAST[algorithm].run
        run(x, packed, y, convolution.window, relu, shortcut=shortcut)
        return y
    y = _images_last(x, weights, convolution, relu and shortcut is None)
    return y if shortcut is None else epilogue(y, None, shortcut, relu, None)[0]


def _algorithm(convolution: Convolution) -> str:
    """Return the algorithm: Winograd pays earlier where weights were transformed before."""
    name, window = conv.conv2d_algorithm(convolution), convolution.window
    if (
        name not in ("direct", "winograd4")
        or convolution.algorithm != "auto"
        or not conv.is_channels_last(convolution)
        or not winograd.supports(window, convolution.groups)
    ):
        return name
    pays = min(convolution.weight_shape[:2]) >= 2 * LANES and min(window.output_size) >= 6
    return "winograd4" if pays else "direct"


def _images_last(x: Array, weights: Weights, convolution: Convolution, relu: bool) -> Array:
    F, window, groups = len(weights.weight), convolution.window, convolution.groups
    inner = layout.memory(x)
    y = empty((*window.output_size, F, len(x)), np.float32)
    (top, _), (left, _) = window.padding
    match conv.conv2d_algorithm(convolution):
        case "depthwise":
            taps, width = forward_taps(window), window.kernel[1]
            depthwise.run(inner, weights.by_tap(), weights.bias, y, taps, width, relu)
        case "winograd4" if groups == 1:
            winograd.run(inner, weights.winograd(), y, top, left, relu)
        case "direct":
            rows = direct.tile_shape(F // groups, len(x))[0]
            direct.run(inner, weights.direct(rows), y, forward_taps(window), relu)
        case _:
            z = reference.conv2d(x, weights.weight, weights.bias, convolution)
            return reference.relu(z) if relu else z
    return layout.images(y)


def transform(x: Array, weights: object, relu: bool) -> Array:
    """Return ``x Wᵀ + b``, and ReLU if wanted, for x (N, I) and prepared weights (O, I, 1, 1).

    x may also be images (N, C, H, W), with weights (O, C, H, W): the convolution whose kernel is
    the whole image, which needs no array in which they are flattened.
    """
    assert isinstance(weights, Weights)
    size = weights.weight.shape[2:]
    if x.ndim == 2 and layout.channels_innermost(x.shape):
        x = layout.as_images(layout.contiguous(x))  # images of one pixel
    elif x.ndim == 2:
        x = layout.images(layout.contiguous(x.T)[None, None])  # (N, I) -> (I, N)
    convolution = Convolution(x.shape, weights.weight.shape, Window(size, size), algorithm="direct")
    return convolve(x, weights, convolution, relu)[:, :, 0, 0]


def max_pool_values(x: Array, window: Window) -> Array:
    """Return the maxima alone, without where they were."""
    N, C = x.shape[:2]
    y = layout.new_array((N, C, *window.output_size))
    rows, columns = forward_taps(window)
    compared = y.size * window.kernel[0] * window.kernel[1]
    if layout.channels_innermost(y.shape):
        inner, outer = layout.channels_last(x), layout.channels_last(y)
        _maxima_last(min(4, -(-C // LANES)))(compared // 2, inner, outer, *rows, *columns)
        return y
    run = C * N  # at each pixel lies a run of channels × images
    inner, outer = (layout.memory(each).reshape(*each.shape[2:], run) for each in (x, y))
    _maxima(min(4, -(-run // LANES)))(y.size, inner, outer, *rows, *columns)
    return y


@jit_inline
def _larger(best, run):
    """Return the larger; what is not a number stays."""
    return choose(either(above(best, run), unequal(best, best)), best, run)


@cache
def _maxima(VECTORS: int) -> Any:
    @jit_sized
    def kernel(
        mine, x, y,
        row_first, row_tap, row_source, row_length,
        column_first, column_tap, column_source, column_length,
    ):  # fmt: skip
        """y (OH, OW, R), the maxima of x (H, W, R) over each window, for `max_pool_values`.

        An item of work is one row of outputs.
        """
        _, W, R = x.shape
        OH, OW, _ = y.shape
        xs, ys = x.reshape(-1), y.reshape(-1)
        for oh in share_of(mine, OH):
            for ow in range(OW):
                for start in range(0, R, VECTORS * LANES):
                    lanes = live_lanes(R - start, VECTORS)
                    best = add(zero_tile(1, VECTORS), np.float32(-np.inf))
                    for i in range(row_first[oh], row_first[oh + 1]):
                        for row in range(row_source[i], row_source[i] + row_length[i]):
                            for j in range(column_first[ow], column_first[ow + 1]):
                                for s in range(column_length[j]):
                                    pixel = row * W + column_source[j] + s
                                    run = load_run(xs, pixel * R + start, VECTORS, lanes)
                                    best = _larger(best, run)
                    store_tile(best, ys, (oh * OW + ow) * R + start, R, 1, lanes)

    return kernel


@cache
def _maxima_last(VECTORS: int) -> Any:
    @jit_sized
    def kernel(
        mine, x, y,
        row_first, row_tap, row_source, row_length,
        column_first, column_tap, column_source, column_length,
    ):  # fmt: skip
        """y (N, OH, OW, C), the maxima of x (N, H, W, C) over each window, for `max_pool_values`.

        Of the rows first, as one run of all columns and channels: it fills the lanes also where
        there are few channels. Then of the columns. An item of work is one row of outputs.
        """
        N, H, W, C = x.shape
        _, OH, OW, _ = y.shape
        xs, ys, size = x.reshape(-1), y.reshape(-1), W * C
        lines = np.empty(size, np.float32)
        for item in share_of(mine, N * OH):
            n, oh = item // OH, item % OH
            for at in range(0, size, _RUN * LANES):
                lanes = live_lanes(size - at, _RUN)
                best = add(zero_tile(1, _RUN), np.float32(-np.inf))
                for i in range(row_first[oh], row_first[oh + 1]):
                    for row in range(row_source[i], row_source[i] + row_length[i]):
                        best = _larger(best, load_run(xs, (n * H + row) * size + at, _RUN, lanes))
                store_tile(best, lines, at, 0, 1, lanes)
            for c in range(0, C, VECTORS * LANES):
                lanes = live_lanes(C - c, VECTORS)
                for ow in range(OW):
                    best = add(zero_tile(1, VECTORS), np.float32(-np.inf))
                    for j in range(column_first[ow], column_first[ow + 1]):
                        for column in range(column_source[j], column_source[j] + column_length[j]):
                            best = _larger(best, load_run(lines, column * C + c, VECTORS, lanes))
                    store_tile(best, ys, (item * OW + ow) * C + c, 0, 1, lanes)

    return kernel
