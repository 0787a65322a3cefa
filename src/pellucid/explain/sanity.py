"""Check whether an explanation depends on what the network has learned."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.explain.gradients import gradients
from pellucid.explain.inputs import stored
from pellucid.layers import Layer
from pellucid.parameter import Buffer, Parameter
from pellucid.randomness import generator
from pellucid.types import Array

Method = Callable[[Layer, Any, Any], Array]
"""An explanation method: ``method(model, images, target)`` returns one map per image."""


def randomization_check(
    model: Layer, images: Any, method: Method, target: Any = None, seed: int = 0
) -> dict[str, Array]:
    """Return how similar a method's maps remain while the network's weights are randomised.

    From the last layer to the first, layers get random weights one after the other, while those
    before keep theirs. After each, the maps are compared with the original ones, by Spearman's rank
    correlation of the absolute values. A faithful method's maps change: the correlation falls to
    about 0. Maps that stay similar show the image's edges rather than what was learned.
    Source: Adebayo et al., "Sanity checks for saliency maps", 2018, sec. 3.

    Parameters
    ----------
    model
        A classifier; it is not changed.
    images
        Images (N, C, H, W), one image (C, H, W), or a data set; as stored if the model has a
        `preprocessing`, else as the network takes them.
    method
        Method to check, such as `saliency` or ``functools.partial(grad_cam, layer="conv2")``.
    target
        Class to explain; by default the class that the original model predicts.
    seed
        Seed of the random weights.

    Returns
    -------
    dict of str to ndarray
        For each layer with weights, from the last to the first, the correlations of the N images.
        A constant map counts as 0.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> from pellucid.explain import saliency
    >>> model = nn.Sequential(
    ...     conv=nn.Conv2d(1, 4, 3), relu=nn.ReLU(), flatten=nn.Flatten(), fc=nn.Linear(144, 2)
    ... )
    >>> found = randomization_check(model, np.ones((3, 1, 8, 8)), saliency, seed=1)
    >>> {path: correlation.shape for path, correlation in found.items()}
    {'fc': (3,), 'conv': (3,)}
    """
    x = stored(model, images)
    chosen = gradients(model, x, target).target
    before = method(model, x, chosen)
    forgetful = copy.deepcopy(model)
    # not the initial weights of the model, whatever its seed was
    other = int(generator(seed, "randomization check").integers(2**62))
    found = {}
    for path, layer in reversed(list(forgetful.walk())):
        own = [value for value in vars(layer).values() if isinstance(value, Parameter | Buffer)]
        for value in own:
            value.initialize(other) if isinstance(value, Parameter) else value.initialize()
        if own:
            after = method(forgetful, x, chosen)
            found[path] = np.array(
                [rank_correlation(*maps) for maps in zip(before, after, strict=True)]
            )
    return found


def rank_correlation(a: Array, b: Array) -> float:
    """Return Spearman's correlation of the absolute values of two maps, 0 if one is constant.

    It is Pearson's correlation of the ranks; equal values share the mean of their ranks.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, -10.0, 100.0]))
    1.0
    """
    x, y = (_ranks(abs(values)) for values in (a, b))
    x, y = x - x.mean(), y - y.mean()
    length = np.sqrt((x @ x) * (y @ y))
    return float((x @ y) / length) if length else 0.0


def _ranks(values: Array) -> Array:
    _, which, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[which])
