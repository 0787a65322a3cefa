"""Find the parts of a data set's images to which filters respond most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import ShapeError
from pellucid.explain.activations import activations
from pellucid.explain.inputs import channel_numbers, check_positive, chunks, stored
from pellucid.explain.receptive import Box, ReceptiveFields, receptive_fields
from pellucid.layers import Layer
from pellucid.types import Array, Shape


@dataclass(frozen=True)
class Patches:
    """The parts of images that excite each of F filters most, in descending order.

    Attributes
    ----------
    layer, channels
        Name of the layer, and the numbers of its filters, (F,).
    values
        Responses of the filters, (F, k).
    images, positions
        Index of the image, (F, k), and row and column in the filter's map, (F, k, 2).
    boxes
        The part of the image as (top, bottom, left, right) with bottom and right exclusive,
        (F, k, 4); the whole image for a layer without maps.
    pixels
        For each filter, the pixels of the parts, (k, C, h, w); NaN outside the image.
    """

    layer: str
    channels: Array
    values: Array
    images: Array
    positions: Array
    boxes: Array
    pixels: list[Array]


def top_patches(
    model: Layer,
    images: Any,
    layer: str,
    channels: int | Sequence[int] | None = None,
    count: int = 9,
    batch_size: int = 64,
) -> Patches:
    """Find the parts of `images` to which the filters of a layer respond most.

    Only the strongest response of each image counts, so that no image occurs twice. Each part is
    exactly what the response depends on, see `receptive_fields`.
    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, sec. 4,
    figure 2; Girshick et al., "Rich feature hierarchies", 2014, sec. 3.1.

    Parameters
    ----------
    model
        Model with one input.
    images
        Images (N, C, H, W), one image (C, H, W), or a data set, best of some thousand
        images; as stored if the model has a `preprocessing`, else as the network takes them.
    batch_size
        Number of images computed at once. Default: 64.
    layer
        Name of a layer, as in `activations`. A layer without maps, such as the last one, depends on
        whole images.
    channels
        Numbers of the filters; all of them by default.
    count
        Number of parts for each filter.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 4, 3, padding=1))
    >>> model["conv"].weight.value = np.ones((4, 1, 3, 3))
    >>> images = np.zeros((5, 1, 8, 8))
    >>> images[3, 0, 5, 6] = 1
    >>> found = top_patches(model, images, "conv", channels=0, count=1)
    >>> found.images.item(), found.boxes[0, 0].tolist()
    (3, [3, 6, 4, 7])
    """
    check_positive(count=count)
    x = stored(model, images)
    if x.ndim != 4:
        raise ShapeError(f"patches need images (N, C, H, W), not an array of shape {x.shape}")
    fields = fields_of(model, layer, x.shape[1:])
    chosen = channel_numbers(channels, len(fields.rows))
    values, numbers, positions = _strongest(model, x, layer, chosen, count, batch_size)
    boxes, pixels = [], []
    for channel, places, of in zip(chosen, positions, numbers, strict=True):
        own, parts = seen(fields, np.full(len(of), channel), places, x[of])
        boxes.append(own)
        pixels.append(np.stack(parts))
    return Patches(layer, chosen, values, numbers, positions, np.stack(boxes), pixels)


def fields_of(model: Layer, layer: str, shape: Shape) -> ReceptiveFields:
    """Return the receptive fields of a layer; one without maps has one position that sees all."""
    output = activations(model, np.zeros(shape), layer)[layer].shape
    if len(output) == 4:
        return receptive_fields(model, layer, shape)
    rows, columns = (np.broadcast_to((0, side), (output[1], 1, 2)) for side in shape[1:])
    return ReceptiveFields(rows, columns)


def seen(
    fields: ReceptiveFields, channels: Array, positions: Array, images: Array
) -> tuple[Array, list[Array]]:
    """Return the box that each filter sees at its position, and the pixels in it."""
    places = zip(channels.tolist(), positions.tolist(), strict=True)
    boxes = [fields.box(channel, *place) for channel, place in places]
    of = zip(images, boxes, channels.tolist(), strict=True)
    return np.array(boxes), [_cut(image, box, fields.size(channel)) for image, box, channel in of]


def _strongest(
    model: Layer, x: Array, layer: str, channels: Array, count: int, batch_size: int
) -> tuple[Array, Array, Array]:
    """Return values, image indices and positions of the strongest responses, (F, k) each."""
    best = np.zeros((len(channels), 0))
    numbers, places = best.astype(int), best.astype(int)
    for part in chunks(len(x), batch_size):
        maps = activations(model, x[part], layer, batch_size)[layer][:, channels]
        width = maps.shape[3] if maps.ndim == 4 else 1
        flat = maps.reshape(*maps.shape[:2], -1).swapaxes(0, 1)  # (F, n, positions)
        here = np.broadcast_to(np.arange(part.start, part.stop), flat.shape[:2])
        best = np.concatenate([best, flat.max(axis=2)], axis=1)
        numbers = np.concatenate([numbers, here], axis=1)
        places = np.concatenate([places, flat.argmax(axis=2)], axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :count]
        best, numbers, places = (np.take_along_axis(a, order, 1) for a in (best, numbers, places))
    return best, numbers, np.stack(np.divmod(places, width), axis=-1)


def _cut(image: Array, box: Box, size: tuple[int, int]) -> Array:
    """Return a part of an image, with NaN where the layer saw padding."""
    (top, bottom, left, right), (height, width) = box, size
    part = np.full((len(image), height, width), np.nan)
    down = height - bottom if top == 0 else 0
    along = width - right if left == 0 else 0
    part[:, down : down + bottom - top, along : along + right - left] = image[
        :, top:bottom, left:right
    ]
    return part
