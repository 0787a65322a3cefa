"""Whitening of the first convolution with the training images."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import initializers
from pellucid.errors import PellucidError, ShapeError
from pellucid.layers import Conv2d, Layer
from pellucid.preprocessing import Preprocessing
from pellucid.types import Array

IMAGES = 5000
"""Number of images from which patches are taken; more hardly change the result."""


def whiten(model: Layer, images: Any, eps: float = 5e-4) -> Conv2d:
    """Set the weight of a model's first convolution so that its outputs are whitened patches.

    Neighbouring pixels are nearly equal, so that the inputs of a network are strongly correlated.
    Whitened outputs are uncorrelated and of equal size, which lets the following layers learn
    faster; the weight need not be trained. See `initializers.whitening` for the formula.

    Parameters
    ----------
    model
        Model that contains a `Conv2d` with at most 2·C·KH·KW filters, an even number, and one
        group. Its other parameters are not changed.
    images
        Training images (N, C, H, W), of which the first 5,000 are used. Pixels, that is integers,
        are preprocessed as in training: by the model's preprocessing, or one that is fitted to the
        images, which the model keeps.
    eps
        Added to the variances for numerical stability. Default: 5e-4.

    Returns
    -------
    Conv2d
        The convolution. Do not pass its weight to the optimiser if it is to stay as it is.

    Examples
    --------
    >>> from pellucid import models
    >>> model = models.airbench((3, 32, 32), 10)
    >>> images = np.random.default_rng(0).integers(0, 256, (64, 3, 32, 32), np.uint8)
    >>> conv = whiten(model, images)
    >>> conv.forward(model.preprocessing(images))[0][:, :12].std(axis=(0, 2, 3)).round(1)
    array([1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.], dtype=float32)
    """
    conv = next((layer for _, layer in model.walk() if isinstance(layer, Conv2d)), None)
    if conv is None:
        raise PellucidError("whiten needs a model with a Conv2d, and this one has none")
    if conv.groups != 1:
        raise PellucidError(f"whiten needs a convolution of one group, not {conv!r}")
    stored = images[:IMAGES]
    if np.issubdtype(stored.dtype, np.integer):
        model.preprocessing = model.preprocessing or Preprocessing.fit(images)
        stored = model.preprocessing(stored)
    if stored.ndim != 4 or stored.shape[1] != conv.in_channels:
        raise ShapeError(
            f"whiten: the convolution has {conv.in_channels} input channels, the images have the "
            f"shape {stored.shape}"
        )
    conv.weight.value = _filters(stored, conv.weight.shape, eps)
    return conv


def _filters(images: Array, shape: tuple[int, ...], eps: float) -> Array:
    """Return the first filters of each sign, for a kernel of this shape."""
    count, *_, height, width = shape
    both = initializers.whitening(images, (height, width), eps)
    half = len(both) // 2
    if count % 2 or count > len(both):
        raise ShapeError(
            f"whiten: patches of {shape[1]}×{height}×{width} give {len(both)} filters, and the "
            f"convolution must have an even number of at most as many, not {count}"
        )
    return np.concatenate([both[: count // 2], both[half : half + count // 2]])
