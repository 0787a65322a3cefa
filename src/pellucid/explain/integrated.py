"""Integrated gradients: contributions of all pixels that add up to a class's score."""

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
    """Return the integrated gradients: how much each value contributes to a class's score S.

    ``(x − x₀) · ∫₀¹ S′(x₀ + α·(x − x₀)) dα`` with S′ = ∂S/∂x; the integral is approximated by the
    mean over the midpoints ``α = (k − ½)/steps``. The contributions add up to S(x) − S(x₀) except
    for an error that `completeness_error` returns.
    Source: Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017, sec. 3 and
    5.

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
    baseline
        Reference image x₀ without the object, in the images' units: a number, one per channel, or
        an image. By default the network's input is 0, which is the mean colour of the training
        images if the model preprocesses.
    steps
        Number of midpoints; more of them reduce the error.

    Returns
    -------
    ndarray of shape (N, C, H, W)
        The contributions, positive where they support the class.

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
    """Return the error of contributions, ``Σ attribution − (S(x) − S(x₀))``, of shape (N,).

    For integrated gradients it is almost 0 if there are enough steps.

    Parameters
    ----------
    attribution
        Result of `integrated_gradients`.
    model, images, target, baseline, score, batch_size
        The arguments with which `attribution` was computed.
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
