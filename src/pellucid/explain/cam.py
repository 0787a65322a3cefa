"""Class activation maps: the regions of an image on which the network's decision is based."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import ShapeError
from pellucid.explain.gradients import passes
from pellucid.explain.inputs import joined, network_inputs, stored
from pellucid.explain.names import Uses
from pellucid.explain.scores import Score, Target
from pellucid.layers import Layer, observe
from pellucid.layers.observers import run_forward
from pellucid.types import Array


def grad_cam(
    model: Layer,
    images: Any,
    target: Target = None,
    layer: str | None = None,
    score: Score = "logit",
    upsample: bool = True,
    batch_size: int = 64,
) -> Array:
    """Return Grad-CAM maps: where maps A of a layer support a class, ``max(Σ_k α_k·A_k, 0)``.

    The weight of map k is the mean over its positions of the score's gradient,
    ``α_k = mean over (i, j) of ∂S/∂A_k[i, j]``.
    Source: Selvaraju et al., "Grad-CAM", 2017, sec. 3, eq. 1 and 2.

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
    layer
        Name of a layer with maps, as in `activations`. By default the last one, see `last_maps`,
        whose positions still correspond to places in the image.
    upsample
        Whether to enlarge the map to the size of the image by bilinear interpolation. Default:
        True.

    Returns
    -------
    ndarray of shape (N, H, W)
        Non-negative maps. A map of zeros means that nothing in this layer supports the class.

    Raises
    ------
    ShapeError
        The layer's output has no spatial axes.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    >>> grad_cam(model, np.ones((5, 3, 8, 8))).shape
    (5, 8, 8)
    """

    def weights(A: Array, dA: Array) -> Array:
        return np.asarray(dA.mean(axis=(2, 3), keepdims=True))

    return _weighted_maps(model, images, target, layer, score, upsample, batch_size, weights)


def grad_cam_plus_plus(
    model: Layer,
    images: Any,
    target: Target = None,
    layer: str | None = None,
    score: Score = "logit",
    upsample: bool = True,
    batch_size: int = 64,
) -> Array:
    """Return Grad-CAM++ maps, which weight each position by its importance.

    With ``g = ∂S/∂A_k[i, j]``, and with the score taken as exp(S), whose derivatives are those of S
    up to a common factor, which is omitted::

        w_k = Σ over (i, j) of α_k[i, j]·max(g, 0),    α_k[i, j] = g² / (2·g² + Σ A_k · g³)

    Compared to `grad_cam`, it locates several objects of a class, and small ones, better.
    Source: Chattopadhay et al., "Grad-CAM++", 2018, sec. 3.2, eq. 5 and 19.

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
    layer
        Name of a layer with maps, as in `activations`. By default the last one, see `last_maps`.
    score
        ``"logit"``, the class's output before the softmax (default), or ``"probability"``.
    upsample
        Whether to enlarge the map to the size of the image. Default: True.
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
    >>> grad_cam_plus_plus(model, np.ones((5, 3, 8, 8))).shape
    (5, 8, 8)
    """

    def weights(A: Array, dA: Array) -> Array:
        below = 2 * dA**2 + A.sum(axis=(2, 3), keepdims=True) * dA**3
        alpha = np.divide(dA**2, below, out=np.zeros_like(dA), where=below != 0)
        return np.asarray((alpha * np.maximum(dA, 0)).sum(axis=(2, 3), keepdims=True))

    return _weighted_maps(model, images, target, layer, score, upsample, batch_size, weights)


def _weighted_maps(
    model: Layer,
    images: Any,
    target: Target,
    layer: str | None,
    score: Score,
    upsample: bool,
    batch_size: int,
    weights: Callable[[Array, Array], Array],
) -> Array:
    """Return ``max(Σ over k of w_k·A_k, 0)`` with ``w = weights(A, dA)``."""
    x = stored(model, images)
    name = last_maps(model, x) if layer is None else layer
    maps = []
    for part in passes(model, x, target, (name,), score, batch_size):
        A, dA = part.outputs[name], part.gradients[name]
        if A.ndim != 4:
            raise ShapeError(
                f"the layer '{name}' has no maps: its output has the shape {A.shape}; the last "
                f"layer with maps is '{last_maps(model, x)}'"
            )
        found = np.maximum((weights(A, dA) * A).sum(axis=1, keepdims=True), 0)
        if upsample:
            H, W = x.shape[2:]
            found = ops.upsample2d(found, (H, W), mode="bilinear")
        maps.append(found[:, 0])
    return joined(maps)


def last_maps(model: Layer, images: Any) -> str:
    """Return the name of the last layer whose output has maps larger than 1×1.

    Raises
    ------
    ShapeError
        The model has no such layer.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 8, 3), pool=nn.GlobalAvgPool2d())
    >>> last_maps(model, np.ones((1, 28, 28)))
    'conv'
    """
    x = stored(model, images)[:1]
    uses = Uses(model)
    found, maps = "", None

    def look(layer: Layer, _x: Any, y: Any) -> None:
        nonlocal found, maps
        name = uses(layer)
        if isinstance(y, np.ndarray) and y.ndim == 4 and y[0, 0].size > 1 and y is not maps:
            found, maps = name, y

    with observe(forward=look):
        run_forward(model, network_inputs(model, x), None)
    if maps is None:
        raise ShapeError("the model has no layer whose output has maps larger than 1×1")
    return found
