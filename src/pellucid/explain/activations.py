"""What every layer gives for an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.explain.inputs import chunks, joined, network_inputs, stored
from pellucid.explain.names import Uses, check_names
from pellucid.layers import Layer, observe
from pellucid.layers.base import run_forward
from pellucid.types import Array


def activations(
    model: Layer, images: Any, layers: str | Sequence[str] | None = None, batch_size: int = 64
) -> dict[str, Array]:
    """Return the outputs of layers for `images`, by path, in the order in which they run.

    It is inference: nothing in the model changes. A layer that is used again appears again, as
    "path#2", "path#3" and so on.

    Parameters
    ----------
    model
        Any model with one input.
    images
        (N, C, H, W) as they are stored, where `model.preprocessing` is set, or else the model's
        inputs; one image (C, H, W); or a data set.
    layers
        Paths of the layers to return, as in ``model.walk()``. Without it, all of them; of layers
        made of layers only those whose output none of their parts gave, as a residual sum.
    batch_size
        How many images are computed at once.

    Returns
    -------
    One array of N outputs for each layer.

    Raises
    ------
    PellucidError
        The model has no layer of that name; the nearest is told.

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
        else:  # a Sequential's output is its last layer's, which has been seen
            keep = not layer.children() or all(y is not other for other in found.values())
        if keep and isinstance(y, np.ndarray):
            found[name] = y

    with observe(forward=look):
        run_forward(model, x, None)
    check_names(wanted or (), uses.seen)
    return found
