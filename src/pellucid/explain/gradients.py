"""The gradient of a class's score with respect to the image and to layers' outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.explain.inputs import chunks, joined, network_inputs, stored
from pellucid.explain.probe import Pass, Probe
from pellucid.explain.scores import Score, Target, class_numbers, scores_of
from pellucid.layers import Layer
from pellucid.types import Array


@dataclass(frozen=True)
class Gradients:
    """The gradient of a class's score S with respect to a network's inputs and layers' outputs.

    Attributes
    ----------
    target, scores
        Class of each image, and its score S; both of shape (N,).
    inputs
        ∂S/∂x for the network's (preprocessed) inputs x, of shape (N, C, H, W).
    outputs, layers
        Outputs y of the requested layers, and ∂S/∂y, by name.
    """

    target: Array
    scores: Array
    inputs: Array
    outputs: dict[str, Array]
    layers: dict[str, Array]


def gradients(
    model: Layer,
    images: Any,
    target: Target = None,
    layers: str | Sequence[str] = (),
    score: Score = "logit",
    batch_size: int = 64,
) -> Gradients:
    """Return the gradient of one class's score for each image, by backpropagation.

    The model runs in inference mode, so images do not influence each other, and is not changed.

    Parameters
    ----------
    model
        A classifier.
    images
        Images (N, C, H, W), one image (C, H, W), or a data set; as stored if the model has a
        `preprocessing`, else as the network takes them.
    batch_size
        Number of images computed at once. Default: 64.
    target
        Class to explain, by number or name: one for all images, or one per image. By default the
        predicted class.
    layers
        Names of layers for whose outputs the gradient is wanted too, as in `activations`.
    score
        ``"logit"``, the class's output before the softmax (default), or ``"probability"``, after
        it.

    Raises
    ------
    PellucidError
        There is no such class or layer, or the model is not a classifier.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(flatten=nn.Flatten(), fc=nn.Linear(4, 3))
    >>> found = gradients(model, np.ones((1, 2, 2)), target=2)
    >>> bool(np.array_equal(found.inputs.ravel(), model["fc"].weight.value[2]))
    True
    """
    wanted = [layers] if isinstance(layers, str) else layers
    parts = list(passes(model, images, target, wanted, score, batch_size))
    return Gradients(
        joined(part.target for part in parts),
        joined(scores_of(part.logits, part.target, score) for part in parts),
        joined(part.input_gradient for part in parts),
        {name: joined(part.outputs[name] for part in parts) for name in wanted},
        {name: joined(part.gradients[name] for part in parts) for name in wanted},
    )


def passes(
    model: Layer,
    images: Any,
    target: Target,
    layers: Sequence[str],
    score: Score,
    batch_size: int,
    guided: bool = False,
) -> Iterator[Pass]:
    """Yield the passes of `gradients`, each of at most `batch_size` images."""
    x = stored(model, images)
    chosen = class_numbers(model, target, x)
    probe = Probe(model, layers, guided)
    for part in chunks(len(x), batch_size):
        own = None if chosen is None else chosen[part]
        yield probe.run(network_inputs(model, x[part]), own, score)


def mean_gradient(
    model: Layer,
    images: Any,
    target: Target,
    copies: int,
    make: Callable[[Array, Array, Array], Array],
    score: Score,
    batch_size: int,
) -> Array:
    """Return each image's mean gradient over its copies, made by ``make(x, owner, turn)``."""
    x = stored(model, images)
    chosen = class_numbers(model, target, x)
    inputs, probe = network_inputs(model, x), Probe(model)
    if chosen is None:
        logits = [probe.logits(inputs[part]) for part in chunks(len(x), batch_size)]
        chosen = np.concatenate(logits).argmax(axis=1)
    total = np.zeros(inputs.shape, np.float64)
    for part in chunks(len(x) * copies, batch_size):
        owner, turn = np.divmod(np.arange(part.start, part.stop), copies)
        found = probe.run(make(inputs, owner, turn), chosen[owner], score)
        np.add.at(total, owner, found.input_gradient)
    return (total / copies).astype(inputs.dtype)
