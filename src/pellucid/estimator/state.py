"""Convert a fitted network to plain data for pickling, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.layers import Layer, build
from pellucid.preprocessing import Preprocessing

Plain = dict[str, Any]


def to_plain(model: Layer) -> Plain:
    """Return the contents of a model file: description, values, and information on the data.

    >>> from pellucid.layers import Linear
    >>> sorted(to_plain(Linear(2, 1)))
    ['architecture', 'classes', 'dtype', 'input_shape', 'preprocessing', 'values']
    """
    preprocessing = model.preprocessing
    return {
        "architecture": model.describe(),
        "values": model.state_dict(),
        "dtype": str(next((p.dtype for p in model.parameters()), np.dtype(np.float32))),
        "preprocessing": None if preprocessing is None else preprocessing.describe(),
        "classes": model.classes,
        "input_shape": model.input_shape,
    }


def from_plain(plain: Plain) -> Layer:
    """Rebuild the model from the result of `to_plain`, using registered layers only."""
    model = build(plain["architecture"]).astype(plain["dtype"])
    model.load_state_dict(plain["values"])
    if plain["preprocessing"] is not None:
        model.preprocessing = Preprocessing.from_description(plain["preprocessing"])
    model.classes, model.input_shape = plain["classes"], plain["input_shape"]
    return model
