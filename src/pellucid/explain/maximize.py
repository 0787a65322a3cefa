"""Which image would excite a filter most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pellucid.errors import PellucidError, ShapeError
from pellucid.explain.inputs import (
    channel_numbers,
    check_positive,
    chunks,
    dtype_of,
    network_inputs,
)
from pellucid.explain.patches import fields_of, seen
from pellucid.explain.probe import Probe
from pellucid.layers import Layer
from pellucid.randomness import generator
from pellucid.types import Array, Shape

_START = 0.1
"""The size of the noise, in units of the network's input."""
_ALIKE = 0.9
"""About how much the colours of a pixel agree in photos: their correlation."""
_TRIES = 4
_WIDEST = 3.0
"""How far pixels may go from the network's 0 where nobody says their limits."""


@dataclass(frozen=True)
class Maximized:
    """Images made to excite each of F filters, and how strongly they do.

    Attributes
    ----------
    layer, channels
        The layer's name, and the numbers of its filters, (F,).
    images
        (F, C, H, W), in the units of the images that the model takes.
    values
        The filter's response before each step and at the end, (F, steps + 1).
    positions
        The row and column in the filter's map at which it responds, (F, 2).
    boxes
        (top, bottom, left, right) of the part of each image from which the response is computed,
        bottom and right being the first outside, (F, 4).
    pixels
        For each filter this part, (C, h, w), in the images' units; NaN outside of the image.
    """

    layer: str
    channels: Array
    images: Array
    values: Array
    positions: Array
    boxes: Array
    pixels: list[Array]


def maximize_filter(
    model: Layer,
    layer: str,
    channels: int | Sequence[int] | None = None,
    positions: Sequence[Sequence[int]] | Array | None = None,
    input_shape: Shape | None = None,
    steps: int = 256,
    rate: float = 0.2,
    smoothing: float = 2.0,
    beyond: float | Sequence[float] | Array | None = None,
    limits: tuple[float, float] | None = None,
    seed: int = 0,
    batch_size: int = 64,
) -> Maximized:
    """Return images that excite filters of a layer most, found by gradient ascent from faint noise.

    The response is the filter's output at one position, as in `top_patches`, so that the two can be
    compared. With g its gradient for the image x, step t of T is::

        x ← clip(x + rate · s/rms(s)),    s = F⁻¹(F(g) / fᵖ),    p = smoothing · (1 − t/T)

    where F is the Fourier transform and f the frequency. Plain ascent, p = 0, ends in noise that no
    image has. Images have less of each frequency the higher it is; so the ascent begins with what
    is coarse, as they do, and adds finer and finer detail. In the same way the three colours of a
    pixel go together at first.
    Source: Erhan et al., "Visualizing higher-layer features of a deep network", 2009, sec. 3
    (ascent); Olah, Mordvintsev and Schubert, "Feature visualization", 2017 (ascent in a space in
    which the frequencies and colours of natural images are alike).

    Parameters
    ----------
    model, layer
        A model, and the name of a layer in it, as `activations` gives it. For the last layer the
        filters are the classes.
    channels
        The numbers of the filters; all of them if not given.
    positions
        Where in its map each filter is to respond, row and column, (F, 2), such as ``positions[:,
        0]`` of `top_patches`: at the border a filter sees padding, and so may respond to other
        things. The middle if not given.
    input_shape
        (C, H, W); `model.input_shape` if not given.
    steps, rate
        How many steps, and how long each is, in units of the network's input.
    smoothing
        How much the first steps prefer what is coarse; 0 for plain ascent.
    beyond
        A response, or one for each filter, at which the ascent ends: the image found is about the
        coarsest that responds more. An ascent that ends below, at a lesser peak, begins again from
        other noise, up to four times in all. Without it all steps are made, once.
    limits
        The lowest and the highest value of a pixel, in the images' units. Without it the network's
        inputs stay between −3 and 3: with preprocessing, three deviations from the mean.
    seed
        From which the noise follows, for each filter its own.
    batch_size
        How many images are computed at once.

    Returns
    -------
    The images, the responses on the way, and the parts of the images that matter.

    Raises
    ------
    PellucidError
        There is no such layer or filter, or the limits are none.
    ShapeError
        The shape of an image is not known.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 8, 3), relu=nn.ReLU())
    >>> found = maximize_filter(model, "conv", channels=[0, 5], input_shape=(1, 12, 12), steps=8)
    >>> found.images.shape, bool((found.values[:, -1] > found.values[:, 0]).all())
    ((2, 1, 12, 12), True)
    """
    check_positive(steps=steps)
    shape = model.input_shape if input_shape is None else tuple(input_shape)
    if shape is None or len(shape) != 3:
        raise ShapeError(f"give the shape of an image, input_shape=(C, H, W), not {input_shape!r}")
    probe = Probe(model, (layer,), revive=True)
    probe.logits(np.zeros((1, *shape), dtype_of(model)))
    output = probe.watched(layer).shape
    chosen = channel_numbers(channels, output[1])
    places = _places(positions, len(chosen), output)
    goals = np.broadcast_to(np.inf if beyond is None else beyond, chosen.shape)
    way = _Way(steps, rate, smoothing, *_limits(model, limits, shape))
    x = np.zeros((len(chosen), *shape), dtype_of(model))
    values = np.full((len(chosen), steps + 1), -np.inf, x.dtype)
    for turn in range(1 if beyond is None else _TRIES):
        short = np.flatnonzero(values[:, -1] <= goals)
        for part in chunks(len(short), batch_size):
            own = short[part]
            filters = _Filters(probe, layer, chosen[own], places[own])
            found, responses = _climb(
                filters, _noise(model, chosen[own], shape, seed, turn), goals[own], way
            )
            better = responses[:, -1] > values[own, -1]
            x[own[better]], values[own[better]] = found[better], responses[better]
    images = _stored(model, x)
    boxes, pixels = seen(fields_of(model, layer, shape), chosen, places, images)
    return Maximized(layer, chosen, images, values, places, boxes, pixels)


