"""The outputs of a network's layers for given images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.explain.inputs import chunks, joined, network_inputs, stored
from pellucid.explain.names import Uses, check_names
from pellucid.layers import Layer, observe
from pellucid.layers.observers import run_forward
from pellucid.types import Array


def activations(
    model: Layer, images: Any, layers: str | Sequence[str] | None = None, batch_size: int = 64
) -> dict[str, Array]:
    """Return the outputs of layers for `images`, in the order in which the layers run.

    The model runs in inference mode and is not changed. A layer that is used several times appears
    as "path", "path#2", "path#3" and so on.

    Parameters
    ----------
    model
        Model with one input.
    images
        Images (N, C, H, W), one image (C, H, W), or a data set; as stored if the model has a
        `preprocessing`, else as the network takes them.
    layers
        Path of a layer, or paths, as in ``model.walk()``. By default all layers; combinators only
        if their output is not that of a layer inside, such as the sum of a `Residual`.
    batch_size
        Number of images computed at once.

    Returns
    -------
    dict of str to ndarray
        The output of each layer, with the images along the first axis.

    Raises
    ------
    PellucidError
        The model has no layer of that name; the message suggests the most similar one.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 8, 3), relu=nn.ReLU(), pool=nn.MaxPool2d(2))
    >>> found = activations(model, np.ones((5, 1, 8, 8)))
    >>> {path: y.shape for path, y in found.items()}
    {'conv': (5, 8, 6, 6), 'relu': (5, 8, 6, 6), 'pool': (5, 8, 3, 3)}
    >>> list(activations(model, np.ones((1, 8, 8)), "relu"))
    ['relu']
    """
    wanted = [layers] if isinstance(layers, str) else layers
    x = stored(model, images)
    parts = [
        _outputs(model, network_inputs(model, x[part]), wanted)
        for part in chunks(len(x), batch_size)
    ]
    names = parts[0] if wanted is None else wanted
    return {name: joined(part[name] for part in parts) for name in names}


def _outputs(model: Layer, x: Array, wanted: Sequence[str] | None) -> dict[str, Array]:
    uses = Uses(model)
    found: dict[str, Array] = {}

    def look(layer: Layer, _x: Any, y: Any) -> None:
        name = uses(layer)
        if wanted is not None:
            keep = name in wanted
        else:  # the output of a Sequential is that of its last layer, already kept
            keep = not layer.children() or all(y is not other for other in found.values())
        if keep and isinstance(y, np.ndarray):
            found[name] = y

    with observe(forward=look):
        run_forward(model, x, None)
    check_names(wanted or (), uses.seen)
    return found
