"""Find images that excite filters most."""

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
"""Magnitude of the initial noise, in units of the network's input."""
_ALIKE = 0.9
"""Typical correlation between the colour channels of a pixel in photos."""
_TRIES = 4
_WIDEST = 3.0
"""Largest magnitude of the network's inputs if no limits are given."""


@dataclass(frozen=True)
class Maximized:
    """Images that excite each of F filters, and the filters' responses.

    Attributes
    ----------
    layer, channels
        Name of the layer, and the numbers of its filters, (F,).
    images
        The images, (F, C, H, W), in the units of the images that the model takes.
    values
        Response of each filter before each step and at the end, (F, steps + 1).
    positions
        Row and column in the filter's map of the response, (F, 2).
    boxes
        The part of each image on which the response depends, as (top, bottom, left, right) with
        bottom and right exclusive, (F, 4).
    pixels
        For each filter, the pixels of this part, (C, h, w); NaN outside the image.
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
    """Find images that excite filters of a layer most, by gradient ascent from faint noise.

    The response is the filter's output at one position, as in `top_patches`, so the two can be
    compared. With g the gradient of the response for the image x, step t of T is::

        x ← clip(x + rate · s/rms(s)),    s = F⁻¹(F(g) / fᵖ),    p = smoothing · (1 − t/T)

    where F is the Fourier transform and f the frequency. Plain ascent (p = 0) ends in
    high-frequency noise that no natural image has. In natural images, amplitudes fall with the
    frequency; so the ascent begins with coarse structure and gradually adds detail. In the same
    way, the three colour channels of a pixel are correlated at first. Source: Erhan et al.,
    "Visualizing higher-layer features of a deep network", 2009, sec. 3 (ascent); Olah, Mordvintsev
    and Schubert, "Feature visualization", 2017 (ascent in a space in which the frequencies and
    colours of natural images are decorrelated).

    Parameters
    ----------
    model, layer
        The model, and the name of a layer, as in `activations`. The filters of the last layer are
        the classes.
    channels
        Numbers of the filters; all of them by default.
    positions
        Row and column in its map at which each filter is to respond, (F, 2), such as ``positions[:,
        0]`` of `top_patches`; near the border, filters also respond to the padding. By default the
        middle of the map.
    input_shape
        Shape (C, H, W) of an image; `model.input_shape` by default.
    steps, rate
        Number of steps, and the length of each in units of the network's input.
    smoothing
        How strongly the first steps prefer low frequencies; 0 gives plain ascent.
    beyond
        Response, or one per filter, at which the ascent stops, so that the image is roughly the
        coarsest one that exceeds it. If an ascent ends below, in a lower local maximum, it restarts
        from other noise, at most four times in all. By default, all steps are made once.
    limits
        Lowest and highest value of a pixel, in the images' units. By default the network's inputs
        stay between −3 and 3; with preprocessing, this is three standard deviations from the mean.
    seed
        Seed of the noise, which differs from filter to filter.
    batch_size
        Number of images computed at once.

    Returns
    -------
    Maximized
        The images, the responses in each step, and the parts of the images that matter.

    Raises
    ------
    PellucidError
        There is no such layer or filter, or the limits are invalid.
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
        raise ShapeError(
            f"input_shape must be (C, H, W), the shape of an image, not {input_shape!r}"
        )
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
    """The filters for which images are made, one per image."""

    probe: Probe
    layer: str
    channels: Array
    positions: Array

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Return each filter's response to its image, and its gradient for the image."""

        def push(y: Array) -> Array:
            only = np.zeros_like(y)
            only[self._own(y)] = 1
            return only

        y, gradient = self.probe.pull(x, self.layer, push)
        return np.asarray(y[self._own(y)]), gradient

    def _own(self, y: Array) -> Any:
        """Return the indices of each image's response in the layer's output."""
        where = self.positions.T if y.ndim == 4 else ()
        return np.arange(len(y)), self.channels, *where


class _Way(NamedTuple):
    """The settings of the ascent: see `maximize_filter`."""

    steps: int
    rate: float
    smoothing: float
    low: Any
    high: Any


def _climb(filters: _Filters, x: Array, goals: Array, way: _Way) -> tuple[Array, Array]:
    """Return the final images, and the responses before each step and at the end."""
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
    """Return faint noise whose amplitude falls with the frequency, as in natural images."""
    white = np.stack(
        [generator(seed, f"maximize {c}", step=turn).normal(size=shape) for c in channels]
    )
    noise = _filtered(white, 1 / _frequencies(white.shape))
    return np.asarray(_START * noise / _rms(noise), dtype_of(model))


def _frequencies(shape: Shape) -> Array:
    """Return the frequency of each Fourier term; the mean counts as the lowest frequency."""
    H, W = shape[2:]
    f: Array = np.hypot(np.fft.fftfreq(H)[:, None], np.fft.rfftfreq(W))
    return np.maximum(f, 1 / max(H, W))


def _filtered(x: Array, factors: Array) -> Array:
    """Multiply each frequency of the images by its factor."""
    return np.asarray(np.fft.irfft2(np.fft.rfft2(x) * factors, s=x.shape[2:]))


def _as_colours(g: Array, power: float) -> Array:
    """Correlate the three channels of a gradient like the colours of photos."""
    if g.shape[1] != 3:
        return g
    alike = 1 - (1 - _ALIKE) ** (power / 2)
    return np.asarray(g + alike / (1 - alike) * g.mean(axis=1, keepdims=True))


def _rms(x: Array) -> Array:
    return np.asarray(np.sqrt((x**2).mean(axis=(1, 2, 3), keepdims=True)))


def _places(given: Any, count: int, output: Shape) -> Array:
    """Return the position of each filter's response, (F, 2); (0, 0) for layers without maps."""
    size = output[2:] if len(output) == 4 else (1, 1)
    places = np.asarray([[side // 2 for side in size]] * count if given is None else given)
    if places.shape != (count, 2) or (places < 0).any() or (places >= size).any():
        raise ShapeError(
            f"positions must be a row and a column for each of {count} filters, in maps of "
            f"{size[0]}×{size[1]}, not {given!r}"
        )
    return places


def _limits(model: Layer, limits: tuple[float, float] | None, shape: Shape) -> tuple[Any, Any]:
    """Return the limits in the units of the network's inputs."""
    if limits is None:
        return -_WIDEST, _WIDEST
    if not limits[0] < limits[1]:
        raise PellucidError(f"limits must be the lowest and the highest value, not {limits}")
    low, high = (network_inputs(model, np.full((1, *shape), float(v))) for v in limits)
    return low, high


def _stored(model: Layer, x: Array) -> Array:
    """Convert network inputs to the units of the images, by undoing the preprocessing."""
    if model.preprocessing is None:
        return np.ascontiguousarray(x)
    mean, scale = np.array([model.preprocessing.mean, model.preprocessing.scale], x.dtype)
    return np.ascontiguousarray(x * scale[:, None, None] + mean[:, None, None])
