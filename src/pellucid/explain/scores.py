"""The number that is explained: the score of one class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from pellucid import ops
from pellucid.errors import PellucidError, ShapeError, unknown
from pellucid.layers import Layer
from pellucid.types import Array

Score = Literal["logit", "probability"]
"""The class's output before the softmax, or its probability after it."""

Target = int | str | Sequence[int | str] | Array | None
"""A class by number or name: one for all images, or one per image; None for the predicted class."""


def scores_of(logits: Array, target: Array, score: Score) -> Array:
    """Return the score of each image's target class, (N,)."""
    _check(score)
    values = logits if score == "logit" else ops.softmax(logits, 1)
    return np.asarray(values[np.arange(len(values)), target])


def score_gradient(logits: Array, target: Array, score: Score) -> Array:
    """Return the gradient of each image's score for its logits, (N, classes).

    For ``logit`` it is 1 at the target t and 0 elsewhere; for ``probability``, it is
    ``p_t·([k = t] − p_k)``.
    """
    _check(score)
    one_hot = np.zeros_like(logits)
    one_hot[np.arange(len(logits)), target] = 1
    if score == "logit":
        return one_hot
    p = ops.softmax(logits, 1)
    return np.asarray(np.sum(p * one_hot, axis=1, keepdims=True) * (one_hot - p))


def _check(score: str) -> None:
    if score not in ("logit", "probability"):
        raise PellucidError(unknown("score", score, ("logit", "probability")))


def class_numbers(model: Layer, target: Target, images: Array) -> Array | None:
    """Return the class number for each of `images`, (N,), or None for the predicted classes."""
    shape = model.output_shape((1, *images.shape[1:]))
    if len(shape) != 2 or not isinstance(shape[1], int):
        raise ShapeError(
            "a classifier returns one score per class, (N, classes); the outputs of this model for "
            f"one image have the shape {shape}"
        )
    if target is None:
        return None
    given = list(np.asarray(target, object).ravel())
    if len(given) not in (1, len(images)):
        raise ShapeError(
            f"there are {len(images)} images but {len(given)} classes; give one, or one per image"
        )
    numbers = np.array([_number(model, one, shape[1]) for one in given])
    return np.broadcast_to(numbers, (len(images),))


def _number(model: Layer, given: Any, classes: int) -> int:
    if isinstance(given, str):
        names = model.classes or tuple(map(str, range(classes)))
        if given not in names:
            raise PellucidError(unknown("class", given, names))
        return names.index(given)
    if not isinstance(given, int | np.integer) or not 0 <= given < classes:
        raise PellucidError(f"a class is a name or a number from 0 to {classes - 1}, not {given!r}")
    return int(given)