@dataclass(frozen=True)
class _Filters:
    """The filters for which images are made, each for its own."""

    probe: Probe
    layer: str
    channels: Array
    positions: Array

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Return each filter's response to its image, and the gradient for the image."""

        def push(y: Array) -> Array:
            only = np.zeros_like(y)
            only[self._own(y)] = 1
            return only

        y, gradient = self.probe.pull(x, self.layer, push)
        return np.asarray(y[self._own(y)]), gradient

    def _own(self, y: Array) -> Any:
        """Return the indices of each image's own response in the layer's output."""
        where = self.positions.T if y.ndim == 4 else ()
        return np.arange(len(y)), self.channels, *where


class _Way(NamedTuple):
    """How the ascent goes: see `maximize_filter`."""

    steps: int
    rate: float
    smoothing: float
    low: Any
    high: Any


def _climb(filters: _Filters, x: Array, goals: Array, way: _Way) -> tuple[Array, Array]:
    """Return the images at the end, and the responses before each step and at the end."""
    frequencies = _frequencies(x.shape)
    value, g = filters(x)
    values = [value]
    for step in range(way.steps):
        climbing = value <= goals
        if climbing.any():
            power = way.smoothing * (1 - step / way.steps)
            s = _filtered(_as_colours(g, power), frequencies**-power)
            s *= way.rate / np.maximum(_rms(s), np.finfo(x.dtype).tiny)
            further = np.clip(x + s, way.low, way.high).astype(x.dtype)
            x = np.where(climbing[:, None, None, None], further, x)
            value, g = filters(x)
        values.append(value)
    return x, np.stack(values, axis=1)


def _noise(model: Layer, channels: Array, shape: Shape, seed: int, turn: int) -> Array:
    """Return faint noise in which, as in images, each frequency is the weaker the higher it is."""
    white = np.stack(
        [generator(seed, f"maximize {c}", step=turn).normal(size=shape) for c in channels]
    )
    noise = _filtered(white, 1 / _frequencies(white.shape))
    return np.asarray(_START * noise / _rms(noise), dtype_of(model))


def _frequencies(shape: Shape) -> Array:
    """Return the frequency of each term of the Fourier transform; the mean counts as the lowest."""
    H, W = shape[2:]
    f: Array = np.hypot(np.fft.fftfreq(H)[:, None], np.fft.rfftfreq(W))
    return np.maximum(f, 1 / max(H, W))


def _filtered(x: Array, factors: Array) -> Array:
    """Return images of which each frequency is multiplied by its factor."""
    return np.asarray(np.fft.irfft2(np.fft.rfft2(x) * factors, s=x.shape[2:]))


def _as_colours(g: Array, power: float) -> Array:
    """Return a gradient with three channels that go together as red, green and blue do."""
    if g.shape[1] != 3:
        return g
    alike = 1 - (1 - _ALIKE) ** (power / 2)
    return np.asarray(g + alike / (1 - alike) * g.mean(axis=1, keepdims=True))


def _rms(x: Array) -> Array:
    return np.asarray(np.sqrt((x**2).mean(axis=(1, 2, 3), keepdims=True)))


def _places(given: Any, count: int, output: Shape) -> Array:
    """Return where each filter is to respond, (F, 2); (0, 0) stands for its only place."""
    size = output[2:] if len(output) == 4 else (1, 1)
    places = np.asarray([[side // 2 for side in size]] * count if given is None else given)
    if places.shape != (count, 2) or (places < 0).any() or (places >= size).any():
        raise ShapeError(
            f"positions are a row and a column for each of {count} filters, in maps of "
            f"{size[0]}×{size[1]}; not {given!r}"
        )
    return places


def _limits(model: Layer, limits: tuple[float, float] | None, shape: Shape) -> tuple[Any, Any]:
    """Return the limits as the network sees them."""
    if limits is None:
        return -_WIDEST, _WIDEST
    if not limits[0] < limits[1]:
        raise PellucidError(f"limits are the lowest and the highest value, not {limits}")
    low, high = (network_inputs(model, np.full((1, *shape), float(v))) for v in limits)
    return low, high


def _stored(model: Layer, x: Array) -> Array:
    """Return what the network computes with in the units of the images: preprocessing undone."""
    if model.preprocessing is None:
        return np.ascontiguousarray(x)
    mean, scale = np.array([model.preprocessing.mean, model.preprocessing.scale], x.dtype)
    return np.ascontiguousarray(x * scale[:, None, None] + mean[:, None, None])
