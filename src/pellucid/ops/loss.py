"""Loss functions: they check the arguments and compute the weights of samples and classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pellucid import engine
from pellucid.errors import PellucidError, ShapeError
from pellucid.types import Array, Shape

ValueAndGradient = tuple[float, Array]


def cross_entropy(
    outputs: Array,
    targets: Array,
    weights: Array | None = None,
    *,
    class_weights: Sequence[float] | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
) -> ValueAndGradient:
    """Return the cross entropy of softmax(outputs) with the targets, and its gradient.

    See `pellucid.losses.CrossEntropy`.

    >>> value, gradient = cross_entropy(np.zeros((2, 2)), np.array([0, 1]))
    >>> round(value, 4), gradient.tolist()
    (0.6931, [[-0.25, 0.25], [0.25, -0.25]])
    """
    _check_outputs("cross_entropy", outputs, least=2)
    targets = np.asarray(targets)
    classes, labels, counted = outputs.shape[1], None, None
    if targets.dtype.kind in "iu":
        counted = _counted(targets, ignore_index)
        _check_labels(targets, outputs.shape, counted)
        if counted is not None and not counted.any():
            return 0.0, np.zeros_like(outputs)
        labels = np.expand_dims(targets, 1)
        a = _like(outputs, labels == np.arange(classes).reshape(_along(1, outputs.ndim)))
    else:
        _check_probabilities(targets, outputs.shape)
        a = _like(outputs, targets)
    if label_smoothing:
        a *= 1 - label_smoothing
        a += label_smoothing / classes
    if weights is None and class_weights is None and counted is None:
        a *= classes / outputs.size
    else:
        a *= _weighting(outputs.shape, labels, counted, weights, class_weights)
    return engine.current(outputs, a).cross_entropy(outputs, a)


def mean_squared_error(
    outputs: Array, targets: Array, weights: Array | None = None
) -> ValueAndGradient:
    """Return the mean of (outputs − targets)² over all elements, and its gradient.

    >>> mean_squared_error(np.array([[1.0, 3.0]]), np.array([[1.0, 1.0]]))
    (2.0, array([[0., 2.]]))
    """
    t, a = _elementwise("mean_squared_error", outputs, targets, weights)
    return engine.current(outputs, t, a).mean_squared_error(outputs, t, a)


def binary_cross_entropy(
    outputs: Array, targets: Array, weights: Array | None = None
) -> ValueAndGradient:
    """Return the mean binary cross entropy of σ(outputs) with the targets, and its gradient.

    >>> value, gradient = binary_cross_entropy(np.zeros((1, 1)), np.ones((1, 1)))
    >>> round(value, 4), gradient.item()
    (0.6931, -0.5)
    """
    t, a = _elementwise("binary_cross_entropy", outputs, targets, weights)
    if t.size and not (t.min() >= 0 and t.max() <= 1):
        raise PellucidError(
            f"binary_cross_entropy: targets must be probabilities from 0 to 1, "
            f"these range from {t.min():.6g} to {t.max():.6g}"
        )
    return engine.current(outputs, t, a).binary_cross_entropy(outputs, t, a)


def _elementwise(
    name: str, outputs: Array, targets: Array, weights: Array | None
) -> tuple[Array, Array]:
    """Return the targets in the outputs' type, and the weight of each element in the mean."""
    _check_outputs(name, outputs, least=1)
    targets = np.asarray(targets)
    if targets.shape != outputs.shape:
        raise ShapeError(
            f"{name} compares element by element, but the targets have shape {targets.shape} and "
            f"the outputs {outputs.shape}; {_remedy(targets.shape, outputs.shape)}"
        )
    _check_finite(targets)
    share = _sample_weights(weights, outputs.shape)
    total = share.sum() * (outputs.size / len(outputs))
    if not total > 0:
        raise PellucidError("the weights of this batch sum to 0, so its mean is undefined")
    return _like(outputs, targets), (share / total).astype(outputs.dtype)


