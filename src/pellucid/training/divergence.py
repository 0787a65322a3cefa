"""Find where values become NaN or infinite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid import engine
from pellucid.errors import TrainingError
from pellucid.layers import Layer, StepContext, observe
from pellucid.layers.observers import run_forward
from pellucid.parameter import Parameter
from pellucid.types import Array


def non_finite_loss(model: Layer, x: Array, training: StepContext, loss: float) -> TrainingError:
    """Return an error that names the step and the first layer whose output is not finite.

    It repeats the forward pass with the same random numbers, and changes nothing.
    """
    again = training.again()
    paths = {id(layer): path for path, layer in model.walk()}
    found: list[str] = []

    def look(layer: Layer, _x: Any, y: Any) -> None:
        if not found and not is_finite(y):
            path = paths.get(id(layer), "")
            kind = type(layer).__name__
            found.append(f"'{path}' ({kind})" if path else f"the model itself ({kind})")

    if not is_finite(x):
        return _error(training, f"the loss is {loss}", "the inputs already are NaN or infinite")
    with observe(forward=look):
        run_forward(model, x, again)
    where = (
        f"the first layer with NaN or infinity in its output is {found[0]}"
        if found
        else "all layers' outputs are finite, so it comes from the loss itself"
    )
    return _error(training, f"the loss is {loss}", where)


def non_finite_gradient(
    parameters: Sequence[Parameter], training: StepContext
) -> TrainingError | None:
    """Return an error that names the last parameter with a non-finite gradient, or None.

    Gradients flow backwards, so the last parameter is the first to be affected.
    """
    if is_finite(tuple(parameter.grad for parameter in parameters)):
        return None
    for parameter in reversed(parameters):
        if not is_finite(parameter.grad):
            where = f"the first to get one, going backwards, is {parameter.name}"
            return _error(training, "a gradient is NaN or infinite", where)
    return None


def is_finite(values: Any) -> bool:
    """Return whether all numbers in an array, or in a tuple of arrays, are finite."""
    arrays = values if isinstance(values, tuple) else (values,)
    return engine.current().are_finite(arrays)


def _error(training: StepContext, what: str, where: str) -> TrainingError:
    return TrainingError(
        f"epoch {training.epoch + 1}, step {training.step + 1}: {what}; {where}. "
        "The model and the optimiser are as they were before this step. "
        "A lower learning rate, clip_norm in the optimiser, or a warm-up usually helps"
    )
