"""Check model, loss and data before the first step."""

from __future__ import annotations

import numpy as np

from pellucid import engine
from pellucid.errors import DataError, ShapeError, TrainingError
from pellucid.layers import Layer
from pellucid.optim import Optimizer
from pellucid.preprocessing import Preprocessing
from pellucid.training.batches import ArraySource, GivenSource, Source
from pellucid.training.data import Data, Labelled, arrays, check_no_pixels, sample_weights
from pellucid.training.fingerprint import check_same_data
from pellucid.training.selection import SelectiveBackprop
from pellucid.training.state import TrainingState
from pellucid.types import Array


def prepare(
    state: TrainingState, data: Data, validation: Data | None = None
) -> tuple[Source, Source | None]:
    """Check that model, loss and data fit together, and return the sources of batches.

    A model that is trained on a data set stores the preprocessing (fitted to the training part
    only, unless the model has one), the names of the classes, and the shape of an image.
    """
    _check_optimizer(state.model, state.optimizer, "this model")
    if state.selection is not None:
        _check_selector(state, state.selection)
    _check_kinds(data, validation)
    training_arrays = arrays(data, "training data")
    preprocessing = None
    if isinstance(data, Labelled):
        preprocessing = state.model.preprocessing or Preprocessing.fit(data.images)
    source = _source(state, data, training_arrays, preprocessing, "training data")
    validating = None
    if validation is not None:
        what = "validation data"
        validating = _source(state, validation, arrays(validation, what), preprocessing, what)
    check_same_data(state, data, validation)
    if isinstance(data, Labelled):
        state.model.preprocessing = preprocessing
        state.model.classes = tuple(data.classes)
        state.model.input_shape = data.images.shape[1:]
    return source, validating


def _source(
    state: TrainingState,
    data: Data,
    pair: tuple[Array, Array] | None,
    preprocessing: Preprocessing | None,
    what: str,
) -> Source:
    if pair is None:
        assert not isinstance(data, tuple | Labelled)
        return GivenSource(data)
    x, targets = pair
    if preprocessing is None:
        check_no_pixels(x, f"images of the {what}")
    else:
        preprocessing.check(x)
    if targets.ndim > 1:  # values for every output rather than class numbers
        targets = targets.astype(state.dtype)
    shape = _check_fit(state, x, targets, what)
    if isinstance(data, Labelled) and len(data.classes) < 2:
        raise DataError(
            f"the {what} has only one class, '{data.classes[0]}'; at least two are needed"
        )
    if isinstance(data, Labelled) and len(shape) == 2 and 1 < shape[1] != len(data.classes):
        raise ShapeError(
            f"the model has {shape[1]} outputs, but the {what} has {len(data.classes)} classes"
        )
    if state.augment is not None and x.ndim != 4:
        raise ShapeError(f"augmentation needs images (N, C, H, W), the {what} has shape {x.shape}")
    return ArraySource(
        x,
        targets,
        state.batch_size,
        preprocessing,
        state.augment,
        classes=shape[1] if len(shape) == 2 else 0,
        dtype=state.dtype,
        weights=sample_weights(data, what),
    )


def _check_fit(state: TrainingState, x: Array, targets: Array, what: str) -> tuple[int, ...]:
    """Return the outputs' shape for a batch, after checking that everything fits together."""
    shape = state.model.output_shape((min(len(x), state.batch_size), *x.shape[1:]))
    if state.selection is not None:
        selector = state.selection.selector
        other = selector.output_shape((min(len(x), state.batch_size), *x.shape[1:]))
        if tuple(other) != tuple(shape):
            raise ShapeError(
                f"the outputs of the model have shape {shape}, but those of the selector {other}"
            )
    labels = targets.ndim == 1 and targets.dtype == np.int64
    if labels and len(shape) == 2 and shape[1] > 1:
        ignored = getattr(state.loss, "ignore_index", None)
        named = targets if ignored is None else targets[targets != ignored]
        if named.size and (named.min() < 0 or named.max() >= shape[1]):
            raise DataError(
                f"the labels of the {what} run from {named.min()} to {named.max()}, but the model "
                f"has {shape[1]} outputs, for classes 0 to {shape[1] - 1}"
            )
    try:
        with engine.using("reference"):  # avoids compiling kernels for one sample
            state.loss(np.zeros((1, *shape[1:]), state.dtype), targets[:1])
    except ShapeError as error:
        raise ShapeError(f"the targets of the {what} do not fit the model: {error}") from None
    return tuple(shape)


def _check_optimizer(model: Layer, optimizer: Optimizer, what: str) -> None:
    known = {id(parameter) for parameter in model.parameters()}
    strange = [p.name for p in optimizer.learned if id(p) not in known]
    if strange:
        raise TrainingError(
            f"the optimiser updates '{strange[0]}', which is not a parameter of {what}; "
            "make it from its parameters()"
        )


def _check_selector(state: TrainingState, selection: SelectiveBackprop) -> None:
    """Check that the selector is a network of its own, of the model's type."""
    selector = selection.selector
    known = {id(parameter) for parameter in state.model.parameters()}
    if any(id(parameter) in known for parameter in selector.parameters()):
        raise TrainingError("the selector shares parameters with the model; use another network")
    _check_optimizer(selector, selection.optimizer, "the selector")
    if any(parameter.dtype != state.dtype for parameter in selector.parameters()):
        raise TrainingError(
            f"the model is {state.dtype}, but the selector is not: selector.astype('{state.dtype}')"
        )


def _check_kinds(data: Data, validation: Data | None) -> None:
    """Check that validation data are preprocessed if and only if training data are."""
    if validation is None:
        return
    if isinstance(validation, float | str):
        arrays(validation, "validation data")  # raises an error that says what to do
    if isinstance(data, Labelled) != isinstance(validation, Labelled):
        raise DataError(
            "training and validation data must both be data sets, which are preprocessed, or "
            "both be arrays; the arrays of a data set are its images and labels"
        )
    if (
        isinstance(data, Labelled)
        and isinstance(validation, Labelled)
        and tuple(data.classes) != tuple(validation.classes)
    ):
        raise DataError("training and validation data have different classes")
