"""Gradient-based saliency maps of the pixels on which a class's score depends."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.explain.gradients import mean_gradient, passes
from pellucid.explain.inputs import check_positive, joined
from pellucid.explain.scores import Score, Target
from pellucid.layers import Layer
from pellucid.randomness import generator
from pellucid.types import Array


def saliency(
    model: Layer,
    images: Any,
    target: Target = None,
    score: Score = "logit",
    batch_size: int = 64,
) -> Array:
    """Return how strongly a class's score S depends on each pixel: ``max over c of |∂S/∂x[c]|``.

    The maps are often noisy, because the gradient of a network with ReLUs changes from one pixel to
    the next; see `smooth_grad`.
    Source: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", 2013, sec. 3.1.

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

    Returns
    -------
    ndarray of shape (N, H, W)
        Non-negative maps.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    >>> saliency(model, np.ones((5, 3, 8, 8)), target=7).shape
    (5, 8, 8)
    """
    found = passes(model, images, target, (), score, batch_size)
    return joined(strongest(part.input_gradient) for part in found)


def strongest(gradient: Array) -> Array:
    """Return the largest absolute value over the channels: (N, C, H, W) to (N, H, W)."""
    return np.ascontiguousarray(abs(gradient).max(axis=1) if gradient.ndim == 4 else abs(gradient))


def smooth_grad(
    model: Layer,
    images: Any,
    target: Target = None,
    samples: int = 50,
    noise: float = 0.15,
    score: Score = "logit",
    seed: int = 0,
    batch_size: int = 64,
) -> Array:
    """Return the saliency of the mean gradient over noisy copies of the image (SmoothGrad).

    ``max over c of |1/n · Σᵢ ∂S/∂x[c] at x + εᵢ|``, with normal noise εᵢ of standard deviation
    σ = noise·(max x − min x). Averaging removes what fluctuates from pixel to pixel.
    Source: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017, sec. 3.

    Parameters
    ----------
    model
        A classifier.
    images
        Images (N, C, H, W), one image (C, H, W), or a data set; as stored if the model has a
        `preprocessing`, else as the network takes them.
    target
        Class to explain, by number or name: one for all images, or one per image. By default the
        class predicted for the image without noise.
    score
        ``"logit"``, the class's output before the softmax (default), or ``"probability"``.
    batch_size
        Number of images computed at once. Default: 64.
    samples
        Number n of noisy copies; the paper recommends 50.
    noise
        σ as a share of the image's range; the paper recommends 0.1 to 0.2.
    seed
        Seed of the noise, which does not depend on the batch size.

    Returns
    -------
    ndarray of shape (N, H, W)
        Non-negative maps.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    >>> smooth_grad(model, np.eye(8)[None] * np.ones((3, 1, 1)), samples=4).shape
    (1, 8, 8)
    """
    check_positive(samples=samples)

    def noisy(x: Array, owner: Array, turn: Array) -> Array:
        axes = tuple(range(1, x.ndim))
        sigma = noise * (x.max(axis=axes) - x.min(axis=axes))
        drawn = [
            generator(seed, "smooth grad", int(n), int(t)).normal(0, sigma[n], x.shape[1:])
            for n, t in zip(owner, turn, strict=True)
        ]
        return np.asarray(x[owner] + np.stack(drawn).astype(x.dtype))

    return strongest(mean_gradient(model, images, target, samples, noisy, score, batch_size))


def guided_backpropagation(
    model: Layer,
    images: Any,
    target: Target = None,
    score: Score = "logit",
    batch_size: int = 64,
) -> Array:
    """Return the gradient for the image, with only positive gradients passed back by ReLUs.

    At a ReLU ``dx = dy·[x > 0]·[dy > 0]``, at a ReLU6 likewise the positive part of dx. Paths that
    lower the score are cut, so the result shows the strokes and textures that excite the network.
    It is sharp, but depends on the class less than it seems: see `randomization_check`.
    Source: Springenberg et al., "Striving for simplicity", 2014, sec. 3.4.

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

    Returns
    -------
    ndarray of shape (N, C, H, W)
        The gradients.

    Raises
    ------
    PellucidError
        The model has no ReLU layer.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    >>> guided_backpropagation(model, np.ones((3, 8, 8))).shape
    (1, 3, 8, 8)
    """
    found = passes(model, images, target, (), score, batch_size, guided=True)
    return joined(part.input_gradient for part in found)
