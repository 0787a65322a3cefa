"""Inference: weights are laid out once, and what follows a convolution is done in its last step."""

from collections.abc import Callable
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
from pellucid.compiled.conv import depthwise, direct, single, winograd
from pellucid.compiled.conv.taps import forward_taps
from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_sized
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
_PIXEL = Window((1, 1), (1, 1))


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

    def single(self) -> single.Packed:
        return self._once("single", lambda: single.pack(self.weight, self.bias))

    def _once(self, key: Any, make: Callable[[], T]) -> T:
        if key not in self._packed:
            self._packed[key] = make()
        packed: T = self._packed[key]
        return packed


def prepare(weight: Array, bias: Array, groups: int) -> Weights:
    """Return the weights (F, C/groups, KH, KW) and biases (F,) for `convolve`."""
    return Weights(np.ascontiguousarray(weight), bias.astype(np.float32), groups)


def convolve(x: Array, weights: object, convolution: Convolution, relu: bool) -> Array:
    """Return the convolution of x with prepared weights, and ReLU if wanted."""
    assert isinstance(weights, Weights)
    F, window, groups = len(weights.weight), convolution.window, convolution.groups
    inner, alone = layout.memory(x), len(x) == 1
    y = empty((*window.output_size, F, len(x)), np.float32)
    (top, _), (left, _) = window.padding
    match conv.conv2d_algorithm(convolution):
        case "depthwise" if alone:
            single.run_depthwise(inner, weights.by_tap(), weights.bias, y, window, relu)
        case "direct" | "winograd4" if alone and groups == 1:
            single.run(inner, weights.single(), y, window, relu)
        case "depthwise":
            taps, width = forward_taps(window), window.kernel[1]
            depthwise.run(inner, weights.by_tap(), weights.bias, y, taps, width, relu)
        case "winograd4":
            winograd.run(inner, weights.winograd(), y, top, left, relu)
        case "direct":
            rows = direct.tile_shape(F // groups, len(x))[0]
            direct.run(inner, weights.direct(rows), y, forward_taps(window), relu)
        case _:
            z = reference.conv2d(x, weights.weight, weights.bias, convolution)
            return reference.relu(z) if relu else z
    return layout.images(y)


def transform(x: Array, weights: object, relu: bool) -> Array:
    """Return ``x Wᵀ + b`` for x (N, I) and prepared weights (O, I, 1, 1), and ReLU if wanted."""
    assert isinstance(weights, Weights)
    columns = layout.contiguous(x.T)  # (N, I) -> (I, N): an image of one pixel
    pixel = layout.images(columns[None, None])
    convolution = Convolution(pixel.shape, weights.weight.shape, _PIXEL, algorithm="direct")
    return convolve(pixel, weights, convolution, relu)[:, :, 0, 0]


def max_pool_values(x: Array, window: Window) -> Array:
    """Return the maxima alone, without where they were."""
    inner = layout.memory(x)
    rows, columns = forward_taps(window)
    y = empty((*window.output_size, *inner.shape[2:]), np.float32)
    # at each pixel lies one run of channels × images, all alike
    _maxima(
        y.size, inner.reshape(*inner.shape[:2], -1), y.reshape(*y.shape[:2], -1), *rows, *columns
    )
    return layout.images(y)


@jit_sized
def _maxima(
    mine, x, y,
    row_first, row_tap, row_source, row_length,
    column_first, column_tap, column_source, column_length,
):  # fmt: skip
    """y (OH, OW, R), the maxima of x (H, W, R) over each window, for `max_pool_values`."""
    _, W, R = x.shape
    OH, OW, _ = y.shape
    xs, ys = x.reshape(-1), y.reshape(-1)
    for position in share_of(mine, OH * OW):
        oh, ow = position // OW, position % OW
        for start in range(0, R, 4 * LANES):
            lanes = live_lanes(R - start, 4)
            best = add(zero_tile(1, 4), np.float32(-np.inf))
            for i in range(row_first[oh], row_first[oh + 1]):
                for r in range(row_length[i]):
                    for j in range(column_first[ow], column_first[ow + 1]):
                        for s in range(column_length[j]):
                            pixel = (row_source[i] + r) * W + column_source[j] + s
                            run = load_run(xs, pixel * R + start, 4, lanes)
                            # what is not a number stays
                            keep = either(above(best, run), unequal(best, best))
                            best = choose(keep, best, run)
            store_tile(best, ys, position * R + start, R, 1, lanes)
