"""The mathematics compiled: the same functions as the reference engine, faster, for float32.

What is not here, and whatever is not float32, is taken over from `pellucid.reference`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from pellucid.runtime import threads

threads.configure()  # before anything imports Numba

from pellucid.compiled import (  # noqa: E402
    activation,
    batch,
    conv,
    finish,
    inference,
    join,
    layout,
    linear,
    loss,
    normalization,
    pooling,
    update,
)
from pellucid.compiled.taken_over import reference  # noqa: E402


def _for_float32(function: Callable[..., Any], fallback: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is `function` for float32 arrays and `fallback` for all others."""

    @wraps(function)
    def chosen(*args: Any) -> Any:
        for a in args:
            if isinstance(a, np.ndarray) and a.dtype != _FLOAT32 and a.dtype.kind == "f":
                return fallback(*args)
        return function(*args)

    return chosen


_FLOAT32 = np.dtype(np.float32)

_COMPILED = {
    conv: (
        "conv2d",
        "conv2d_input_gradient",
        "conv2d_weight_gradient",
        "conv2d_bias_gradient",
    ),
    layout: ("add_to", "flatten", "unflatten"),
    linear: ("linear", "linear_input_gradient", "linear_weight_gradient", "linear_bias_gradient"),
    loss: ("cross_entropy",),
    normalization: ("batch_norm", "batch_norm_training", "batch_norm_gradient"),
    finish: (
        "finish",
        "finish_gradient",
        "normalize_finish",
        "normalize_finish_gradient",
    ),
    activation: ("relu", "relu_gradient"),
    pooling: (
        "max_pool2d",
        "max_pool2d_gradient",
        "adaptive_avg_pool2d",
        "adaptive_avg_pool2d_gradient",
    ),
}

_FOR_ALL = {
    conv: ("conv2d_algorithm", "reads_through", "written"),
    batch: ("make_batch",),
    join: ("concatenate", "split", "total"),
    normalization: ("running_statistics",),
    update: ("sgd", "adam", "are_finite"),
    finish: ("through",),
    inference: ("prepare", "convolve", "transform", "max_pool_values"),
}
"""These look for themselves at what they are given."""

globals().update(vars(reference))
globals().update(
    {
        name: _for_float32(getattr(module, name), getattr(reference, name))
        for module, names in _COMPILED.items()
        for name in names
    }
)
globals().update(
    {name: getattr(module, name) for module, names in _FOR_ALL.items() for name in names}
)

FUSES = True
"""Whether a model runs faster here once it is fused."""

RECORDS = True
"""Whether a recording can write down what is called here."""