def _weighting(
    shape: Shape,
    labels: Array | None,
    counted: Array | None,
    weights: Array | None,
    class_weights: Sequence[float] | None,
) -> Array:
    """Return the weight of each sample and class in the mean; labels are (N, 1, …)."""
    classes = shape[1]
    per_class = np.ones(classes) if class_weights is None else np.asarray(class_weights, float)
    if per_class.shape != (classes,):
        raise ShapeError(f"there are {per_class.size} class weights for {classes} classes")
    share = _sample_weights(weights, shape)
    if labels is None:
        total = share.sum() * math.prod(shape[2:])
    elif counted is None:
        total = (share * per_class[labels]).sum()
    else:
        share = share * np.expand_dims(counted, 1)
        total = (share * per_class[np.where(share > 0, labels, 0)]).sum()
    if not total > 0:
        raise PellucidError("the weights of this batch sum to 0, so its mean is undefined")
    return np.asarray(per_class.reshape(_along(1, len(shape))) * (share / total))


def _like(outputs: Array, targets: Array) -> Array:
    """Return the targets with the outputs' type and memory layout."""
    same = np.empty_like(outputs)
    same[...] = targets
    return same


def _check_outputs(name: str, outputs: Array, least: int) -> None:
    if outputs.dtype.kind != "f":
        raise PellucidError(f"{name}: outputs must be floating-point numbers, got {outputs.dtype}")
    if outputs.ndim < least or outputs.size == 0:
        expected = "(N, classes, …)" if least == 2 else "(N, …)"
        raise ShapeError(
            f"{name}: outputs must have the shape {expected} and not be empty, got {outputs.shape}"
        )


def _sample_weights(weights: Array | None, shape: Shape) -> Array:
    """Return one weight per sample in float64, with a shape that broadcasts to `shape`."""
    given = np.ones(shape[0]) if weights is None else np.asarray(weights, np.float64)
    if given.shape != shape[:1]:
        raise ShapeError(f"weights must be one per sample, {shape[:1]}, got {given.shape}")
    if not (np.isfinite(given).all() and (given >= 0).all()):
        raise PellucidError("weights of samples must be finite and not negative")
    return given.reshape(_along(0, len(shape)))


def _counted(labels: Array, ignore_index: int | None) -> Array | None:
    """Return which labels count, or None if all do."""
    if ignore_index is None:
        return None
    counted: Array = labels != ignore_index
    return None if counted.all() else counted


def _remedy(targets: Shape, outputs: Shape) -> str:
    if outputs == (*targets, 1):
        return "pass targets[:, None]"
    return "for class numbers use cross_entropy, or convert them with np.eye(classes)[numbers]"


def _check_labels(targets: Array, shape: Shape, counted: Array | None) -> None:
    expected = (shape[0], *shape[2:])
    if targets.shape != expected:
        raise ShapeError(
            f"outputs of shape {shape} need class numbers of shape {expected}, got {targets.shape}"
        )
    wrong = (targets < 0) | (targets >= shape[1])
    if counted is not None:
        wrong &= counted
    if wrong.any():
        at = _first(wrong)
        raise PellucidError(
            f"the target at position {at} is class {targets[at]}, but the outputs have only "
            f"{shape[1]} classes, 0 to {shape[1] - 1}"
        )


def _check_probabilities(targets: Array, shape: Shape) -> None:
    if not np.issubdtype(targets.dtype, np.floating) or targets.shape != shape:
        if targets.shape == (shape[0], 1, *shape[2:]):
            raise ShapeError(
                f"class numbers must have the shape {(shape[0], *shape[2:])}, got {targets.shape}; "
                "pass targets[:, 0]"
            )
        raise ShapeError(
            f"targets must be class numbers (integers of shape {(shape[0], *shape[2:])}) or "
            f"probabilities (floats of shape {shape}), got {targets.dtype}, shape {targets.shape}"
        )
    _check_finite(targets)
    if (targets < 0).any():
        at = _first(targets < 0)
        raise PellucidError(f"the target at {at} is {targets[at]}, but no probability is negative")


def _check_finite(targets: Array) -> None:
    wrong = ~np.isfinite(targets)
    if wrong.any():
        raise PellucidError(f"the target at {_first(wrong)} is {targets[_first(wrong)]}")


def _first(wrong: Array) -> tuple[int, ...]:
    return tuple(map(int, np.argwhere(wrong)[0]))


def _along(axis: int, ndim: int) -> tuple[int, ...]:
    """Return the shape of a vector along `axis`, with size 1 elsewhere."""
    return tuple(-1 if i == axis else 1 for i in range(ndim))
