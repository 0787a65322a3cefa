"""How a run knows its data again."""

import hashlib
from typing import Any

import numpy as np

from pellucid.errors import FileError
from pellucid.training.batches import Data, Labelled, sample_weights
from pellucid.training.state import TrainingState
from pellucid.types import Array

_SAMPLE = 256


def check_same_data(state: TrainingState, data: Data, validation: Data | None) -> None:
    """Note the data that `state` learns from, or compare them with those that it began with."""
    now = fingerprint(data, validation)
    began = now if state.data is None else state.data
    for part, found in now.items():
        if found != began[part]:
            raise FileError(
                f"this run began with other {part} data; it continues with the same data, in the "
                "same order"
            )
    state.data = now


def fingerprint(data: Data, validation: Data | None) -> dict[str, Any]:
    """Return what tells these data from others, as plain data.

    Shapes, types and a hash of all targets and of 256 inputs spread evenly over the set. Data that
    gives batches by itself is known by their number alone.
    """
    return {
        "training": _of(data),
        "validation": None if validation is None else _of(validation),
    }


def _of(data: Data) -> dict[str, Any]:
    if isinstance(data, Labelled):
        x, targets = data.images, data.labels
    elif isinstance(data, tuple):
        x, targets = np.asarray(data[0]), np.asarray(data[1])
    else:
        return {"batches": len(data)}
    spread = np.unique(np.linspace(0, len(x) - 1, _SAMPLE).astype(np.intp))
    weights = sample_weights(data, "data")
    return {
        "shape": list(x.shape),
        "dtype": str(x.dtype),
        "targets": _hash(targets),
        "inputs": _hash(x[spread]),
    } | ({} if weights is None else {"weights": _hash(weights)})


def _hash(values: Array) -> str:
    digest = hashlib.blake2b(f"{values.shape} {values.dtype}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()
