"""Which image would excite a filter most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.errors import PellucidError, ShapeError
from pellucid.explain.inputs import (
    channel_numbers,
    check_positive,
    chunks,
    dtype_of,
    network_inputs,
)
from pellucid.explain.probe import Probe
from pellucid.layers import Layer
from pellucid.randomness import generator
from pellucid.types import Array, Shape


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
        The filter's mean response before each step and at the end, (F, steps + 1).
    """

    layer: str
    channels: Array
    images: Array
    values: Array


def maximize_filter(
    model: Layer,
    layer: str,
    channels: int | Sequence[int] | None = None,
    input_shape: Shape | None = None,
    steps: int = 128,
    rate: float = 0.1,
    jitter: int = 2,
    blur: int = 4,
    decay: float = 0.01,
    limits: tuple[float, float] | None = None,
    seed: int = 0,
    batch_size: int = 64,
) -> Maximized:
    """Return images that excite filters of a layer most, found by gradient ascent from faint noise.

    ``x ← (1 − decay)·x + rate·g/rms(g)``, with g the gradient for x of the filter's mean response.
    Free ascent ends in noise that no image has; three habits keep to what an image looks like: x is
    shifted a little before each step (jitter), smoothed every few steps (blur), and shrunk (decay).
    Source: Erhan et al., "Visualizing higher-layer features of a deep network", 2009, sec. 3;
    Yosinski et al., "Understanding neural networks through deep visualization", 2015, sec. 3 (blur,
    decay); Mordvintsev, Olah and Tyka, "Inceptionism", 2015 (jitter).

    Parameters
    ----------
    model, layer
        A model, and the name of a layer in it, as `activations` gives it. For the last layer the
        filters are the classes.
    channels
        The numbers of the filters; all of them if not given.
    input_shape
        (C, H, W); `model.input_shape` if not given.
    steps, rate
        How many steps, and how long each is, in units of the network's input.
    jitter
        The longest shift, in pixels.
    blur
        After how many steps x is smoothed once with (1, 2, 1)/4 in both directions; 0 for never.
    decay
        What share x loses at each step.
    limits
        The lowest and the highest value of a pixel, in the images' units, where there are such.
    seed
        From which noise and jitter follow, whatever else is computed beside.

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
    probe = Probe(model, (layer,))
    dtype = dtype_of(model)
    probe.logits(np.zeros((1, *shape), dtype))
    chosen = channel_numbers(channels, probe.watched(layer).shape[1])
    low, high = _limits(model, limits, shape)
    images, values = [], []
    for part in chunks(len(chosen), batch_size):
        own = chosen[part]
        x = np.stack([0.1 * generator(seed, f"maximize {c}").normal(size=shape) for c in own])
        x, history = x.astype(dtype), []
        for step in range(steps):
            down, along = generator(seed, "jitter", step=step).integers(-jitter, jitter + 1, 2)
            shifted = np.roll(x, (down, along), (2, 3))
            value, g = _ascent(probe, layer, own, shifted)
            history.append(value)
            g = np.roll(g, (-down, -along), (2, 3))
            size = np.sqrt((g**2).mean(axis=(1, 2, 3), keepdims=True))
            x = (1 - decay) * x + rate * g / np.maximum(size, np.finfo(dtype).tiny)
            if blur and step % blur == blur - 1:
                x = _smoothed(_smoothed(x, 2), 3)
            x = np.clip(x, low, high)
        history.append(_ascent(probe, layer, own, x)[0])
        images.append(x)
        values.append(np.stack(history, axis=1))
    return Maximized(layer, chosen, _stored(model, np.concatenate(images)), np.concatenate(values))


def _ascent(probe: Probe, layer: str, channels: Array, x: Array) -> tuple[Array, Array]:
    """Return each filter's mean response to its own image, and its gradient."""
    turn = np.arange(len(x))

    def push(y: Array) -> Array:
        only = np.zeros_like(y)
        only[turn, channels] = 1  # the gradient's length does not matter, see rms(g)
        return only

    y, gradient = probe.pull(x, layer, push)
    return y[turn, channels].reshape(len(x), -1).mean(axis=1), gradient


def _smoothed(x: Array, axis: int) -> Array:
    """Return x weighted (1, 2, 1)/4 along an axis; beyond the border lies the border's value."""
    wide = np.pad(x, [(1, 1) if a == axis else (0, 0) for a in range(x.ndim)], mode="edge")
    n = x.shape[axis]
    first, middle, last = (np.take(wide, np.arange(i, i + n), axis) for i in range(3))
    return np.asarray((first + 2 * middle + last) / 4)


def _limits(
    model: Layer, limits: tuple[float, float] | None, shape: Shape
) -> tuple[Array | None, Array | None]:
    """Return the limits as the network sees them."""
    if limits is None:
        return None, None
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
