"""What each pixel adds to a class's score, so that all of them add up to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.explain.gradients import mean_gradient
from pellucid.explain.inputs import check_positive, chunks, network_inputs, reference, stored
from pellucid.explain.probe import Probe
from pellucid.explain.scores import Score, Target, class_numbers, scores_of
from pellucid.layers import Layer
from pellucid.types import Array


def integrated_gradients(
    model: Layer,
    images: Any,
    target: Target = None,
    baseline: Any = None,
    steps: int = 64,
    score: Score = "logit",
    batch_size: int = 64,
) -> Array:
    """Return what each number of an image adds to a class's score S, compared to a baseline.

    ``(x − x₀) · ∫₀¹ S′(x₀ + α·(x − x₀)) dα`` with S′ = ∂S/∂x, the integral taken as the mean over
    the midpoints ``α = (k − ½)/steps``. The contributions add up to S(x) − S(x₀), and
    `completeness_error` says how far their sum is off.
    Source: Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017, sec. 3 and
    5.

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
    baseline
        x₀, an image that shows nothing: one number, one for each channel, or an image, as `images`
        are. Without it, 0 for the network, which is the mean colour of the training images where
        the model preprocesses.
    steps
        More of them bring the sum closer.

    Returns
    -------
    (N, C, H, W), positive where it speaks for the class.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> image = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> found = integrated_gradients(model, image, target=0)
    >>> bool(np.isclose(found.sum(), model(image[None].astype("f4"))[0, 0], rtol=1e-5))
    True
    """
    check_positive(steps=steps)
    x = stored(model, images)
    start = reference(model, x, baseline)

    def along(x: Array, owner: Array, turn: Array) -> Array:
        alpha = ((turn + 0.5) / steps).astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 1))
        return np.asarray(start[owner] + alpha * (x[owner] - start[owner]))

    mean = mean_gradient(model, x, target, steps, along, score, batch_size)
    return np.ascontiguousarray((network_inputs(model, x) - start) * mean)


def completeness_error(
    model: Layer,
    images: Any,
    attribution: Array,
    target: Target = None,
    baseline: Any = None,
    score: Score = "logit",
    batch_size: int = 64,
) -> Array:
    """Return how far contributions are from adding up: ``Σ attribution − (S(x) − S(x₀))``, (N,).

    Integrated gradients with enough steps have next to none.

    Parameters
    ----------
    model, images, target, baseline, score, batch_size
        What `attribution`, from `integrated_gradients`, was made with.
    """
    x = stored(model, images)
    numbers, start, probe = (
        class_numbers(model, target, x),
        reference(model, x, baseline),
        Probe(model),
    )
    errors = []
    for part in chunks(len(x), batch_size):
        logits, nothing = probe.logits(network_inputs(model, x[part])), probe.logits(start[part])
        chosen = logits.argmax(axis=1) if numbers is None else numbers[part]
        difference = scores_of(logits, chosen, score) - scores_of(nothing, chosen, score)
        errors.append(attribution[part].reshape(len(logits), -1).sum(axis=1) - difference)
    return np.concatenate(errors)
