"""Occlusion: how the score of a class changes when parts of the image are covered."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import ShapeError
from pellucid.explain.inputs import chunks, joined, network_inputs, reference, stored
from pellucid.explain.probe import Probe
from pellucid.explain.scores import Score, Target, class_numbers, scores_of
from pellucid.geometry import pair
from pellucid.layers import Layer
from pellucid.types import Array, Pair


def occlusion(
    model: Layer,
    images: Any,
    target: Target = None,
    window: Pair | None = None,
    stride: Pair | None = None,
    fill: Any = None,
    score: Score = "logit",
    batch_size: int = 64,
) -> Array:
    """Return by how much a class's score S falls when a window covers each pixel.

    A window slides over the image; each pixel gets the mean of S(x) − S(covered x) over all windows
    that cover it. No gradients are involved, so it can serve as a check of gradient methods.
    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014,
    sec. 4.2.

    Parameters
    ----------
    model
        A classifier.
    images
        Images (N, C, H, W), one image (C, H, W), or a data set; as stored if the model has a
        `preprocessing`, else as the network takes them.
    target
        Class to explain, by number or name: one for all images, or one per image. By default the
        predicted class.
    score
        ``"logit"``, the class's output before the softmax (default), or ``"probability"``.
    batch_size
        Number of images computed at once. Default: 64.
    window
        Size of the window, one int or (vertical, horizontal). By default an eighth of the image.
    stride
        Step between windows, one int or (vertical, horizontal). By default half the window. The
        last windows end at the border.
    fill
        Colour of the window, in the images' units: a number, one per channel, or an image. By
        default the network's input is 0, the mean colour if the model preprocesses.

    Returns
    -------
    ndarray of shape (N, H, W)
        Positive where the image supports the class, negative where it speaks against it.

    Raises
    ------
    ShapeError
        The stride is larger than the window, so some pixels would never be covered.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    >>> occlusion(model, np.ones((1, 4, 4)), window=2, stride=1).shape
    (1, 4, 4)
    """
    x = stored(model, images)
    if x.ndim != 4:
        raise ShapeError(f"occlusion needs images (N, C, H, W), not an array of shape {x.shape}")
    places = _places(x.shape[2:], window, stride)
    probe, chosen = Probe(model), class_numbers(model, target, x)
    inputs, cover = network_inputs(model, x), reference(model, x, fill)
    logits = joined(probe.logits(inputs[part]) for part in chunks(len(x), batch_size))
    chosen = logits.argmax(axis=1) if chosen is None else chosen
    whole = scores_of(logits, chosen, score)

    total, count = np.zeros((len(x), *x.shape[2:])), np.zeros(x.shape[2:])
    for place in places:
        count[place] += 1
    for part in chunks(len(x) * len(places), batch_size):
        owner, turn = np.divmod(np.arange(part.start, part.stop), len(places))
        covered = inputs[owner]
        for row, n, t in zip(covered, owner, turn, strict=True):
            row[:, *places[t]] = cover[n][:, *places[t]]
        left = scores_of(probe.logits(covered), chosen[owner], score)
        for n, t, fall in zip(owner, turn, whole[owner] - left, strict=True):
            total[n][places[t]] += fall
    return (total / count).astype(inputs.dtype)


def _places(
    size: tuple[int, ...], window: Pair | None, stride: Pair | None
) -> list[tuple[slice, slice]]:
    """Return the positions of the window, row by row; the last ones end at the border."""
    default = max(2, size[0] // 8), max(2, size[1] // 8)
    heights = default if window is None else pair(window, "window")
    half = max(1, heights[0] // 2), max(1, heights[1] // 2)
    steps = half if stride is None else pair(stride, "stride")
    if steps[0] > heights[0] or steps[1] > heights[1]:
        raise ShapeError(
            f"a stride of {steps} leaves gaps between windows of {heights}; make it smaller"
        )
    rows, columns = (
        [slice(start, min(start + w, n)) for start in range(0, max(n - w, 0) + s, s)]
        for n, w, s in zip(size, heights, steps, strict=True)
    )
    return [(row, column) for row in rows for column in columns]
