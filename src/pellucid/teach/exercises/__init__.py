"""The exercises of the guide, one per module, in the order of the guide."""

from __future__ import annotations

from importlib import import_module

from pellucid.errors import PellucidError, unknown
from pellucid.teach.exercise import Exercise

_NAMES = (
    "output_size", "correlate2d", "pad2d", "conv2d",
    "im2col", "col2im", "conv2d_im2col",
    "relu", "sigmoid", "max_pool2d", "receptive_field",
    "linear", "softmax", "cross_entropy", "mean_squared_error",
    "cross_entropy_gradient", "relu_backward", "linear_backward", "max_pool2d_backward",
    "conv2d_backward", "conv2d_backward_im2col",
    "numerical_gradient",
    "sgd_step", "adam_step", "warmup_cosine", "sgd_epoch",
    "standardise", "confusion_matrix", "precision_recall_f1",
    "grad_cam",
    "he_scale", "batch_norm", "running_statistics", "batch_norm_inference", "batch_norm_backward",
    "dropout", "residual_backward",
)  # fmt: skip


def _load(name: str) -> Exercise:
    found: Exercise = getattr(import_module(f"{__name__}.{name}"), name)
    return found


EXERCISES: dict[str, Exercise] = {name: _load(name) for name in _NAMES}
"""All exercises by name."""


def find(name: str) -> Exercise:
    """Return the exercise with this name.

    >>> find("relu").title
    'ReLU'
    """
    if name not in EXERCISES:
        raise PellucidError(unknown("exercise", name, EXERCISES))
    return EXERCISES[name]
