"""Which pixels a class's score depends on, by the gradient for the image."""

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

    It says which pixels need to be changed least to change the score most. It is often noisy, as
    the gradient of a network with ReLUs changes from one pixel to the next; see `smooth_grad`.
    Source: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", 2013, sec. 3.1.

    Parameters
    ----------
    model
        A classifier.
    images
        (N, C, H, W) as they are stored, where `model.preprocessing` is set, or else the model's
        inputs; one image (C, H, W); or a data set.
    target
        The class, by number or name: one for all images, or one for each. The predicted one if not
        given.
    score
        ``logit``, the class's output before the softmax, or ``probability``, after it.
    batch_size
        How many images are computed at once.

    Returns
    -------
    (N, H, W), none negative.

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
    """Return the largest absolute value over the channels: (N, C, H, W) becomes (N, H, W)."""
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
    """Return the saliency of the mean gradient over noisy copies of the image.

    ``max over c of |1/n · Σᵢ ∂S/∂x[c] at x + εᵢ|``, with normal noise εᵢ of the standard deviation
    σ = noise·(max x − min x). What changes from pixel to pixel averages out, what the class depends
    on stays.
    Source: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017, sec. 3.

    Parameters
    ----------
    model
        A classifier.
    images
        (N, C, H, W) as they are stored, where `model.preprocessing` is set, or else the model's
        inputs; one image (C, H, W); or a data set.
    target
        The class, by number or name: one for all images, or one for each. The one that is
        predicted without noise if not given.
    score
        ``logit``, the class's output before the softmax, or ``probability``, after it.
    batch_size
        How many images are computed at once.
    samples, noise
        n and σ's share of the image's range; the paper finds 50 and 0.1 to 0.2 good.
    seed
        From which the noise follows, whatever the batch size.

    Returns
    -------
    (N, H, W), none negative.

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
    """Return the gradient for the image where each ReLU passes back only what is positive.

    At a ReLU or ReLU6 it is the positive part of dx, for a ReLU ``dx = dy·[x > 0]·[dy > 0]``: paths
    that lower the score are cut, and what is left shows the strokes and textures that excite the
    network. It is sharp, and depends on the class less than it looks: see `randomization_check`.
    Source: Springenberg et al., "Striving for simplicity", 2014, sec. 3.4.

    Parameters
    ----------
    model
        A classifier.
    images
        (N, C, H, W) as they are stored, where `model.preprocessing` is set, or else the model's
        inputs; one image (C, H, W); or a data set.
    target
        The class, by number or name: one for all images, or one for each. The predicted one if not
        given.
    score
        ``logit``, the class's output before the softmax, or ``probability``, after it.
    batch_size
        How many images are computed at once.

    Returns
    -------
    (N, C, H, W).

    Raises
    ------
    PellucidError
        The model has no ReLU.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    >>> guided_backpropagation(model, np.ones((3, 8, 8))).shape
    (1, 3, 8, 8)
    """
    found = passes(model, images, target, (), score, batch_size, guided=True)
    return joined(part.input_gradient for part in found)
